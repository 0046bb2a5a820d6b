"""What is remembered for a while, of so many at most: the answers about tokens.

Pure. Neighbours: `authenticate.py`.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

REMEMBERED: Final = 10_000
"""Tokens of which something is remembered, of each sort, at most."""

T = TypeVar("T")


class Recent(Generic[T]):
    """Values by digest, each good for equally many seconds, so that the oldest are the first; `now` on any clock that
    never goes back.
    """

    def __init__(self, seconds: float) -> None:
        """Take for how long a value is good."""
        self._seconds = seconds
        self._values: dict[bytes, tuple[float, T]] = {}

    def __len__(self) -> int:
        """Return how many are remembered; some may be good no more."""
        return len(self._values)

    def __contains__(self, digest: bytes) -> bool:
        """Tell whether something is remembered, good or not."""
        return digest in self._values

    def get(self, digest: bytes, now: float) -> T | None:
        """Return the value, if one is remembered and still good."""
        until, value = self._values.get(digest, (now, None))
        return value if until > now else None

    def put(self, digest: bytes, value: T, now: float) -> None:
        """Remember a value; what is out of date is forgotten, and the oldest where there are too many."""
        self.forget(digest)
        while self._values:
            oldest = next(iter(self._values))
            if len(self._values) < REMEMBERED and self._values[oldest][0] > now:
                break
            del self._values[oldest]
        self._values[digest] = (now + self._seconds, value)

    def forget(self, digest: bytes) -> None:
        """Forget what is remembered of one, if anything is."""
        self._values.pop(digest, None)
