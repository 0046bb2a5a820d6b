"""How long something may still take, from how it has grown so far. Pure: times are passed in.

Neighbours: whoever shows progress, of a phase or of anything else that has a total.
"""

from __future__ import annotations

import bisect
from operator import itemgetter
from typing import Final

WINDOW: Final = 30.0
"""Seconds that are looked back at least: what one moment brought says little of the next."""
SETTLED: Final = 3.0
"""Seconds before which nothing is said."""
_MOST: Final = 128
"""Samples that are kept; then every second one goes."""


class Estimator:
    """Watches one amount grow towards its total.

    The speed is that of the last `WINDOW` seconds, or of the last half of the time where that is longer: few long
    tasks would otherwise seem to stand still between two ends. What was done and is lost again counts as work that
    is left, and not as speed below zero.
    """

    def __init__(self) -> None:
        self._done = 0.0
        self._gained = 0.0
        self._samples: list[tuple[float, float]] = []

    def note(self, now: float, done: float) -> None:
        """Take how much is done; the first time this is where counting begins."""
        if not self._samples:
            self._done = done
            self._samples.append((now, 0.0))
        if done > self._done:
            self._gained += done - self._done
            self._samples.append((now, self._gained))
        self._done = done
        if len(self._samples) > _MOST:
            del self._samples[1::2]

    def left(self, now: float, total: float) -> float | None:
        """Return the seconds until `total` is reached at the present speed; None where that is not known."""
        if not self._samples:
            return None
        if self._done >= total:
            return 0.0
        elapsed = now - self._samples[0][0]
        since = now - max(WINDOW, elapsed / 2)
        at, before = self._samples[max(0, bisect.bisect_right(self._samples, since, key=itemgetter(0)) - 1)]
        gained = self._gained - before
        if gained <= 0 or now - at < SETTLED:
            return None
        return (total - self._done) * (now - at) / gained
