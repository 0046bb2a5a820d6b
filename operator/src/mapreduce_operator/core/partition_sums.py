"""The sums of what maps tell of the sizes of partitions, and of heavy keys: values that the book holds.

Neighbours: `skew.py` (fills and reads them), `book.py` (has them).
"""

from __future__ import annotations

import heapq
import operator
from array import array
from collections.abc import Iterable, Sequence
from typing import Final

from mapreduce import ids
from mapreduce.partition_sizes import HeavyKey
from mapreduce_operator.core.events import SkewStatus

KEPT: Final = 64
"""Heavy keys that are kept: of more, those that were named with the fewest bytes are forgotten."""
_SIZES: Final = 1
_KEYS: Final = 2


class PartitionSums:
    """What the maps of one job have told so far."""

    def __init__(self) -> None:
        self.of = array("Q")
        """Bytes for each partition; empty while nothing is known."""
        self.maps = 0
        """How many maps are in the sums."""
        self.told: SkewStatus | None = None
        """What people are told, once every map has succeeded."""
        self._noted = bytearray()
        """A byte for each map: whether its sizes are in the sums, and its heavy keys."""
        self._heavy: dict[tuple[int, str], tuple[int, int]] = {}
        """Bytes and rows of the keys that maps have named, by partition and key."""

    def has(self, index: int) -> bool:
        """Tell whether a map is in the sums."""
        return self._has(index, _SIZES)

    def add(self, index: int, sizes: Sequence[int], heavy: Iterable[HeavyKey]) -> None:
        """Add what one map has told."""
        self._note(index, _SIZES)
        self.maps += 1
        self.of = array("Q", map(operator.add, self.of, sizes)) if self.of else array("Q", sizes)
        self.name(index, heavy)

    def name(self, index: int, heavy: Iterable[HeavyKey]) -> None:
        """Add the keys that one map has named, if it is the first time; its sizes may not be known."""
        if self._has(index, _KEYS):
            return
        self._note(index, _KEYS)
        for key in heavy:
            size, rows = self._heavy.get((key.partition, key.key), (0, 0))
            self._heavy[key.partition, key.key] = (size + key.size, rows + key.rows)
        if len(self._heavy) > 2 * KEPT:
            self._heavy = dict(heapq.nlargest(KEPT, self._heavy.items(), key=operator.itemgetter(1)))

    def _has(self, index: int, what: int) -> bool:
        return index < len(self._noted) and self._noted[index] & what > 0

    def _note(self, index: int, what: int) -> None:
        if index >= len(self._noted):
            self._noted.extend(bytes(2 * index + 64 - len(self._noted)))
        self._noted[index] |= what

    def estimated(self, maps: int) -> list[int]:
        """Return the bytes for each partition; where only some of the `maps` have told, they stand for all."""
        return [size * maps // self.maps for size in self.of]

    def heavy(self) -> list[HeavyKey]:
        """Return the keys that maps have named, the heaviest first."""
        ordered = sorted(self._heavy.items(), key=lambda known: (-known[1][0], known[0]))
        return [
            HeavyKey(partition, key, min(rows, ids.MOST), min(size, ids.MOST))
            for (partition, key), (size, rows) in ordered
        ]
