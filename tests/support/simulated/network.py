"""A network that drops, delays and repeats requests and answers, by chance or because a link is cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from tests.support.simulated.clock import Clock
from tests.support.simulated.toy import flip

MESSAGES: Final = "messages lost, repeated or late"
PART: Final = "corrupted part"


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How bad the network is: chances per message, and the longest usual delay in seconds."""

    drop: float = 0.0
    repeat: float = 0.0
    slow: float = 0.0
    """The chance of a delay of several seconds."""
    delay: float = 0.02
    spoil: float = 0.0
    """The chance that a bit of a part flips while it is fetched, or that segments break off."""


class Network:
    """Carries messages between named places; `cut` pairs hear nothing of one another."""

    def __init__(self, clock: Clock, weather: Weather, hit: Callable[[str], None]) -> None:
        """`hit` is told of each message that meets bad weather."""
        self._clock = clock
        self._hit = hit
        self.weather = weather
        self._cut: Counter[frozenset[str]] = Counter()

    def cut(self, one: str, other: str, seconds: float) -> None:
        """Cut the link between two places for so long."""
        link = frozenset((one, other))
        self._cut[link] += 1
        self._clock.after(seconds, lambda: self._cut.subtract([link]))

    def heal(self) -> None:
        """Mend every cut, for good."""
        self._cut.clear()

    def send(self, source: str, target: str, deliver: Callable[[], None]) -> bool:
        """Deliver later, perhaps twice, perhaps never; returns whether it is under way at all."""
        chance, weather = self._clock.chance, self.weather
        if self._cut[frozenset((source, target))] > 0:
            return False
        if chance.random() < weather.drop:
            self._hit(MESSAGES)
            return False
        copies = 2 if chance.random() < weather.repeat else 1
        for copy in range(copies):
            delay = chance.uniform(0.001, weather.delay)
            late = chance.random() < weather.slow
            if late:
                delay += chance.uniform(1, 8)
            if late or copy:
                self._hit(MESSAGES)
            self._clock.after(delay, deliver)
        return True

    def carry(self, data: bytes) -> bytes:
        """Return what arrives of some bytes: now and then a bit of them has flipped."""
        chance = self._clock.chance
        if not data or not self.spoils():
            return data
        return flip(data, chance)

    def spoils(self) -> bool:
        """Tell whether a bit of what is carried now flips."""
        return self._clock.chance.random() < self.weather.spoil

    def break_off(self, count: int) -> int:
        """Return how many of the things that one answer carries arrive: now and then not all."""
        chance = self._clock.chance
        return count if chance.random() >= self.weather.spoil else chance.randrange(count)
