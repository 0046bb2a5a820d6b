"""What failures cost: which budget pays, and when the job gives up.

Neighbours: `policies.py` judges, `attempts.py` changes tasks, `ending.py` carries out that the
job failed.
"""

from __future__ import annotations

from typing import Final

import msgspec

from mapreduce.history import Budget
from mapreduce.ids import Kind, TaskId
from mapreduce.protocol import AttemptFailed, ErrorInfo, SegmentsLost
from mapreduce_operator.core import attempts, maps, parts, places, policies
from mapreduce_operator.core.book import KEPT_FAILURES, Book
from mapreduce_operator.core.entries import UnreadableStreak
from mapreduce_operator.core.events import TaskFailure
from mapreduce_operator.core.states import TaskState
from mapreduce_operator.core.tasks import Attempt, ChargedError
from mapreduce_operator.core.workers import Worker

STAGE_TRIES: Final = 3
"""How often a part may be unreadable before its reduce runs again."""
_KEPT: Final = 16_384
"""Characters that are kept of each text of a failure: workers bound them, and a worker may lie."""
_TEXT: Final = 2000
"""Characters of a message that go into the history."""
_BY_GATEWAYS: Final = ("open", "plan", "stage", "publish", "clean")
MOVED: Final = "SegmentUnreadable"
OVER_MEMORY: Final = "SlotOverMemory"


def attempt_failed(book: Book, attempt: Attempt, error: ErrorInfo) -> None:
    """Apply the report that an attempt ended without a result."""
    worker, kind, index = attempt.worker, attempt.id.task.kind, attempt.id.task.index
    error = _bounded(error)
    counted = attempts.end(book, attempt)
    text = policies.one_line(error)[:_TEXT]
    free = error.kind != "disruption" or not counted or attempts.costs_nothing(book, attempt)
    budget: Budget = "" if free else "disruption"
    cost = attempts.cost(attempt)
    cost["peak_memory"] = max(cost["peak_memory"], error.peak_memory)
    book.record(
        "Failed",
        attempt=attempt.id,
        worker=worker,
        reason=error.reason,
        message=text,
        budget=budget,
        **cost,
        **book.texts.keep(error, book.journal.last + 1),
    )
    if not counted:
        return
    remember(book, attempt, error)
    if error.kind == "refused":
        verdict = policies.refusal(str(attempt.id.task), error)
        book.open_refused = book.open_refused or kind == "open"
        book.fail(verdict.reason, verdict.message)
        return
    if kind in _BY_GATEWAYS:
        _judge_defect(book, attempt, error)
    if kind == "stage":
        _stage_failed(book, attempt, error)
    elif error.kind == "user":
        charge_user(book, attempt, error)
    else:
        if not attempt.gathers_early:
            _tell_of_disruption(book, attempt, error)
        disrupted(book, attempt, error.reason, error.message)
        if kind in ("open", "plan", "publish", "clean"):
            _pause(book, kind, index)


def _judge_defect(book: Book, attempt: Attempt, error: ErrorInfo) -> None:
    """Give up where a gateway meets what it did not expect again and again; what the store suffers has more time."""
    defects, index = book.tasks[attempt.id.task.kind].defects, attempt.id.task.index
    if error.reason != "InternalError":
        defects.pop(index, None)
        return
    defects[index] = defects.get(index, 0) + 1
    verdict = policies.defect(f"{attempt.id.task} on {attempt.worker.name}", error.message[:_TEXT], defects[index])
    if verdict.action == "fail":
        book.fail(verdict.reason, verdict.message)
    else:
        book.announce_first("Warning", verdict.reason, verdict.message)


def _bounded(error: ErrorInfo) -> ErrorInfo:
    """Return a reported error with as much of each text as is kept: it is told, shown and kept in many places."""
    return msgspec.structs.replace(
        error,
        message=error.message[:_KEPT],
        where=error.where[:_KEPT],
        traceback=error.traceback[-_KEPT:],
        log_tail=error.log_tail[-_KEPT:],
    )


