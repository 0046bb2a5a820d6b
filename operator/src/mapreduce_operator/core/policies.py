"""What is decided, as small pure functions: each returns a verdict with a reason and a message.

The reason is a word of `mapreduce.words`, and the one that people read in `kubectl describe`.
Neighbours: `failures.py`, `exchange.py`, `scheduling.py` and `phases.py` gather what is asked
here and apply what is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from mapreduce.bad_records import BadRecord, too_many
from mapreduce.protocol import ErrorInfo
from mapreduce.spec import Limits

COMPLAINTS: Final = 3
"""Distinct reduce attempts that must complain of a map output before it counts as lost."""
UNREADABLE: Final = 3
"""Times that map outputs of a worker counted as lost, from which on the worker is replaced."""
DEFECTS: Final = 5
"""Times in a row that a gateway may meet an error that nobody expected: more often it is a defect, and stays one."""
STUCK_LEASES: Final = 4
"""Leases that a worker has to end an attempt which was cancelled; one that can be killed is gone within a second."""
BEGINNINGS_TOLD: Final = 100
"""Processes of one worker that the history tells of: whoever registers again and again does not fill the journal."""
USAGE_SECONDS: Final = 10.0
"""Between two samples of what workers use, at first."""
STUCK_TOLD_LEASES: Final = 1
"""Leases after which people are told, and no task waits for such a worker."""
SUSPECT: Final = 4
"""Workers lost with the same task running, from which on people are told of it, at each power of two."""
STORAGE_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait after each failure in a row of the store, the last one for all that follow."""
START_PAUSES: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds to wait before a start, by how many starts in a row never registered."""
LAST_START_PAUSES: Final = START_PAUSES[:-1]
"""The same for a job that ends: it has only a minute to be cleaned."""
NEARLY_DONE: Final = 0.75
"""The share of a phase that must be done before any of its tasks is called slow."""
SLOW: Final = 1.5
"""How many times the usual duration a task must take to be called slow."""
BELIEVED: Final = 0.5
"""The share of the usual duration after which an attempt's progress tells when it will end: the first records
come late, after imports and `setup`."""
YOUNG: Final = 1.0
"""Seconds that an attempt has in any case: what is shorter is over before a second one could help."""
BACKUPS: Final = 3
"""Backups in turn of one attempt, where each is lost with its worker: code that ends the second process that runs it
would cost a worker each time, with all that this one holds."""
BACKUP_SHARE: Final = 0.1
"""The share of the slots that backups may have."""
SKEWED: Final = 4
"""How many times the median the largest partition must have to be called too large."""
SKEWED_BYTES: Final = 64 << 20
"""Bytes that it must have besides: a smaller one is reduced in no time."""
HEAVY: Final = 0.5
"""The share of a median partition that a key must have to be called heavy."""


class Verdict(msgspec.Struct, frozen=True):
    """What to do, and why. retry: the task runs again. rerun: the map runs again. move: the
    reduce goes to another worker. fail: the job ends. back_up: the task gets a second attempt.
    replace: the worker is given up. warn: people are told, and nothing is done. accept: all is as it should be."""

    action: Literal["retry", "rerun", "move", "fail", "back_up", "replace", "warn", "accept"]
    reason: str
    message: str


class BackupCandidate(msgspec.Struct, frozen=True):
    """A worker that can take a backup; `number` is the master's for it, `node` empty where that is not known."""

    number: int
    attempts: int
    """How many it has."""
    node: str
    is_slow: bool
    """Whether one of its own attempts is slow."""


def user_failure(task: str, error: ErrorInfo, count: int, limits: Limits, *, seen_elsewhere: bool) -> Verdict:
    """Judge a failure of the user's code; `count` includes it.

    `seen_elsewhere`: another worker met the same error at the same place before.
    """
    what = one_line(error)
    if seen_elsewhere:
        return Verdict("fail", error.reason, f"{task} failed alike on two workers: {what}")
    if count >= limits.attempts_per_task:
        return Verdict("fail", error.reason, f"{task} failed {count} times, at last: {what}")
    return Verdict("retry", error.reason, f"{task} failed ({count} of {limits.attempts_per_task}): {what}")


def refusal(task: str, error: ErrorInfo) -> Verdict:
    """Judge an error that says itself that trying again cannot help."""
    return Verdict("fail", error.reason, one_line(error) if error.message else f"{task} was refused")


