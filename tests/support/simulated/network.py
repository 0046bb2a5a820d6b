"""A network that drops, delays and repeats requests and answers, by chance or because a link is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from tests.support.simulated.clock import Clock

Answer = TypeVar("Answer")


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

    def __init__(self, clock: Clock, weather: Weather) -> None:
        self._clock = clock
        self.weather = weather
        self._cut: set[frozenset[str]] = set()

    def cut(self, one: str, other: str) -> None:
        """Cut the link between two places."""
        self._cut.add(frozenset((one, other)))

    def heal(self) -> None:
        """Mend every cut."""
        self._cut.clear()

    def send(self, source: str, target: str, deliver: Callable[[], None]) -> bool:
        """Deliver later, perhaps twice, perhaps never; returns whether it is under way at all."""
        chance, weather = self._clock.chance, self.weather
        if frozenset((source, target)) in self._cut or chance.random() < weather.drop:
            return False
        copies = 2 if chance.random() < weather.repeat else 1
        for _ in range(copies):
            delay = chance.uniform(0.001, weather.delay)
            if chance.random() < weather.slow:
                delay += chance.uniform(1, 8)
            self._clock.after(delay, deliver)
        return True

    def carry(self, data: bytes) -> bytes:
        """Return what arrives of some bytes: now and then a bit of them has flipped."""
        chance = self._clock.chance
        if not data or chance.random() >= self.weather.spoil:
            return data
        at = chance.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]

    def break_off(self, count: int) -> int:
        """Return how many of the things that one answer carries arrive: now and then not all."""
        chance = self._clock.chance
        return count if chance.random() >= self.weather.spoil else chance.randrange(count)