def attempt_lost(book: Book, attempt: Attempt, reason: str, message: str = "", *, oom: bool = False) -> None:
    """Note that an attempt is gone without a word of its own.

    NotStarted: its worker never began it, which costs nothing. `oom`: the kernel ended the whole
    worker because memory ran out, which is charged to what ran.
    """
    if not attempts.end(book, attempt):
        return
    kind, index = attempt.id.task.kind, attempt.id.task.index
    charged = oom and kind in ("map", "reduce", "load") and not attempt.gathers_early
    free = charged or reason == "NotStarted" or attempts.costs_nothing(book, attempt)
    budget: Budget = "" if free else "disruption"
    book.record(
        "Lost",
        attempt=attempt.id,
        worker=attempt.worker,
        reason=reason,
        message=message,
        budget=budget,
        slot=attempts.cost(attempt)["slot"],
    )
    if kind == "stage" and book.producers.is_in(index, TaskState.STAGING):
        book.to_stage.add(index)
    if reason == "NotStarted":
        attempts.put_back(book, kind, index)
    elif charged:
        text = "the kernel ended the worker, because its memory ran out"
        charge_user(book, attempt, ErrorInfo(kind="user", reason="SlotOverMemory", message=text))
    else:
        disrupted(book, attempt, reason, message)


def charge_user(book: Book, attempt: Attempt, error: ErrorInfo) -> None:
    """Charge the user's budget of a task; the task runs again once that is journalled."""
    kind, index = attempt.id.task.kind, attempt.id.task.index
    table = book.tasks[kind]
    text = policies.one_line(error)[:_TEXT]
    met = ChargedError.of(text, attempt.worker.name, book.now)
    elsewhere = _seen_elsewhere(book, attempt, error, met)
    table.last_error[index] = met
    count = table.charge_user(index)
    book.charges["user"] += 1
    if error.reason == OVER_MEMORY and kind in ("map", "reduce"):
        table.run_alone(index)
    sequence = book.record(
        "Charged",
        attempt=attempt.id,
        worker=attempt.worker,
        reason=error.reason,
        message=text,
        budget="user",
        awaited=True,
    )
    table.blocked[index] = sequence
    verdict = policies.user_failure(str(attempt.id.task), error, count, book.spec.limits, seen_elsewhere=elsewhere)
    again = "; it runs again alone on a worker" if index in table.alone and verdict.action == "retry" else ""
    about = f"{attempt.id.task} on {attempt.worker.name}"
    book.announce("Warning", error.reason, f"{about}: {policies.one_line(error)}{again}")
    if verdict.action == "fail" and table.is_in(index, TaskState.STAGING):
        # Another attempt has finished: what this one met does not matter unless that part is lost.
        return
    if verdict.action == "fail":
        attempts.cancel_all(book, kind, index, "Cancelled")
        table.move(index, "spent")
        if may_leave_out(book, kind, len(book.left_out)):
            book.record("LeftOut", task=table.id(index), reason=verdict.reason, message=verdict.message)
            book.announce("Warning", "LeftOut", verdict.message)
            leave_out(book, table.id(index))
        else:
            book.fail(verdict.reason, verdict.message)
    else:
        attempts.put_back(book, kind, index)


def _seen_elsewhere(book: Book, attempt: Attempt, error: ErrorInfo, met: ChargedError) -> bool:
    """Tell whether another worker met the same error at the same place before this attempt began.

    What two attempts meet that run at the same time may be one event, as where a service is away that the code
    needs. Of an attempt of an older master it is not known when it began.
    """
    # Without a place it may be another fault each time, as where a process just ends.
    placed = bool(error.where) or error.reason == "UserCodeFailed"
    before = book.tasks[attempt.id.task.kind].last_error.get(attempt.id.task.index)
    if not placed or before is None or attempt.id.epoch != book.epoch or before.at > attempt.began:
        return False
    return before.digest == met.digest and before.worker != met.worker


def may_leave_out(book: Book, kind: Kind, already: int) -> bool:
    """Tell whether the job goes on without one more task that has spent its budget.

    A map that some reduce has read already must not be left out for the others.
    """
    if kind not in ("map", "reduce") or (kind == "map" and book.consumed):
        return False
    return policies.leaves_out(already, book.spec.limits)


