"""What user code counted, summed over exactly the attempts that count.

Those are the succeeded map of each index and the staged reduce of each partition. What a map counted is
kept while its output may have to be made again: a lost output takes its counters back until then.
Neighbours: `maps.py` and `parts.py` (who add and take back), `mapreduce.counters` (the limits).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mapreduce import counters


class Tally:
    """Sums by name, each with the number of attempts that counted under it."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, int]] = {}

    def add(self, counted: Mapping[str, int], sign: int = 1) -> None:
        """Add what an attempt counted, or take it back with a `sign` of -1."""
        for name, value in counted.items():
            total, attempts = self._sums.get(name, (0, 0))
            if attempts + sign:
                self._sums[name] = (total + sign * value, attempts + sign)
            else:
                del self._sums[name]

    def totals(self) -> dict[str, int]:
        """Return the sums in the order of the names."""
        return {name: self._sums[name][0] for name in sorted(self._sums)}

    def check(self) -> None:
        """Raise `CounterError` if there are more names, or larger sums, than a job may have."""
        counters.add((self.totals(),))


class Counted:
    """What each map counted, by its index: many maps have the same names, so those are kept once."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._values: dict[int, tuple[tuple[str, ...], tuple[int, ...]]] = {}

    def put(self, index: int, counted: Mapping[str, int]) -> None:
        """Note what a map counted, instead of what was noted before."""
        self._values.pop(index, None)
        if counted:
            names = tuple(counted)
            self._values[index] = (self._names.setdefault(names, names), tuple(counted.values()))

    def get(self, index: int) -> dict[str, int]:
        """Return what a map counted."""
        names, values = self._values.get(index, ((), ()))
        return dict(zip(names, values, strict=True))

    def indices(self) -> Iterator[int]:
        """Yield the maps that counted something."""
        return iter(self._values)
