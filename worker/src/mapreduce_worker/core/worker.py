"""The worker's core: which attempts it has, what each waits for, what the master is told.

`handle(event, now)` returns the commands to carry out, in their order. Neighbours: `line.py` (what
is said to the master, and when), `held.py` (finished outputs), `attempts.py` (the states of an attempt),
`locations.py` (what a reduce attempt fetches), `events.py`; `mapreduce_worker.agent` is the shell.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

from mapreduce.ids import AttemptId
from mapreduce.protocol import (
    Answer,
    AttemptCancelled,
    AttemptFailed,
    ErrorInfo,
    LoadProgram,
    MapPartSucceeded,
    MapSucceeded,
    Outcome,
    Progress,
    ReduceSucceeded,
    Register,
    RunMap,
    RunReduce,
    Usage,
)
from mapreduce_worker.core import events
from mapreduce_worker.core.attempts import Attempt, death, hang, outcome_of, slot_task
from mapreduce_worker.core.held import HeldOutputs
from mapreduce_worker.core.line import Line
from mapreduce_worker.core.locations import Gathering, LocationTable

INPUT_RETRY: Final = 0.5
"""Seconds before a split that could not be fetched is asked for again at the same address."""


class WorkerCore:
    """One worker of one job, from its first registration to its end.

    `identity` is what it says of itself when it registers, without what it holds and runs.
    `random` gives numbers in [0, 1).
    """

    def __init__(self, identity: Register, random: Callable[[], float]) -> None:
        self._numbers = itertools.count(1)
        self._line = Line(identity, random, self._numbers, self._do)
        self._attempts: dict[AttemptId, Attempt] = {}
        self._slots: list[AttemptId | None] = [None] * identity.slots
        self.held = HeldOutputs()
        self._parts: set[AttemptId] = set()
        """Attempts whose part is on the disk."""
        self._locations = LocationTable()
        self._direct = False
        self._input_address = ""
        self._commands: list[events.Command] = []
        self._now = 0.0
        self._usage: Usage | None = None

    def handle(self, event: events.Event, now: float) -> tuple[events.Command, ...]:
        """Take one event at `now`, in seconds of this worker's monotonic clock."""
        self._commands, self._now = [], now
        if not self._line.exiting:
            _HANDLERS[type(event)](self, event, now)
            self._advance(now)
            self._speak(now)
        return tuple(self._commands)

    # --- the master ---------------------------------------------------------------------

    def _session_opened(self, event: events.SessionOpened, now: float) -> None:
        body = event.body
        if not self._line.opened(event, now):
            return
        self._direct = body.job.read_input_directly
        self._locations = LocationTable()
        for attempt in self._attempts.values():
            if attempt.gathering is not None:
                attempt.gathering.look_again()

    def _answered(self, event: events.Answered, now: float) -> None:
        answer = event.body
        fresh = self._line.answered(event, now)
        if fresh is None:
            return
        self._take_state(answer)
        for assignment in fresh.assignments:
            self._assign(assignment)
        for cancelled in fresh.cancellations:
            if attempt := self._attempts.get(cancelled):
                self._cancel(attempt)
        for hanging in answer.hanging:
            if attempt := self._attempts.get(hanging):
                self._end_hanging(attempt)
        for unwanted in answer.discard:
            if not self._line.book.is_active(unwanted):
                self.held.drop(unwanted)
                self._parts.discard(unwanted)
                self._do(events.DeleteFiles(unwanted))

    def _take_state(self, answer: Answer) -> None:
        """Take what an answer says of the rest of the job: where outputs and the input are."""
        self.held.heard(answer.held_seen)
        if answer.input_address != self._input_address:
            self._input_address = answer.input_address
            for attempt in self._attempts.values():
                attempt.retry_at = 0.0
        delta = answer.locations
        if delta is None or delta.version <= self._locations.version:
            return
        changed = self._locations.apply(delta)
        for attempt in self._attempts.values():
            if attempt.gathering is not None and attempt.gathering.step == delta.step:
                attempt.gathering.placed(self._locations, changed)

    def _not_answered(self, event: events.Refused | events.Unanswered, now: float) -> None:
        self._line.not_answered(event, now)

    # --- attempts: assigned, cancelled --------------------------------------------------

    def _assign(self, work: Any) -> None:
        if isinstance(work, (LoadProgram, RunMap, RunReduce)):
            attempt = self._attempts[work.attempt] = Attempt(work, self._now)
            self._tell(attempt, waiting=True)
            return
        error = ErrorInfo(
            kind="disruption", reason="InternalError", message=f"a worker cannot do {type(work).__name__}"
        )
        self._line.report(AttemptFailed(attempt=work.attempt, error=error))

    def _cancel(self, attempt: Attempt) -> None:
        if attempt.state == "running":
            attempt.move("kill")
            self._do(events.KillSlot(attempt.slot, attempt.id))
        elif attempt.state != "stopping":
            self._drop(attempt, AttemptCancelled(attempt=attempt.id))

    def _end_hanging(self, attempt: Attempt) -> None:
        """Kill a slot whose code hangs, once it has said where it is."""
        if attempt.state == "running":
            attempt.hangs = True
            attempt.move("kill")
            self._do(events.KillSlot(attempt.slot, attempt.id, ask=True))

    def _drop(self, attempt: Attempt, outcome: Outcome) -> None:
        """End an attempt that no slot process has."""
        self._do(events.StopFetching(attempt.id))
        attempt.move("drop")
        self._end(attempt, outcome)

    def _end(self, attempt: Attempt, outcome: Outcome) -> None:
        """Report the end of an attempt, free its slot, and delete what is of no use any more."""
        del self._attempts[attempt.id]
        if attempt.slot >= 0:
            self._slots[attempt.slot] = None
        if isinstance(outcome, (MapPartSucceeded, ReduceSucceeded)):
            self._parts.add(attempt.id)
        if isinstance(outcome, (MapSucceeded, MapPartSucceeded, ReduceSucceeded)):
            self._do(events.ClearScratch(attempt.id))
        else:
            self._do(events.DeleteFiles(attempt.id))
        self._line.report(outcome, attempt.spent)

    # --- attempts: input and segments ---------------------------------------------------

    def _input_arrived(self, event: events.InputArrived, now: float) -> None:
        attempt = self._attempts.get(event.attempt)
        if attempt is None or attempt.state != "fetching" or not isinstance(attempt.work, RunMap):
            return
        attempt.fetching = False
        self._run(attempt, event.input)

    def _input_unreachable(self, event: events.InputUnreachable, now: float) -> None:
        attempt = self._attempts.get(event.attempt)
        if attempt is not None and attempt.state == "fetching":
            attempt.fetching = False
            attempt.retry_at = now + INPUT_RETRY

    def _fetch_failed(self, event: events.FetchFailed, now: float) -> None:
        attempt = self._attempts.get(event.attempt)
        if attempt is not None and attempt.state in ("fetching", "gathering"):
            self._drop(attempt, AttemptFailed(attempt=attempt.id, error=event.error))

    def _segments_arrived(self, event: events.SegmentsArrived, now: float) -> None:
        attempt = self._attempts.get(event.attempt)
        if attempt is None or attempt.gathering is None or attempt.state != "gathering":
            return
        complaint = attempt.gathering.fetched(self._locations, event, now)
        if complaint is not None:
            self._line.report(complaint)

    # --- attempts: in a slot ------------------------------------------------------------

    def _slot_awaited(self, event: events.SlotAwaited, now: float) -> None:
        if attempt := self._attempts.get(event.attempt):
            self._tell(attempt, waiting=True)

    def _progressed(self, event: events.Progressed, now: float) -> None:
        if attempt := self._attempts.get(event.attempt):
            self._tell(attempt, records=event.records, size=event.size, marks=event.marks)

    def _measured(self, event: events.Measured, now: float) -> None:
        if attempt := self._attempts.get(event.attempt):
            attempt.measured(event.spent)

    def _usage_seen(self, event: events.UsageSeen, now: float) -> None:
        self._usage = event.usage

    def _ended_in_slot(self, event: events.Loaded | events.MapPartDone | events.Broke, now: float) -> None:
        self._finish(event.attempt, outcome_of(event))

    def _map_done(self, event: events.MapDone, now: float) -> None:
        if self._finish(event.attempt, MapSucceeded(output=event.output, records=event.records)):
            self.held.keep(event.output)

    def _reduce_done(self, event: events.ReduceDone, now: float) -> None:
        attempt = self._attempts.get(event.attempt)
        if attempt is None or attempt.gathering is None:
            return
        outcome = ReduceSucceeded(
            attempt=event.attempt,
            checksum=event.checksum,
            rows=event.rows,
            size=event.size,
            consumed=attempt.gathering.digest(),
            counters=event.counters,
            spills=event.spills,
        )
        self._finish(event.attempt, outcome)

    def _segment_spoiled(self, event: events.SegmentSpoiled, now: float) -> None:
        attempt = self._attempts.get(event.attempt)
        if attempt is None or attempt.gathering is None:
            return
        if attempt.state == "stopping":
            attempt.hangs = False
            self._finish(event.attempt, AttemptCancelled(attempt=event.attempt))
            return
        attempt.move("regather")
        attempt.waits_since = now
        self._tell(attempt, waiting=True)
        complaint = attempt.gathering.spoiled(self._locations, event)
        if complaint is not None:
            self._line.report(complaint)

    def _slot_died(self, event: events.SlotDied, now: float) -> None:
        attempt = self._attempts.get(event.attempt)
        if attempt is None:
            return
        error = hang(event) if attempt.hangs else death(event, attempt.work)
        self._finish(event.attempt, AttemptFailed(attempt=event.attempt, error=error))

    def _finish(self, name: AttemptId, outcome: Outcome) -> bool:
        """End an attempt that a slot had; returns whether `outcome` is what is reported."""
        attempt = self._attempts.get(name)
        if attempt is None:
            return False
        # One that hung and ended all the same has ended.
        cancelled = attempt.state == "stopping" and not attempt.hangs
        attempt.move("finish")
        self._end(attempt, AttemptCancelled(attempt=name) if cancelled else outcome)
        return not cancelled

    # --- the process --------------------------------------------------------------------

    def _terminate(self, event: events.Terminated, now: float) -> None:
        error = self._line.terminate(event, now)
        if error is None:
            return
        for attempt in list(self._attempts.values()):
            if attempt.state not in ("running", "stopping"):
                self._drop(attempt, AttemptFailed(attempt=attempt.id, error=error))

    def _ticked(self, event: events.Ticked, now: float) -> None:
        self._line.ticked(now, idle=self._idle())

    def _idle(self) -> bool:
        """Tell whether this worker runs nothing, holds nothing, and has nothing left to say."""
        return not (self._attempts or self.held.outputs or self._parts or self._line.book.unacknowledged())

    def _crashed(self, event: events.Crashed, now: float) -> None:
        self._line.exit(1, f"a defect of the worker: {event.message}")

    # --- what follows from the state ----------------------------------------------------

    def _advance(self, now: float) -> None:
        """Begin whatever can begin: attempts in free slots, fetches that are due."""
        if self._line.exiting:
            return
        for attempt in list(self._attempts.values()):
            if attempt.state == "queued":
                self._begin(attempt)
            if attempt.state == "fetching":
                self._fetch_input(attempt, now)
            if attempt.state == "gathering":
                self._gather(attempt, now)

    def _begin(self, attempt: Attempt) -> None:
        if None not in self._slots:
            return
        attempt.slot = self._slots.index(None)
        self._slots[attempt.slot] = attempt.id
        self._tell(attempt, waiting=True)
        work = attempt.work
        if isinstance(work, RunReduce):
            attempt.gathering = Gathering(work.attempt.task.step, work.partition, work.maps, work.range)
            attempt.gathering.placed(self._locations, self._locations.known(work.attempt.task.step))
            attempt.move("gather")
        elif isinstance(work, RunMap) and not self._direct:
            attempt.move("fetch")
        else:
            self._run(attempt, None)

    def _fetch_input(self, attempt: Attempt, now: float) -> None:
        work = attempt.work
        if attempt.fetching or not self._input_address or now < attempt.retry_at or not isinstance(work, RunMap):
            return
        attempt.fetching = True
        self._do(events.FetchInput(attempt.id, self._input_address, work.ticket, work.split))

    def _gather(self, attempt: Attempt, now: float) -> None:
        work, gathering = attempt.work, attempt.gathering
        if gathering is None or not isinstance(work, RunReduce):
            return
        for fetch, holder, request in gathering.begin(self._locations, self._numbers, now):
            self._do(events.FetchSegments(attempt.id, fetch, holder, work.ticket, request))
        if gathering.complete:
            self._do(events.StopFetching(attempt.id))
            self._run(attempt, None)

    def _run(self, attempt: Attempt, fetched: events.FetchedInput | None) -> None:
        attempt.move("run")
        attempt.waited(self._now)
        self._tell(attempt)
        self._do(slot_task(attempt, fetched))

    def _speak(self, now: float) -> None:
        """Send what is due to the master."""
        if serial := self._line.next_register(now):
            held, total = self.held.announce()
            self._line.register(serial, held=held, held_total=total)
        if serial := self._line.next_exchange(now):
            busy = len(self._attempts)
            self._line.exchange(
                serial,
                free_slots=0 if self._line.terminated else max(0, len(self._slots) - busy),
                locations_seen=self._locations.version,
                held_from=self.held.seen,
                held=self.held.page(),
                usage=self._usage,
            )

    def _tell(
        self, attempt: Attempt, *, records: int = 0, size: int = 0, marks: int = 0, waiting: bool = False
    ) -> None:
        """Note how far an attempt is, for the next exchange."""
        self._line.book.progress(
            Progress(attempt=attempt.id, records=records, size=size, waiting=waiting, marks=marks, slot=attempt.slot)
        )

    def _do(self, command: events.Command) -> None:
        self._commands.append(command)


