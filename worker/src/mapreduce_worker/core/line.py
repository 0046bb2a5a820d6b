"""The line to the master, as the worker's and the gateway's core both have it.

Registration, exchange, refusals, the order to stop, and when to give up. What a message is about
is the owner's business: it says what goes into one, and is told what is fresh in an answer.
Neighbours: `link.py` (when to speak), `exchange.py` (attempts, reports, answers); `worker.py` and
`mapreduce_worker.gateway.core`, which own one `Line` each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from mapreduce.errors import ProtocolError
from mapreduce.protocol import ErrorInfo, Outcome, Register, Spent
from mapreduce_worker.core import events
from mapreduce_worker.core.exchange import NOTHING, ExchangeBook, Fresh
from mapreduce_worker.core.link import Link

BEFORE_KILL: Final = 1.0
"""Seconds before it would be killed at which a process that was told to stop ends by itself."""

LineCommand = events.SendRegister | events.SendExchange | events.Exit


class Line:
    """One process's side of the protocol, from its first registration to its end.

    `identity` is what it says of itself when it registers; `random` gives numbers in [0, 1);
    `do` takes the commands that the line asks for, in their order.
    """

    def __init__(
        self,
        identity: Register,
        random: Callable[[], float],
        numbers: Iterator[int],
        do: Callable[[LineCommand], None],
    ) -> None:
        self.book = ExchangeBook()
        self.exiting = False
        self._identity = identity
        self._link = Link(random, numbers)
        self._do = do
        self._leave_at: float | None = None

    @property
    def terminated(self) -> bool:
        """Whether this process was told to stop."""
        return self._leave_at is not None

    # --- what the master says -----------------------------------------------------------

    def opened(self, event: events.SessionOpened, now: float) -> bool:
        """Begin a session; False if it is not the one that was asked for, or of an old master."""
        if not self._link.awaits(event.serial):
            return False
        try:
            self.book.registered(event.body.epoch)
        except ProtocolError:
            # An old master that does not know yet that it was replaced: ask again later.
            self._link.lost(event.serial, now)
            return False
        self._link.opened(event.body, now)
        return True

    def answered(self, event: events.Answered, now: float) -> Fresh | None:
        """Take in an answer; return what it says that was not known, None for one that counts no more."""
        if not self._link.answered(event.serial, event.body.beat, now):
            return None
        if event.body.finished:
            self.exit(0, "the job is over")
            return None
        return self.book.answered(event.body, accepting=not self.terminated)

    def not_answered(self, event: events.Refused | events.Unanswered, now: float) -> None:
        """Take in that a message was refused, or got no answer."""
        if isinstance(event, events.Unanswered):
            self._link.lost(event.serial, now)
            return
        who = self._identity.role
        match event.status:
            case 401:
                self._link.expired(event.serial)
            case 409:
                self._link.released(event.serial, now)
            case 410:
                self.exit(0, f"the master does not want this {who}: {event.message}")
            case 400 | 403 | 426:
                self.exit(1, f"the master refused this {who} ({event.status} {event.reason}): {event.message}")
            case _:
                self._link.lost(event.serial, now)

    # --- what is to be said -------------------------------------------------------------

    def tell(self) -> None:
        """Note that there is something to say at once."""
        self._link.tell()

    def report(self, outcome: Outcome, spent: Spent = NOTHING) -> None:
        """Keep a report until the master has applied it, and send it at once."""
        self.book.report(outcome, spent)
        self._link.tell()

    def next_register(self, now: float) -> int:
        """Return the number of a registration to send now, or 0."""
        return 0 if self.exiting else self._link.next_register(now)

    def register(self, serial: int, **fields: Any) -> None:
        """Send a registration; `fields` are those that neither identity nor book knows."""
        body = msgspec.structs.replace(self._identity, running=self.book.running(), **fields)
        self._do(events.SendRegister(serial, body))

    def next_exchange(self, now: float) -> int:
        """Return the number of an exchange to send now, or 0."""
        return 0 if self.exiting else self._link.next_exchange(now)

    def exchange(self, serial: int, **fields: Any) -> None:
        """Send an exchange; `fields` are those that the book does not know."""
        body = self.book.exchange(draining=self.terminated, **fields)
        self._do(events.SendExchange(serial, self._link.session, body, self._link.patience))

    # --- the process --------------------------------------------------------------------

    def terminate(self, event: events.Terminated, now: float) -> ErrorInfo | None:
        """Note SIGTERM; return with what everything ends that was not begun, None for a second one."""
        if self.terminated:
            return None
        self._leave_at = now + max(0.0, event.grace - BEFORE_KILL)
        self.tell()
        message = f"the {self._identity.role} was told to stop"
        return ErrorInfo(kind="disruption", reason="WorkerLost", message=message)

    def ticked(self, now: float, *, idle: bool = False) -> None:
        """Exit if it is time; `idle`: a process that was told to stop need not wait any longer."""
        if self._leave_at is not None and (idle or now >= self._leave_at):
            self.exit(0, f"the {self._identity.role} was told to stop")
        elif self._link.given_up(now):
            self.exit(1, f"no word from the master for {self._link.timing.worker_without_master:.0f} s")

    def exit(self, status: int, message: str) -> None:
        """End the process; nothing is said any more."""
        self.exiting = True
        self._do(events.Exit(status, message))
