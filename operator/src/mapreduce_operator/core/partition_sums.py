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
        """A byte for each map: whether it is in the sums."""
        self._heavy: dict[tuple[int, str], tuple[int, int]] = {}
        """Bytes and rows of the keys that maps have named, by partition and key."""

    def has(self, index: int) -> bool:
        """Tell whether a map is in the sums."""
        return index < len(self._noted) and self._noted[index] > 0

    def add(self, index: int, sizes: Sequence[int], heavy: Iterable[HeavyKey]) -> None:
        """Add what one map has told."""
        if index >= len(self._noted):
            self._noted.extend(bytes(2 * index + 64 - len(self._noted)))
        self._noted[index] = 1
        self.maps += 1
        self.of = array("Q", map(operator.add, self.of, sizes)) if self.of else array("Q", sizes)
        for key in heavy:
            size, rows = self._heavy.get((key.partition, key.key), (0, 0))
            self._heavy[key.partition, key.key] = (size + key.size, rows + key.rows)
        if len(self._heavy) > 2 * KEPT:
            self._heavy = dict(heapq.nlargest(KEPT, self._heavy.items(), key=operator.itemgetter(1)))

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
