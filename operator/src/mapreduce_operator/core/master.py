"""The master of one job: a pure state machine that is told events and answers with commands.

`Master.handle(event, at)` takes the event in, lets the job take every step that is possible now,
and returns what to do, in order. Where to read on: `states.py` (the tables), `book.py` (what is
known), then by concern: `fleet.py`, `registration.py`, `exchange.py`, `reports.py`,
`scheduling.py`, `speculation.py`, `early.py`, `storage.py`, `phases.py`, `ending.py`. The only callers are
`mapreduce_operator.runtime` and the simulation.
"""

from __future__ import annotations

from typing import Final, Literal

from mapreduce.spec import JobSpec
from mapreduce_operator.core import (
    answers,
    early,
    ending,
    epochs,
    exchange,
    fleet,
    phases,
    registration,
    scheduling,
    speculation,
    status,
    storage,
    usage,
    wishes,
)
from mapreduce_operator.core.book import Book, MasterContext
from mapreduce_operator.core.entries import Failure
from mapreduce_operator.core.events import (
    Disconnected,
    EpochRead,
    Event,
    Exchanged,
    InputMissing,
    Instant,
    JobDeleted,
    JobsFound,
    Outcome,
    Refuse,
    SpecChanged,
    Ticked,
    WorkerChanged,
    WorkerClosed,
    WorkerNotStarted,
    WorkerRegistered,
    WorkersListed,
)
from mapreduce_operator.core.states import JobState

__all__ = ["Master", "MasterContext"]

STEPS: Final = 8
"""More rounds of steps than one event can cause; the phases are fewer."""


class Master:
    """The core of one job in one epoch."""

    def __init__(self, spec: JobSpec, context: MasterContext, epoch: int) -> None:
        self.book = Book(spec, context, epoch)
        self._last: float | None = None

    @property
    def next_incarnation(self) -> int:
        """The first incarnation for another master of this job in this epoch."""
        return self.book.next_incarnation

    def handle(self, event: Event, at: Instant) -> Outcome:
        """Take in one event; return what to do, in the order in which it must be done.

        Raises `InvalidTransition` for a defect of this package; the job is then beyond repair.
        """
        book = self.book
        self._notice(at)
        if book.deposed:
            _refuse(book, event, 409, "a newer master runs this job")
        elif book.ended:
            _refuse(book, event, 410, "the job is over")
        else:
            self._take_in(event)
            if not book.deposed:
                _settle(book)
        commands = tuple(book.commands)
        book.commands.clear()
        return Outcome(commands)

    def _notice(self, at: Instant) -> None:
        """Let the master's clock go on, but not over a pause of its process: in that time no worker
        could be heard, and none must be taken for silent."""
        book = self.book
        book.at = at
        if self._last is None:
            book.started_wall, book.active_since = at.wall, at.mono
            fleet.lay_seats(book)
            book.record("EpochOpened", message=f"epoch {book.epoch}", awaited=True)
            if book.spec.reducers < 1:
                book.fail("InvalidSpec", f"reducers is {book.spec.reducers}, but must be at least 1")
        else:
            book.now += min(max(0.0, at.mono - self._last), book.spec.timing.beat)
        self._last = at.mono

    def _take_in(self, event: Event) -> None:
        book = self.book
        match event:
            case Exchanged():
                exchange.exchanged(book, event)
            case WorkerRegistered():
                registration.registered(book, event)
            case Disconnected():
                exchange.disconnected(book, event.request)
            case Ticked():
                fleet.expire(book)
                phases.check_deadline(book)
                storage.check_journal(book)
                usage.sample(book)
                answers.beat(book)
            case JobDeleted():
                ending.delete(book)
            case SpecChanged():
                wishes.changed(book, event)
            case JobsFound():
                storage.judged(book, event)
            case InputMissing():
                book.input_problem = Failure(event.reason, event.message)
                if event.reason:
                    book.announce_once("Warning", event.reason, event.message)
            case _:
                _of_platform(book, event)


def _of_platform(book: Book, event: Event) -> None:
    match event:
        case WorkersListed():
            fleet.listed(book, event)
        case WorkerChanged():
            fleet.changed(book, event.worker)
        case WorkerNotStarted():
            if event.unanswered:
                ending.put_off(book)
            fleet.not_started(book, event)
        case WorkerClosed():
            fleet.closed(book, event)
        case EpochRead():
            epochs.read(book, event)
        case _:
            raise TypeError(f"not an event of the master: {event!r}")


def _settle(book: Book) -> None:
    """Take every step that can be taken, then answer and publish."""
    for _ in range(STEPS):
        before = (book.state, book.over, book.grace_over, book.ended, book.failure)
        phases.advance(book)
        if book.over:
            ending.advance(book)
        elif book.state is not JobState.SUSPENDED:
            storage.advance(book)
            scheduling.advance(book)
            speculation.advance(book)
            early.advance(book)
        if before == (book.state, book.over, book.grace_over, book.ended, book.failure):
            break
    if not book.ended:
        wishes.release(book)
        fleet.fill_seats(book)
        answers.send(book)
        status.publish(book)


def _refuse(book: Book, event: Event, status: Literal[409, 410], message: str) -> None:
    reason = "EpochOld" if status == 409 else "JobEnded"
    if isinstance(event, (Exchanged, WorkerRegistered)):
        book.commands.append(Refuse(request=event.request, status=status, reason=reason, message=message))