def leave_out(book: Book, task: TaskId) -> None:
    """Let the job go on without a task that has spent its budget."""
    book.left_out.append(task)
    book.finished += 1
    if task.kind == "map" and not book.map_only:
        book.outputs.leave_out(task.index)
        maps.wake_reducers(book)


def disrupted(book: Book, attempt: Attempt, reason: str, message: str = "") -> None:
    """Note that an attempt ended through no fault of its code; that of a backup costs its task nothing, nor does
    one that only gathered early."""
    if attempt.gathers_early:
        attempts.put_off(book, attempt, book.spec.timing.lease)
    elif not attempts.is_spare(book, attempt):
        disrupt(book, attempt.id.task.kind, attempt.id.task.index, reason, message)


def disrupt(book: Book, kind: Kind, index: int, reason: str, message: str = "") -> None:
    """Note that an attempt of a task ended through no fault of its code; the task runs again."""
    table = book.tasks[kind]
    count = table.disrupt(index, book.finished)
    book.charges["disruption"] += 1
    attempts.put_back(book, kind, index)
    said = f"{reason}: {message}" if message else reason
    verdict = policies.disruption(str(table.id(index)), said, count, book.spec.limits)
    if verdict.action == "fail":
        book.record("Charged", task=table.id(index), reason=verdict.reason, budget="disruption")
        place = places.of(book, kind, index)
        book.fail(verdict.reason, f"{verdict.message}; it runs {place}" if place else verdict.message)


def _tell_of_disruption(book: Book, attempt: Attempt, error: ErrorInfo) -> None:
    """Say that a slot went, as the loss of a worker is said; of a task's in a row only the 1st, 2nd, 4th and so on."""
    kind, index = attempt.id.task.kind, attempt.id.task.index
    count = book.tasks[kind].streak(index, book.finished) + 1
    if kind in ("map", "reduce", "load") and not count & (count - 1):
        about = f"{attempt.id.task} on {attempt.worker.name}"
        most = book.spec.limits.disruptions_in_a_row
        again = f"it runs again (disruption {count} of {most} in a row)"
        book.announce("Warning", error.reason, f"{about}: {error.message}; {again}")


def worker_died(book: Book, attempt: Attempt) -> None:
    """Note that a worker that ran this attempt is gone; say so where one task's workers go again and again."""
    kind, index = attempt.id.task.kind, attempt.id.task.index
    place = places.of(book, kind, index)
    if not place or not attempt.started or attempt.cancel or attempt.gathers_early:
        return
    died = book.tasks[kind].workers_died
    died[index] = died.get(index, 0) + 1
    verdict = policies.workers_died(str(attempt.id.task), place, died[index])
    if verdict is not None:
        book.announce("Warning", verdict.reason, verdict.message)


def _pause(book: Book, kind: Kind, index: int) -> None:
    table = book.tasks[kind]
    failures = max(1, table.streak(index, book.finished))
    table.paused[index] = book.now + policies.pause(failures, policies.STORAGE_PAUSES)


def _stage_failed(book: Book, attempt: Attempt, error: ErrorInfo) -> None:
    """The store's trouble is tried again; a part that cannot be read again and again is made again."""
    partition = attempt.id.task.index
    disrupt(book, "stage", partition, error.reason, error.message)
    part = book.parts.get(partition)
    if part is None or not book.producers.is_in(partition, TaskState.STAGING):
        return
    if error.reason == "SegmentUnreadable":
        book.unreadable_parts[part.attempt] = book.unreadable_parts.get(part.attempt, 0) + 1
        if book.unreadable_parts[part.attempt] >= STAGE_TRIES:
            parts.lose(book, partition, error.reason)
            return
    _pause(book, "stage", partition)
    book.to_stage.add(partition)


