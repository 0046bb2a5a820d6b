"""How fast a phase goes, and how long its attempts take. Pure: times are passed in.

Neighbours: `totals.py` (the caller), `estimate.py` (how long the rest may take).
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import Final, NamedTuple

WINDOW: Final = 30.0
"""Seconds over which the rate is that of now."""
_APART: Final = 0.5
"""Seconds between two points of a window."""
_FINE: Final = 6
"""Bits of a duration that are kept beside its first one: it is told to one hundredth."""
_BUCKETS: Final = 32 << _FINE


class Done(NamedTuple):
    """Sums at one moment, of what is done since the beginning."""

    at: float
    tasks: int = 0
    records: int = 0
    size: int = 0


class Rates(NamedTuple):
    """What is done in a second."""

    tasks: float = 0.0
    records: float = 0.0
    size: float = 0.0


class Pace:
    """How fast one phase goes: over the last half minute, and over all of it."""

    def __init__(self) -> None:
        self._points: deque[Done] = deque()
        self._first: Done | None = None
        self._last: Done | None = None

    def note(self, done: Done) -> None:
        """Take the sums as they are now; those of a moment just before are replaced."""
        if self._first is None:
            self._first = done
        self._last = done
        points = self._points
        if points and done.at - points[-1].at < _APART:
            return
        points.append(done)
        while len(points) > 2 and points[1].at <= done.at - WINDOW:
            points.popleft()

    def now(self, at: float) -> Rates:
        """Return the rates over the half minute up to now, or over the shorter time since the beginning."""
        if self._last is None:
            return Rates()
        start, since = at - WINDOW, self._points[0]
        for point in self._points:
            if point.at > start:
                break
            since = point
        return _between(since, self._last, at - max(since.at, start))

    def overall(self) -> Rates:
        """Return the rates from the first sums to the last."""
        if self._first is None or self._last is None:
            return Rates()
        return _between(self._first, self._last, self._last.at - self._first.at)


def _between(since: Done, last: Done, seconds: float) -> Rates:
    if seconds <= 0:
        return Rates()
    return Rates(
        max(0, last.tasks - since.tasks) / seconds,
        max(0, last.records - since.records) / seconds,
        max(0, last.size - since.size) / seconds,
    )


class Durations:
    """Many durations in milliseconds, of which the usual and the longest are asked; one hundredth is exact enough."""

    def __init__(self) -> None:
        self._counts = array("I", bytes(4 * _BUCKETS))
        self.count = 0
        self.longest = 0

    def add(self, milliseconds: int) -> None:
        """Take one in."""
        self._counts[_bucket(milliseconds)] += 1
        self.count += 1
        self.longest = max(self.longest, milliseconds)

    def quantile(self, share: float) -> int:
        """Return the duration that this share of them does not exceed; 0 of none."""
        rank = max(1, round(self.count * share))
        for bucket, count in enumerate(self._counts):
            rank -= count
            if rank <= 0 < count:
                return min(_value(bucket), self.longest)
        return 0


def _bucket(number: int) -> int:
    doubled = max(0, number.bit_length() - _FINE - 1)
    return min(_BUCKETS - 1, (doubled << _FINE) + (number >> doubled))


def _value(bucket: int) -> int:
    """Return the number in the middle of those of a bucket."""
    if bucket < 2 << _FINE:
        return bucket
    doubled = (bucket >> _FINE) - 1
    return (bucket - (doubled << _FINE) << doubled) + (1 << doubled >> 1)
