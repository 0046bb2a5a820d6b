"""One attempt on a worker: its states as a table, and how its failures are told.

    queued ──> fetching (a map waits for its input) ──────┐
       │ └───> gathering (a reduce waits for segments) ───┤
       └──────────────────────────────────────────────────┴─> running ──> ended
                 ^ (a segment cannot be read)                   │ └─> stopping ──┘
                 └──────────────────────────────────────────────┘

Neighbours: `worker.py`, which owns one `Attempt` for each that has not ended.
"""

from __future__ import annotations

import signal
from typing import Final, Literal

import msgspec

from mapreduce.errors import InvalidTransition
from mapreduce.ids import AttemptId
from mapreduce.protocol import (
    AttemptFailed,
    ErrorInfo,
    LoadProgram,
    MapPartSucceeded,
    Outcome,
    ProgramLoaded,
    RunMap,
    RunReduce,
    Spent,
)
from mapreduce_worker.core.events import (
    Broke,
    FetchedInput,
    Loaded,
    LoadInSlot,
    MapInSlot,
    MapPartDone,
    ReduceInSlot,
    SlotDied,
)
from mapreduce_worker.core.locations import Gathering

State = Literal["queued", "fetching", "gathering", "running", "stopping", "ended"]
Step = Literal["fetch", "gather", "run", "finish", "drop", "kill", "regather"]

TABLE: Final[dict[tuple[State, Step], State]] = {
    ("queued", "fetch"): "fetching",
    ("queued", "gather"): "gathering",
    ("queued", "run"): "running",
    ("queued", "drop"): "ended",
    ("fetching", "run"): "running",
    ("fetching", "drop"): "ended",
    ("gathering", "run"): "running",
    ("gathering", "drop"): "ended",
    ("running", "regather"): "gathering",
    ("running", "finish"): "ended",
    ("running", "kill"): "stopping",
    ("stopping", "finish"): "ended",
}
"""regather: the slot found a segment that it cannot read. drop: it ends before a slot had it.
kill: the slot that has it is being killed."""

Work = LoadProgram | RunMap | RunReduce


class Attempt:
    """What the worker knows of one attempt that has not ended.

    slot: the slot that it holds, from the end of queueing on. fetching: whether a fetch of its
    input is under way; retry_at: when the next may begin. spent: what it has cost so far. waits_since: since when no
    slot process has it, or had it last.
    """

    __slots__ = (
        "fetching",
        "gathering",
        "hangs",
        "history",
        "retry_at",
        "slot",
        "spent",
        "state",
        "waits_since",
        "work",
    )

    def __init__(self, work: Work, now: float) -> None:
        self.work = work
        self.spent = Spent()
        self.waits_since = now
        self.state: State = "queued"
        self.history: list[str] = []
        self.slot = -1
        self.fetching = False
        self.retry_at = 0.0
        self.hangs = False
        self.gathering: Gathering | None = None

    @property
    def id(self) -> AttemptId:
        """The attempt's name."""
        return self.work.attempt

    def measured(self, spent: Spent) -> None:
        """Add what it has cost in a slot, which it may have to begin in again."""
        self.spent = msgspec.structs.replace(
            spent,
            cpu_ms=self.spent.cpu_ms + spent.cpu_ms,
            peak_memory=max(self.spent.peak_memory, spent.peak_memory),
            waited_ms=self.spent.waited_ms,
        )

    def waited(self, now: float) -> None:
        """Note that it waits no more."""
        waited = round(max(0.0, now - self.waits_since) * 1000)
        self.spent = msgspec.structs.replace(self.spent, waited_ms=self.spent.waited_ms + waited)

    def move(self, step: Step) -> None:
        """Change state by the table; raises `InvalidTransition` with the attempt's history."""
        after = TABLE.get((self.state, step))
        if after is None:
            story = ", ".join((*self.history, self.state))
            raise InvalidTransition(f"{self.id}: {step} in state {self.state} ({story})")
        self.history.append(f"{self.state} {step}")
        self.state = after