def remember(book: Book, attempt: Attempt, error: ErrorInfo) -> None:
    """Keep a failure for people to see."""
    failure = TaskFailure(
        task=str(attempt.id.task),
        worker=attempt.worker.name,
        reason=error.reason,
        message=error.message,
        where=error.where,
        traceback=error.traceback,
        output=error.log_tail,
        peak_memory=error.peak_memory,
        wall=book.at.wall,
    )
    book.last_failures = [*book.last_failures, failure][-KEPT_FAILURES:]


# --- segments that cannot be read ---------------------------------------------------------------


def segments_lost(book: Book, attempt: Attempt, complaint: SegmentsLost) -> None:
    """Apply a reduce attempt's complaint about a holder."""
    if attempt.cancel:
        return
    holder = book.registry.by_name(complaint.holder)
    if holder is None or not holder.alive:
        return
    current = [source for source, _ in complaint.maps if book.outputs.is_current(source, holder.number)]
    if current and attempt.gathers_early:
        # Whether the map must run again can be judged when all reduces run; until then others may be luckier.
        attempts.cancel(book, attempt, MOVED)
        attempts.put_off(book, attempt, book.spec.timing.lease)
        return
    gone = []
    for source in current:
        complainants = book.complaints.setdefault(source, set())
        complainants.add(attempt.id)
        running = book.tasks["reduce"].live
        reducers = {complainant.task.index for complainant in complainants} & running.keys()
        if policies.complaint(len(complainants), len(reducers), len(running)).action == "rerun":
            gone.append(source)
    if gone:
        _output_unreadable(book, holder, sorted(source.task.index for source in gone), _why(complaint))
    if len(gone) < len(current):
        _move(book, attempt, holder, _why(complaint))


def _why(complaint: SegmentsLost) -> str:
    """Return, in one line, why the first of the segments could not be read."""
    return " ".join(complaint.maps[0][1].split())


def _output_unreadable(book: Book, holder: Worker, indices: list[int], why: str) -> None:
    book.charges["segments"] += len(indices)
    maps_ = f"map-{indices[0]}" if len(indices) == 1 else f"{len(indices)} maps, from map-{indices[0]} on,"
    message = f"{holder.name}: what {maps_} made cannot be read from it, and is made again"
    book.announce("Warning", "SegmentUnreadable", message)
    for index in indices:
        attempt_id = book.outputs.attempt(index)
        attempts.discard(book, holder, attempt_id)
        book.record(
            "Charged", attempt=attempt_id, worker=holder, reason="SegmentUnreadable", message=why, budget="segments"
        )
    maps.lose(book, indices, holder, "SegmentUnreadable")
    _charge_holder(book, holder)


def _charge_holder(book: Book, holder: Worker) -> None:
    """Count a time that outputs of a worker counted as lost; complaints that come together are one."""
    if holder.unreadable and book.now - holder.unreadable_at < book.spec.timing.beat:
        return
    holder.unreadable += 1
    holder.unreadable_at = book.now
    reduces = book.tasks["reduce"].counts
    finished = reduces[TaskState.STAGING] + reduces[TaskState.SUCCEEDED]
    before = book.unreadable
    book.unreadable = UnreadableStreak(finished, before.times + 1 if before.finished == finished else 1)
    verdict = policies.unreadable(book.unreadable.times, holder.name, book.spec.limits)
    if verdict.action == "fail":
        book.fail(verdict.reason, verdict.message)


def _move(book: Book, attempt: Attempt, holder: Worker, why: str) -> None:
    partition = attempt.id.task.index
    book.avoid.setdefault(partition, set()).add(attempt.worker.number)
    message = f"reducer {partition} cannot read from it"
    book.charges["segments"] += 1
    book.announce("Warning", MOVED, f"{holder.name}: {message}, and moves to another worker")
    told = f"{message}: {why}" if why else message
    book.record("Charged", worker=holder, reason=MOVED, message=told, budget="segments")
    attempts.cancel(book, attempt, MOVED)
    attempts.put_back(book, "reduce", partition)


def report(book: Book, attempt: Attempt, outcome: AttemptFailed) -> None:
    """Apply `AttemptFailed`."""
    if attempt.cancel:
        attempts.end(book, attempt)
        return
    attempt_failed(book, attempt, outcome.error)
