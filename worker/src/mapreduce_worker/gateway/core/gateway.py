"""The gateway's core: which storage operation runs when, what is journalled, what the master is told.

`handle(event, now)` returns the commands to carry out, in their order. Operations are begun in the
order in which they were assigned; parts may be staged side by side, while opening, publishing and
cleaning run alone. Neighbours: `operations.py` (events, commands, states);
`mapreduce_worker.core.line` (the line to the master, shared with the worker's core); `shell.py` carries the
commands out, with `storage.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

from mapreduce.history import Frame
from mapreduce.ids import AttemptId
from mapreduce.protocol import (
    Answer,
    AttemptCancelled,
    AttemptFailed,
    ErrorInfo,
    MakePlan,
    Opened,
    Outcome,
    Progress,
    Published,
    PublishOutput,
    Register,
    StagePart,
)
from mapreduce_worker.core import events
from mapreduce_worker.core.exchange import ends
from mapreduce_worker.core.line import Line
from mapreduce_worker.gateway.core.operations import (
    ALONE,
    Abandon,
    AppendBroke,
    Appended,
    AppendFrames,
    Begin,
    Broke,
    Command,
    Event,
    Moved,
    Operation,
    Reported,
    State,
    Work,
)

STAGES_AT_ONCE: Final = 4
APPEND_RETRY: Final = 1.0
"""Seconds before a journal append that failed is tried again; also the pause between two exchanges
while frames wait to be written, which the master would else answer at once, again and again."""


class GatewayCore:
    """One gateway of one job, from its first registration to its end.

    `identity` is what it says of itself when it registers, without what it runs. `random` gives
    numbers in [0, 1).
    """

    def __init__(self, identity: Register, random: Callable[[], float]) -> None:
        self._line = Line(identity, random, itertools.count(1), self._do)
        self._operations: dict[AttemptId, Operation] = {}
        self._open = False
        self._written = 0
        self._frames: dict[int, Frame] = {}
        self._appending = False
        self._append_after = 0.0
        self._trouble = ""
        self._lost = False
        self._exchange_after = 0.0
        self._news = False
        self._commands: list[Command] = []

    @property
    def epoch(self) -> int:
        """The highest epoch that was seen."""
        return self._line.book.epoch

    @property
    def journal_written(self) -> int:
        """The highest journal sequence of the current epoch that is durable."""
        return self._written

    @property
    def operations(self) -> dict[AttemptId, State]:
        """The operations that have not ended, and their states."""
        return {attempt: operation.state for attempt, operation in self._operations.items()}

    def handle(self, event: Event, now: float) -> tuple[Command, ...]:
        """Take one event at `now`, in seconds of this gateway's monotonic clock."""
        self._commands = []
        if not self._line.exiting:
            _HANDLERS[type(event)](self, event, now)
            self._append(now)
            self._begin()
            self._speak(now)
        return tuple(self._commands)

    # --- the master -----------------------------------------------------------------------

    def _session_opened(self, event: events.SessionOpened, now: float) -> None:
        before = self.epoch
        if not self._line.opened(event, now):
            return
        if event.body.epoch > before:
            self._fence()

    def _fence(self) -> None:
        """A newer master began: what an older one asked for ends, and its frames are not written any more."""
        self._close_journal()
        self._trouble, self._lost = "", False
        for operation in list(self._operations.values()):
            self._cancel(operation)

    def _answered(self, event: events.Answered, now: float) -> None:
        fresh = self._line.answered(event, now)
        if fresh is None:
            return
        for work in fresh.assignments:
            self._assign(work)
        for cancelled in fresh.cancellations:
            if operation := self._operations.get(cancelled):
                self._cancel(operation)
        self._take_frames(event.body, now)

    def _take_frames(self, answer: Answer, now: float) -> None:
        """Keep the frames to be written; the next exchange waits until they are, or for a while."""
        for frame in answer.journal:
            if frame.epoch == self._line.book.epoch and frame.sequence > self._written:
                self._frames[frame.sequence] = frame
        if self._frames:
            self._exchange_after = now + APPEND_RETRY

    def _not_answered(self, event: events.Refused | events.Unanswered, now: float) -> None:
        self._line.not_answered(event, now)

    # --- operations -----------------------------------------------------------------------

    def _assign(self, work: Any) -> None:
        if isinstance(work, Work) and work.attempt.epoch == self._line.book.epoch:
            self._operations[work.attempt] = Operation(work)
            return
        message = f"a gateway in epoch {self._line.book.epoch} cannot do {type(work).__name__} {work.attempt}"
        error = ErrorInfo(kind="disruption", reason="InternalError", message=message)
        self._report(AttemptFailed(attempt=work.attempt, error=error))

    def _cancel(self, operation: Operation) -> None:
        if operation.state == "running":
            operation.move("abandon")
            self._do(Abandon(operation.work.attempt))
        elif operation.state == "queued":
            operation.move("drop")
            self._end(operation, AttemptCancelled(attempt=operation.work.attempt))

    def _reported(self, event: Reported, now: float) -> None:
        operation = self._operations.get(event.attempt)
        if operation is None:
            return
        for outcome in event.outcomes:
            if not ends(outcome):
                self._report(outcome)
                continue
            operation.move("end")
            self._note_result(outcome, event)
            self._end(operation, outcome)
            return

    def _note_result(self, outcome: Outcome, event: Reported) -> None:
        current = event.attempt.epoch == self._line.book.epoch
        if isinstance(outcome, Opened) and current:
            self._open = not outcome.published
            self._trouble, self._lost = "", False
            self._written = max(self._written, event.journal_written)
        elif isinstance(outcome, Published):
            self._open = False

    def _broke(self, event: Broke, now: float) -> None:
        operation = self._operations.get(event.attempt)
        if operation is None:
            return
        unwanted = operation.state == "abandoned"
        operation.move("end")
        if unwanted:
            self._end(operation, AttemptCancelled(attempt=event.attempt))
        else:
            self._end(operation, AttemptFailed(attempt=event.attempt, error=event.error))

    def _moved(self, event: Moved, now: float) -> None:
        self._line.book.progress(Progress(attempt=event.attempt, records=event.records, size=event.size))

    def _end(self, operation: Operation, outcome: Outcome) -> None:
        del self._operations[operation.work.attempt]
        self._report(outcome)

    def _report(self, outcome: Outcome) -> None:
        self._news = True
        self._line.report(outcome)

    # --- the journal ----------------------------------------------------------------------

    def _appended(self, event: Appended, now: float) -> None:
        self._appending = False
        if event.epoch != self._line.book.epoch:
            return
        self._trouble = ""
        self._written = max(self._written, event.through)
        self._frames = {number: frame for number, frame in self._frames.items() if number > self._written}
        self._news = True
        self._line.tell()

    def _append_broke(self, event: AppendBroke, now: float) -> None:
        self._appending = False
        if event.epoch != self._line.book.epoch:
            return
        if event.lost:
            self._close_journal()
            self._lost = True
        else:
            self._append_after = now + APPEND_RETRY
            if event.message == self._trouble:
                return
        self._trouble = event.message
        self._news = True
        self._line.tell()

    def _close_journal(self) -> None:
        """Write no more until the output is opened again; what waited comes again from the master."""
        self._open = False
        self._written = 0
        self._frames.clear()

    def _append(self, now: float) -> None:
        """Write the frames that follow what is written without a gap."""
        if not self._open or self._appending or now < self._append_after or self._runs_alone():
            return
        frames: list[Frame] = []
        while (number := self._written + 1 + len(frames)) in self._frames:
            frames.append(self._frames[number])
        if frames:
            self._appending = True
            self._do(AppendFrames(self._line.book.epoch, tuple(frames)))

    def _runs_alone(self) -> bool:
        """Tell whether an operation runs that nothing else may run beside."""
        return any(
            operation.state in ("running", "abandoned") and isinstance(operation.work, ALONE)
            for operation in self._operations.values()
        )

    # --- the process ----------------------------------------------------------------------

    def _terminate(self, event: events.Terminated, now: float) -> None:
        error = self._line.terminate(event, now)
        if error is None:
            return
        for operation in list(self._operations.values()):
            if operation.state == "queued":
                operation.move("drop")
                self._end(operation, AttemptFailed(attempt=operation.work.attempt, error=error))

    def _ticked(self, event: events.Ticked, now: float) -> None:
        self._line.ticked(now, idle=self._idle())

    def _idle(self) -> bool:
        """Tell whether nothing runs and the master knows all that ended: its successor may begin at once."""
        return not self._operations and not self._appending and not self._line.book.unacknowledged()

    # --- what follows from the state --------------------------------------------------------

    def _begin(self) -> None:
        """Begin what can begin, in the order in which it was assigned."""
        if self._line.exiting:
            return
        waiting_alone = False
        for operation in list(self._operations.values()):
            work = operation.work
            if operation.state == "queued" and not (waiting_alone and not isinstance(work, MakePlan)):
                if self._may_begin(work):
                    operation.move("begin")
                    self._do(Begin(work))
                else:
                    waiting_alone = waiting_alone or isinstance(work, ALONE)

    def _may_begin(self, work: Work) -> bool:
        begun = [operation.work for operation in self._operations.values() if operation.state != "queued"]
        beside = [other for other in begun if not isinstance(other, MakePlan)]
        match work:
            case MakePlan():
                return len(begun) == len(beside)
            case StagePart():
                stages = sum(isinstance(other, StagePart) for other in beside)
                return self._open and stages == len(beside) and stages < STAGES_AT_ONCE
            case PublishOutput():
                return not beside and not self._appending and self._written >= work.journal_through
            case _:
                return not beside and not self._appending

    def _speak(self, now: float) -> None:
        """Send what is due to the master."""
        if serial := self._line.next_register(now):
            self._line.register(serial)
        if self._frames and not self._news and now < self._exchange_after:
            return
        if serial := self._line.next_exchange(now):
            self._news = False
            self._line.exchange(
                serial, journal_written=self._written, journal_trouble=self._trouble, journal_lost=self._lost
            )

    def _do(self, command: Command) -> None:
        self._commands.append(command)


_HANDLERS: Final[dict[type, Callable[[GatewayCore, Any, float], None]]] = {
    events.SessionOpened: GatewayCore._session_opened,
    events.Answered: GatewayCore._answered,
    events.Refused: GatewayCore._not_answered,
    events.Unanswered: GatewayCore._not_answered,
    events.Terminated: GatewayCore._terminate,
    events.Ticked: GatewayCore._ticked,
    Reported: GatewayCore._reported,
    Broke: GatewayCore._broke,
    Moved: GatewayCore._moved,
    Appended: GatewayCore._appended,
    AppendBroke: GatewayCore._append_broke,
}