def slot_task(attempt: Attempt, fetched: FetchedInput | None) -> LoadInSlot | MapInSlot | ReduceInSlot:
    """Return what the attempt's slot is asked to do; `fetched` is a map's input, if it was fetched."""
    work = attempt.work
    if isinstance(work, LoadProgram):
        return LoadInSlot(attempt.slot, attempt.id)
    if isinstance(work, RunMap):
        return MapInSlot(
            slot=attempt.slot,
            attempt=attempt.id,
            split=work.split,
            input=fetched,
            makes_part=work.makes_part,
            alone=work.alone,
            samples=work.samples,
        )
    return ReduceInSlot(
        slot=attempt.slot,
        attempt=attempt.id,
        partition=work.partition,
        key_type=work.key_type,
        segments=attempt.gathering.segments() if attempt.gathering is not None else (),
        range=work.range,
        alone=work.alone,
    )


def outcome_of(event: Loaded | MapPartDone | Broke) -> Outcome:
    """Return the report of an attempt that ended in a slot, where nothing needs to be added."""
    if isinstance(event, Loaded):
        return ProgramLoaded(attempt=event.attempt, shape=event.shape)
    if isinstance(event, MapPartDone):
        return MapPartSucceeded(
            attempt=event.attempt,
            checksum=event.checksum,
            rows=event.rows,
            size=event.size,
            records=event.records,
            counters=event.counters,
            bad=event.bad,
        )
    return AttemptFailed(attempt=event.attempt, error=event.error)


def death(event: SlotDied, work: Work | None = None) -> ErrorInfo:
    """Tell why a slot died, over which work, and to which budget that is charged."""
    kind, reason, message = _cause(event, work)
    return ErrorInfo(
        kind=kind,
        reason=reason,
        message=message,
        traceback=event.stack,
        log_tail=event.log_tail,
        peak_memory=max(event.peak, event.over_memory),
    )


def hang(event: SlotDied) -> ErrorInfo:
    """Tell where the code of a slot was that its master found to hang."""
    return ErrorInfo(
        kind="user",
        reason="NoProgress",
        message="the program made no progress for too long",
        traceback=event.stack,
        log_tail=event.log_tail,
        peak_memory=event.peak,
    )


def _cause(event: SlotDied, work: Work | None) -> tuple[Literal["user", "disruption"], str, str]:
    who = "the process that ran the program"
    if event.over_memory:
        # Not how much it was: failures alike must read alike.
        return "user", "SlotOverMemory", f"{who} used more memory than it may, {event.limit >> 20} MiB"
    if event.out_of_memory:
        return "user", "SlotOverMemory", f"the kernel killed {who}, because memory ran out"
    if event.code >= 0:
        return "user", "SlotExited", f"{who} ended with exit status {event.code} before it finished"
    number = -event.code
    if number in _OWN_SIGNALS:
        return "user", "SlotKilled", f"{who} crashed: {_OWN_SIGNALS[number]} ({_name(number)}){_over(work)}"
    return "disruption", "SlotKilled", f"{who} was killed by signal {number} ({_name(number)}), which is not ours"


def _over(work: Work | None) -> str:
    """Return what a map was reading: a library that crashes may do so over a damaged file."""
    if not isinstance(work, RunMap) or not work.split.ranges:
        return ""
    first, more = work.split.ranges[0], len(work.split.ranges) - 1
    others = f" and {more} more files" if more > 1 else " and one more file" if more else ""
    return f", over bytes {first.start} to {first.end} of {first.file.name}{others}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "of no name"


_OWN_SIGNALS: Final[dict[int, str]] = {
    signal.SIGILL: "illegal instruction",
    signal.SIGTRAP: "trap",
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "arithmetic error",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGPIPE: "broken pipe",
    signal.SIGALRM: "alarm clock",
    signal.SIGXCPU: "limit of processor time",
    signal.SIGXFSZ: "limit of a file's size",
    signal.SIGVTALRM: "virtual alarm clock",
    signal.SIGPROF: "profiling alarm clock",
    signal.SIGSYS: "bad system call",
}
"""Signals that a process brings on itself: its code is at fault, nobody killed it."""