_HANDLERS: Final[dict[type, Callable[[WorkerCore, Any, float], None]]] = {
    events.SessionOpened: WorkerCore._session_opened,
    events.Answered: WorkerCore._answered,
    events.Refused: WorkerCore._not_answered,
    events.Unanswered: WorkerCore._not_answered,
    events.InputArrived: WorkerCore._input_arrived,
    events.InputUnreachable: WorkerCore._input_unreachable,
    events.FetchFailed: WorkerCore._fetch_failed,
    events.SegmentsArrived: WorkerCore._segments_arrived,
    events.SlotAwaited: WorkerCore._slot_awaited,
    events.Progressed: WorkerCore._progressed,
    events.Measured: WorkerCore._measured,
    events.UsageSeen: WorkerCore._usage_seen,
    events.Loaded: WorkerCore._ended_in_slot,
    events.MapDone: WorkerCore._map_done,
    events.MapPartDone: WorkerCore._ended_in_slot,
    events.ReduceDone: WorkerCore._reduce_done,
    events.Broke: WorkerCore._ended_in_slot,
    events.SegmentSpoiled: WorkerCore._segment_spoiled,
    events.SlotDied: WorkerCore._slot_died,
    events.Terminated: WorkerCore._terminate,
    events.Crashed: WorkerCore._crashed,
    events.Ticked: WorkerCore._ticked,
}
