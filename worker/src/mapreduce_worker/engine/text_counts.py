"""Text keys that count one each, added up by Polars: what a fold table holds as soon as its keys are many.

A dictionary of many keys is larger than a core's cache, and each key that comes waits for memory several times. Text
that lies side by side does not: keys are joined to one text as they come, and counted when there is enough of it. Few
keys, and whatever is no such text, stay with the dictionary; accumulators are merged exactly, so that nobody notices
who counted. Neighbours: `fold_table` (the caller), `joined_text` (keys as they come), `batch_sums` (adds up what is
counted).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Final

import polars as pl

from mapreduce_worker.engine import batch_sums
from mapreduce_worker.engine.batch_sums import Sums
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.joined_text import JoinedText

MOST: Final = 16 << 20
"""Bytes of keys and their places that are counted at once, at most: more of them gain nothing."""
AGAIN: Final = 1 << 16
"""Keys that are counted once more, at most, where that spares adding up two tables."""
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class TextCounts:
    """Counts of text keys, of an attempt in which all keys are text."""

    def __init__(self, limit: int) -> None:
        """Hold about `limit` bytes of keys and counts."""
        self._most = min(MOST, limit // 2)
        self._sums = Sums(limit)
        self._joined = JoinedText()

    def begin_with(self, sums: Mapping[str, int]) -> bool:
        """Take what a dictionary holds, or nothing of it, if a number has more than 64 bits; tell which."""
        numbers = list(sums.values())
        if not numbers or min(numbers) < _INT_MIN or max(numbers) > _INT_MAX:
            return not numbers
        if min(numbers) > 0 and sum(numbers) <= AGAIN:
            # Each as often as it came, with those that are still to come: then there is one table, and none to add.
            again = list(chain.from_iterable(map(repeat, sums, numbers)))
            if self._joined.add(again) >= 0:
                return True
        values = pl.Series("value", numbers, dtype=pl.Int64)
        self._sums.add(pl.DataFrame([pl.Series("key", list(sums), dtype=pl.String), values]))
        return True

    def add(self, keys: Sequence[Any]) -> int:
        """Count keys, each one more; return how many bytes they are, or -1 if one is not of text that can be joined."""
        return self._joined.add(keys)

    @property
    def is_enough(self) -> bool:
        """Tell whether it is time to `count`."""
        return self._joined.size >= self._most

    def count(self) -> bool:
        """Count what was added; tell whether it is time to `take`."""
        if self._joined.count:
            self._sums.add(batch_sums.counted(self._joined.take_column()))
        return self._sums.is_full

    def take(self) -> Rows:
        """Remove and return all rows, each key once."""
        self.count()
        return self._sums.take()
