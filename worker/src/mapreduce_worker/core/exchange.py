"""The book-keeping of the exchange with the master, shared by the worker's and the gateway's core.

It knows which attempts this process has or has had, which reports the master has not
acknowledged, and the last answer that was handled; so lost, late and repeated messages change
nothing. Neighbours: `line.py`, which owns one `ExchangeBook`. The rules are those of `docs/protocol.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from mapreduce.errors import ProtocolError
from mapreduce.ids import AttemptId
from mapreduce.protocol import (
    WORKER_BODY,
    Answer,
    Assignment,
    Exchange,
    JournalPage,
    MapOutput,
    MapSucceeded,
    Outcome,
    PlanPageMade,
    Progress,
    Report,
    SegmentsLost,
    Spent,
    Usage,
    encode,
)

NOTHING: Final = Spent()

REPORT_ROOM = WORKER_BODY // 2
"""Bytes of reports in one exchange; the rest of the body is for a page of held outputs (a quarter)
and the attempts that run."""

MAPS_IN_REPORT = 10_000
"""Maps in one complaint; more of them are several reports."""


def attempt_of(outcome: Outcome) -> AttemptId:
    """Return the attempt that a report is about."""
    return outcome.output.attempt if isinstance(outcome, MapSucceeded) else outcome.attempt


def ends(outcome: Outcome) -> bool:
    """Tell whether the report is the last of its attempt."""
    return not isinstance(outcome, (PlanPageMade, JournalPage, SegmentsLost))


class Fresh(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says that was not known before.

    assignments: of attempts that this process never had. cancellations: of attempts that it
    has now and that have not ended. acknowledged: the outcomes that the master has applied.
    """

    assignments: tuple[Assignment, ...] = ()
    cancellations: tuple[AttemptId, ...] = ()
    acknowledged: tuple[Outcome, ...] = ()


class ExchangeBook:
    """Attempts, reports and answers of one process, over all its sessions.

    `epoch` is the highest that was ever seen. `seen` is the last answer handled in this session.
    """

    def __init__(self, room: int = REPORT_ROOM) -> None:
        self.epoch = 0
        self.seen = 0
        self._room = room
        self._number = 0
        self._reports: dict[int, tuple[Report, int]] = {}
        self._active: dict[AttemptId, Progress] = {}
        self._ended: dict[AttemptId, Progress] = {}
        self._known: set[AttemptId] = set()

    # --- sessions -----------------------------------------------------------------------

    def registered(self, epoch: int) -> None:
        """Begin a session; raises `ProtocolError` for an epoch lower than the highest seen."""
        if epoch < self.epoch:
            raise ProtocolError(f"the master's epoch {epoch} is older than {self.epoch}, which was seen already")
        if epoch > self.epoch:
            # A new master never repeats an attempt of an older one, so those can be forgotten.
            self._known = set(self.running())
        self.epoch = epoch
        self.seen = 0

    # --- attempts and reports -----------------------------------------------------------

    @property
    def active(self) -> tuple[AttemptId, ...]:
        """The attempts that have not ended."""
        return tuple(self._active)

    def running(self) -> tuple[AttemptId, ...]:
        """The attempts that `Register` names: active, or with a final report not acknowledged."""
        return (*self._active, *self._ended)

    def is_active(self, attempt: AttemptId) -> bool:
        """Tell whether this process has the attempt and it has not ended."""
        return attempt in self._active

    def adopt(self, attempt: AttemptId) -> bool:
        """Take an attempt; returns False if this process has or has had it."""
        if attempt in self._known:
            return False
        self._known.add(attempt)
        self._active[attempt] = Progress(attempt=attempt)
        return True

    def progress(self, progress: Progress) -> None:
        """Note how far an attempt is; ignored once it has ended."""
        if progress.attempt in self._active:
            self._active[progress.attempt] = progress

    def report(self, outcome: Outcome, spent: Spent = NOTHING) -> bool:
        """Keep a report until it is acknowledged; returns False if its attempt has ended already."""
        attempt = attempt_of(outcome)
        if attempt not in self._active:
            return False
        if isinstance(outcome, SegmentsLost) and len(outcome.maps) > MAPS_IN_REPORT:
            for first in range(0, len(outcome.maps), MAPS_IN_REPORT):
                self.report(msgspec.structs.replace(outcome, maps=outcome.maps[first : first + MAPS_IN_REPORT]))
            return True
        self._number += 1
        report = Report(number=self._number, outcome=outcome, spent=spent)
        self._reports[self._number] = (report, len(encode(report)))
        if ends(outcome):
            self._ended[attempt] = self._active.pop(attempt)
        return True

    def unacknowledged(self) -> tuple[Report, ...]:
        """Return every kept report, oldest first."""
        return tuple(report for report, _ in self._reports.values())

    # --- messages -----------------------------------------------------------------------

    def exchange(  # noqa: PLR0913 - the fields of one message
        self,
        *,
        free_slots: int = 0,
        locations_seen: int = 0,
        journal_written: int = 0,
        journal_trouble: str = "",
        journal_lost: bool = False,
        held_from: int = 0,
        held: tuple[MapOutput, ...] = (),
        draining: bool = False,
        usage: Usage | None = None,
    ) -> Exchange:
        """Return the next message: everything that is so now, and the oldest reports that fit."""
        return Exchange(
            epoch=self.epoch,
            seen=self.seen,
            running=(*self._active.values(), *self._ended.values()),
            reports=tuple(self._fitting()),
            free_slots=free_slots,
            locations_seen=locations_seen,
            journal_written=journal_written,
            journal_trouble=journal_trouble,
            journal_lost=journal_lost,
            held_from=held_from,
            held=held,
            draining=draining,
            usage=usage,
        )

    def answered(self, answer: Answer, *, accepting: bool = True) -> Fresh | None:
        """Handle an answer of this session; None for one that is old, repeated or of another epoch.

        An answer that overtook an older one repeats what that one assigned, so the older one
        can be dropped. A process that is not `accepting` leaves the assignments alone: seen but
        not running, they go back to waiting.
        """
        if answer.epoch != self.epoch or answer.number <= self.seen:
            return None
        self.seen = answer.number
        acknowledged = self._acknowledge(answer.acknowledged)
        return Fresh(
            assignments=tuple(new for new in answer.assignments if accepting and self.adopt(new.attempt)),
            cancellations=tuple(attempt for attempt in answer.cancellations if attempt in self._active),
            acknowledged=acknowledged,
        )

    def _fitting(self) -> Iterable[Report]:
        room = self._room
        for position, (report, size) in enumerate(self._reports.values()):
            if position and size > room:
                return
            room -= size
            yield report

    def _acknowledge(self, through: int) -> tuple[Outcome, ...]:
        done = []
        for number in [number for number in self._reports if number <= through]:
            outcome = self._reports.pop(number)[0].outcome
            done.append(outcome)
            if ends(outcome):
                self._ended.pop(attempt_of(outcome), None)
        return tuple(done)
