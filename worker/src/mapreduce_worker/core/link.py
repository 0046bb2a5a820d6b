"""The worker's side of the line to the master: when to register, exchange, wait, give up.

A small state machine inside `line.py`'s `Line`, which says what is in a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from mapreduce.protocol import Registered
from mapreduce.spec import Timing

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
PATIENCE: Final = 5.0
"""Seconds beyond the beat after which an exchange counts as unanswered; beat and patience
together stay well below the lease, so that one hung connection does not cost it."""
IN_FLIGHT: Final = 2
"""One exchange is parked at the master, one with news releases it."""


class Link:
    """The session, the messages under way, and the pause before the next.

    `random` gives numbers in [0, 1): it spreads the retries of many workers.
    """

    def __init__(self, random: Callable[[], float], numbers: Iterator[int]) -> None:
        self.session = ""
        self.timing = Timing()
        self.beat = self.timing.beat
        self._random = random
        self._numbers = numbers
        self._registering = 0
        self._in_flight: set[int] = set()
        self._failures = 0
        self._not_before = 0.0
        self._last_contact: float | None = None
        self._news = False

    @property
    def patience(self) -> float:
        """Seconds to wait for the answer of an exchange."""
        return self.beat + PATIENCE

    def tell(self) -> None:
        """Note that there is something to report at once."""
        self._news = True

    def awaits(self, serial: int) -> bool:
        """Tell whether `serial` is the registration under way."""
        return serial == self._registering

    def opened(self, body: Registered, now: float) -> None:
        """A session began."""
        self.session, self.timing, self.beat = body.session, body.timing, body.timing.beat
        self._registering = 0
        self._in_flight.clear()
        self._news = True
        self._well(now)

    def answered(self, serial: int, beat: float, now: float) -> bool:
        """Note an answer; returns False if it is of an older session, or of an exchange whose
        place was taken by one that was answered already."""
        if serial not in self._in_flight:
            return False
        self._in_flight = {other for other in self._in_flight if other > serial}
        self.beat = beat
        self._well(now)
        return True

    def lost(self, serial: int, now: float) -> bool:
        """A message got no answer that helps; returns False for one of an older session."""
        if serial == self._registering:
            self._registering = 0
        elif serial in self._in_flight:
            self._in_flight.discard(serial)
            if self._in_flight:
                # The newer exchange carries everything that this one did.
                return True
        else:
            return False
        self._failures += 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
        self._not_before = now + pause * (0.5 + 0.5 * self._random())
        return True

    def released(self, serial: int, now: float) -> bool:
        """The master answered 409: a newer exchange took this one's place, or nothing did."""
        self._last_contact = now
        return self.lost(serial, now)

    def expired(self, serial: int) -> bool:
        """The session is unknown to the master; returns False if it is not this session."""
        if serial not in self._in_flight and serial != self._registering:
            return False
        self.session = ""
        self._registering = 0
        self._in_flight.clear()
        return True

    def given_up(self, now: float) -> bool:
        """Tell whether the master has been away for longer than a worker waits."""
        if self._last_contact is None:
            self._last_contact = now
        return now - self._last_contact > self.timing.worker_without_master

    def next_register(self, now: float) -> int:
        """Return the number of a registration to send now, or 0."""
        if self.session or self._registering or now < self._not_before:
            return 0
        self._registering = next(self._numbers)
        return self._registering

    def next_exchange(self, now: float) -> int:
        """Return the number of an exchange to send now, or 0."""
        if not self.session or now < self._not_before or len(self._in_flight) >= IN_FLIGHT:
            return 0
        if self._in_flight and not self._news:
            return 0
        self._news = False
        serial = next(self._numbers)
        self._in_flight.add(serial)
        return serial

    def _well(self, now: float) -> None:
        self._failures = 0
        self._not_before = 0.0
        self._last_contact = now