def disruption(task: str, reason: str, count: int, limits: Limits) -> Verdict:
    """Judge a disruption; `count` of them hit this task in a row, with no task finishing between."""
    if count >= limits.disruptions_in_a_row:
        message = f"{task} was disrupted {count} times while no task finished; the last time: {reason}"
        return Verdict("fail", "DisruptionLimit", message)
    return Verdict("retry", reason, f"{task} runs again: {reason}")


def defect(task: str, message: str, count: int) -> Verdict:
    """Judge an error that a gateway did not expect; `count` of them ended this task in a row."""
    if count >= DEFECTS:
        return Verdict("fail", "InternalError", f"{task} failed {count} times in a row, at last: {message}")
    return Verdict("retry", "InternalError", f"{task}: {message}; it is tried again ({count} of {DEFECTS})")


def workers_died(task: str, place: str, count: int) -> Verdict | None:
    """Judge that `count` workers were lost while they ran this task: now and then it is worth a word.

    It is not charged: nodes that are taken away look the same.
    """
    if count < SUSPECT or count & (count - 1):
        return None
    message = f"{count} workers were lost while they ran {task}: does it end the process that runs it? It runs {place}"
    return Verdict("retry", "WorkerLost", message)


def complaint(complainants: int, reducers: int, running: int) -> Verdict:
    """Judge complaints about one map output.

    complainants: distinct attempts that complained; reducers: distinct running reduces among
    them; running: reduces that run.
    """
    if complainants >= COMPLAINTS or reducers >= running:
        return Verdict("rerun", "SegmentUnreadable", f"{complainants} reduce attempts could not read it")
    return Verdict("move", "SegmentUnreadable", "one reducer cannot read it, others have not complained")


def unreadable(in_a_row: int, holder: str, limits: Limits) -> Verdict:
    """Judge map outputs that count as lost for the `in_a_row`th time, with no reduce finishing between.

    A pair of workers that never read each other would make maps run again without end.
    """
    message = f"map outputs could not be read from {holder}"
    if in_a_row >= limits.disruptions_in_a_row:
        message = (
            f"map outputs could not be read {in_a_row} times while no reduce finished, at last from {holder}: can the "
            "workers reach each other, or does a network policy forbid it?"
        )
        return Verdict("fail", "SegmentUnreadable", message)
    return Verdict("rerun", "SegmentUnreadable", message)


def holder(times: int) -> Verdict | None:
    """Judge a worker from which others could not read so many times: from some number on it is replaced."""
    if times < UNREADABLE:
        return None
    return Verdict("replace", "SegmentUnreadable", f"others could not read from it {times} times")


def stuck(attempt: str, seconds: float, lease: float) -> Verdict | None:
    """Judge a worker that names an attempt still, `seconds` after it first did so though it was told to end it: from
    some time on it is replaced.
    """
    if seconds <= STUCK_LEASES * lease:
        return None
    message = f"{attempt} was cancelled {seconds:.0f} s ago and its process still runs: it cannot be killed"
    return Verdict("replace", "SlotStuck", message)


def bad_records(count: int, limit: int, newest: BadRecord) -> Verdict | None:
    """Judge `count` bad records of a job that may leave out `limit`."""
    if count <= limit:
        return None
    return Verdict("fail", "TooManyBadRecords", too_many(limit, newest))


def before_running(elapsed: float, limits: Limits, waiting_for: str) -> Verdict | None:
    """Judge a job that has not begun to run `elapsed` seconds after its start."""
    if elapsed < limits.pre_running_deadline:
        return None
    message = f"the job did not begin to run within {limits.pre_running_deadline:g} s"
    return Verdict("fail", "DeadlineExceeded", f"{message}: {waiting_for}" if waiting_for else message)


def active(elapsed: float, limit: float) -> Verdict | None:
    """Judge a job that has been active for `elapsed` seconds; its user allows `limit`, or with 0 any number."""
    if not 0 < limit <= elapsed:
        return None
    message = f"the job was active for longer than the {limit:g} s that spec.activeDeadlineSeconds allows"
    return Verdict("fail", "DeadlineExceeded", message)


def progress(silent: float, limits: Limits) -> Verdict | None:
    """Judge an attempt whose code has moved nothing for `silent` seconds, though it waits for nobody: it hangs."""
    if silent < limits.task_timeout:
        return None
    return Verdict("retry", "NoProgress", hung(limits))


def hung(limits: Limits) -> str:
    """Say what code did that hung."""
    return f"no progress for {limits.task_timeout:g} s: no record, and no call of self.progress()"


