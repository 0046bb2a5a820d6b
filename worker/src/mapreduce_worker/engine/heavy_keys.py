"""Which keys have a large part of a map output: looked for while it is written, by a sample of its rows.

Rows come in key order, so those of one key stand together. Of each block a few rows are looked at, at equal
distances, and each stands for its share of the block's rows and bytes: what has an eighth of the output is met
again and again. Neighbours: `map_output` (tells of each block), `map_run` (asks).
"""

from __future__ import annotations

import heapq
from typing import Final

from mapreduce import keys
from mapreduce.keys import KeyType
from mapreduce.partition_sizes import KEY_CHARACTERS, MOST_HEAVY, HeavyKey
from mapreduce_worker.engine import blocks, sorted_values
from mapreduce_worker.engine.blocks import Rows

SAMPLES: Final = 64
"""Rows of one block that are looked at, at most."""
SHARE: Final = 8
"""A key is heavy if it has more than one part in so many of the output's bytes, and at least `LEAST`."""
LEAST: Final = 16 << 10
"""Bytes up to which no key is heavy."""


class HeavyKeys:
    """Takes the blocks of one map output in their order; sizes are those of the blocks in the file, in bytes."""

    def __init__(self, key_type: KeyType, *, by_value: bool) -> None:
        """Look at keys of this type; `by_value`: a row's key is a pair of key and value, see `sorted_values`."""
        self._decode = keys.decoder(sorted_values.split(key_type)[0] if by_value else key_type) if key_type else None
        self._key_of = sorted_values.key_of(key_type) if by_value and key_type else None
        self._partition, self._key = -1, b""
        self._rows = self._size = 0.0
        self._largest: list[tuple[float, int, bytes, float]] = []
        """A heap of (bytes, partition, key, rows)."""

    def note(self, partition: int, rows: Rows, size: int) -> None:
        """Take the next block of a partition, which takes `size` bytes."""
        if not rows.count:
            return
        step = -(-rows.count // SAMPLES)
        chosen = blocks.keys_at(rows, range(step // 2, rows.count, step))
        each_rows, each_size = rows.count / len(chosen), size / len(chosen)
        for found in chosen:
            key = found if self._key_of is None else self._key_of(found)
            if key != self._key or partition != self._partition:
                self._close()
                self._partition, self._key = partition, key
            self._rows += each_rows
            self._size += each_size

    def told(self, total: int) -> tuple[HeavyKey, ...]:
        """Return the heavy keys of an output of `total` bytes, the heaviest first."""
        self._close()
        least = max(LEAST, total / SHARE)
        chosen = sorted((known for known in self._largest if known[0] > least), reverse=True)
        return tuple(
            HeavyKey(partition, self._text(key), round(rows), round(size)) for size, partition, key, rows in chosen
        )

    def _close(self) -> None:
        """Keep the key whose rows have ended, if it is one of the largest."""
        if self._size > LEAST:
            heapq.heappush(self._largest, (self._size, self._partition, self._key, self._rows))
            if len(self._largest) > MOST_HEAVY:
                heapq.heappop(self._largest)
        self._rows = self._size = 0.0

    def _text(self, key: bytes) -> str:
        assert self._decode is not None  # noqa: S101 - there is a key, so there is a key type
        found = self._decode(key)
        return repr(found[:KEY_CHARACTERS] if isinstance(found, (str, bytes)) else found)[:KEY_CHARACTERS]
