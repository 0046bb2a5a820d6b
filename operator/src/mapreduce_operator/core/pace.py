"""How long the attempts of one phase take: the durations of those that finished last.

Neighbours: `tasks.py` (every table has one), `reports.py` (adds), `rebuild.py` (adds what an older epoch saw),
`speculation.py` (asks).
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

KEPT: Final = 1000
"""Durations that are kept: a phase may have 200,000 tasks, and the median of so many says as much."""


class Pace:
    """Durations in seconds, by the monotonic clock of the master that gave the attempt."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KEPT)
        self._median: float | None = None

    def add(self, seconds: float) -> None:
        """Note how long an attempt took that finished."""
        self._seconds.append(seconds)
        self._median = None

    def median(self) -> float | None:
        """Return the median, or None as long as nothing is known."""
        if self._median is None and self._seconds:
            self._median = median(self._seconds)
        return self._median