def leaves_out(already: int, limits: Limits) -> bool:
    """Tell whether a job that does without `already` tasks does without one more that has spent its budget."""
    return already < limits.max_failed_tasks


def journal_given_up(elapsed: float, message: str, limits: Limits) -> Verdict | None:
    """Judge a journal that could not be written for `elapsed` seconds: it has as long as any other storage task."""
    tries = range(1, limits.disruptions_in_a_row + 1)
    if elapsed < sum(pause(count, STORAGE_PAUSES) for count in tries):
        return None
    return Verdict("fail", "StorageFailed", f"the journal cannot be written: {message}")


def to_preempt(waiting_maps: int, free_slots: int, being_preempted: int, waiting_reduces: int) -> int:
    """Return how many more waiting reduce attempts must make room, so that every map that waits
    has a slot, or no reduce is left that only waits."""
    return max(0, min(waiting_maps - free_slots - being_preempted, waiting_reduces))


def is_nearly_done(done: int, total: int) -> bool:
    """Tell whether so much of a phase is done that those who are left may be called slow."""
    return done < total and done >= NEARLY_DONE * total


def estimate(elapsed: float, usual: float, share: float, reached_after: float) -> float:
    """Return how long an attempt will take at least, in seconds.

    elapsed: how long it has taken. usual: what such an attempt takes. share: of its input that it had read
    after `reached_after` seconds; 0 where nobody knows. What comes after the input is unknown as well.
    """
    if share <= 0 or elapsed < BELIEVED * usual:
        return elapsed
    return max(elapsed, reached_after / min(1.0, share))


def slow(task: str, worker: str, estimated: float, usual: float, elapsed: float) -> Verdict | None:
    """Judge an attempt that will take `estimated` seconds, where one of its size takes `usual`."""
    if elapsed < YOUNG or estimated <= SLOW * usual:
        return None
    message = f"{task} takes {estimated:.1f} s or more on {worker}, {usual:.1f} s would be usual"
    return Verdict("back_up", "Speculative", message)


def usual_duration(median: float, size: int, median_size: int) -> float:
    """Return how long an attempt over `size` bytes takes, where the median of the phase is so long.

    More input may take longer; less takes no less, since much of the time may have nothing to do with input.
    """
    return median * max(1.0, size / median_size) if median_size else median


def backups_allowed(slots: int, running: int) -> int:
    """Return how many more backups may be given on `slots` slots of which `running` have one."""
    return max(0, max(1, int(BACKUP_SHARE * slots)) - running)


def worker_of_backup(node: str, candidates: Sequence[BackupCandidate]) -> int:
    """Return the number of the worker that gets a backup of an attempt on `node`: elsewhere, and not where things are
    slow. `candidates`: at least one; one whose node is not known is as good as one on another node.
    """

    def order(candidate: BackupCandidate) -> tuple[bool, bool, int, int]:
        same_node = bool(node) and node == candidate.node
        return same_node, candidate.is_slow, candidate.attempts, candidate.number

    return min(candidates, key=order).number


def is_heavy(size: int, median: int) -> bool:
    """Tell whether a key with so many bytes matters where the partition in the middle has `median`."""
    return size > HEAVY * median


def skew(largest: int, median: int, heavy: Sequence[tuple[str, int]]) -> Verdict:
    """Judge how evenly rows are divided: bytes of the largest partition, of the one in the middle, of heavy keys."""
    message = f"the largest partition has {in_mebibytes(largest)}, the median {in_mebibytes(median)}"
    if heavy:
        message += f"; heavy keys: {', '.join(f'{key} ({in_mebibytes(size)})' for key, size in heavy)}"
    if largest > max(SKEWED_BYTES, SKEWED * median):
        return Verdict("warn", "Skewed", f"{message}: one reduce will take much longer than the others")
    return Verdict("accept", "", message)


def in_mebibytes(size: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{size / (1 << 20):.1f} MiB"


def usage_pause(elapsed: float) -> float:
    """Return the seconds until workers' usage is sampled again: some 400 samples in a day, whatever job it is."""
    return max(USAGE_SECONDS, elapsed / 60)


def pause(failures: int, pauses: tuple[float, ...]) -> float:
    """Return the seconds to wait after so many failures in a row (0: none)."""
    return pauses[min(failures, len(pauses)) - 1] if failures else 0.0


def one_line(error: ErrorInfo) -> str:
    """Return an error as one line: what and where."""
    return f"{error.message} (at {error.where})" if error.where else error.message
