"""Virtual time: a heap of things to do, and the seeded chance that orders them.

Everything that happens in a simulation is a call scheduled here, so one seed is one schedule.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable


class Clock:
    """Runs calls in the order of their time; `now` is in seconds since the simulation began."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.chance = random.Random(seed)
        self._order = itertools.count()
        self._calls: list[tuple[float, int, Callable[[], object]]] = []

    def after(self, delay: float, call: Callable[[], object]) -> None:
        """Run `call` in `delay` seconds; calls for the same time run as they were scheduled."""
        heapq.heappush(self._calls, (self.now + delay, next(self._order), call))

    def run(self, until: Callable[[], bool], limit: float) -> bool:
        """Run calls until `until` is true; False if `limit` seconds of virtual time went by first."""
        while not until():
            if not self._calls or self._calls[0][0] > limit:
                return False
            self.now, _, call = heapq.heappop(self._calls)
            call()
        return True
