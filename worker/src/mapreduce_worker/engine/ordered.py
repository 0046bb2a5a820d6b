"""A map output whose keys have a total order: one segment, of which a reader gets the blocks that it needs.

While the segment is written, `Notes` keep where each block begins and with which key, and a sample of the keys. Which
ranges of keys there are is chosen when all maps have ended (`mapreduce.boundaries`), so that the file knows nothing of
them: `cut` finds the blocks in which keys of a range may be. A block at the edge of a range goes to both readers, and
each drops the rows that are not its own.
Neighbours: `map_output` (writes and reads the blocks), `sorter`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from isal.isal_zlib import crc32_combine

from mapreduce.boundaries import KEY_BYTES, KeyRange
from mapreduce_worker.engine import blocks
from mapreduce_worker.engine.blocks import Rows

BLOCK_BYTES: Final = 1 << 18
"""A block is closed when it has so many bytes: half of one, as a mean, is read in vain at each end of a range."""
_SPREAD: Final = 0x9E3779B1
"""The golden part of 32 bits: the lower bits of its multiples are spread evenly."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A block: where it begins in the segment, its rows, the segment's CRC-32 before it, the start of its first key."""

    offset: int
    rows: int
    crc: int
    key: bytes


class Notes:
    """What is kept of a segment while it is written."""

    def __init__(self, most: int, key_of: Callable[[bytes], bytes], number: int = 0) -> None:
        """Take at most `most` keys as a sample; `key_of` finds in an encoded key what rows are divided by.

        `number` is that of the map: maps with equally many rows begin their samples at different ones, so that all keys
        that are told together stand closer than those of one map.
        """
        self._most = most
        self._key_of = key_of
        self._bits = number * _SPREAD
        self._phase = 0
        self.marks: list[Mark] = []
        self._sample: list[bytes] = []
        self._step = 1
        self._next = 0
        self._rows = 0

    def block(self, rows: Rows, offset: int, crc: int) -> None:
        """Note a block before it is written: where it begins in the segment, and the CRC-32 of all before it."""
        self.marks.append(Mark(offset, rows.count, crc, self._short(rows.key_series[0])))
        end = self._rows + rows.count
        while self._most and self._next < end:
            if len(self._sample) == self._most:
                self._halve()
                continue
            places = range(self._next, end, self._step)[: self._most - len(self._sample)]
            self._sample += map(self._short, blocks.keys_at(rows, [at - self._rows for at in places]))
            self._next += len(places) * self._step
        self._rows = end

    def _halve(self) -> None:
        """Let every second key of the sample go, and of those to come."""
        first = self._bits & 1 if self._most > 1 else 0
        self._bits >>= 1
        self._sample = self._sample[first::2]
        self._phase += first * self._step
        self._step *= 2
        self._next = self._phase + len(self._sample) * self._step

    @property
    def sample(self) -> tuple[bytes, ...]:
        """The sample: starts of keys that stand at equal distances among the rows."""
        return tuple(self._sample)

    def _short(self, key: bytes) -> bytes:
        return self._key_of(key)[:KEY_BYTES]


class Cut(msgspec.Struct, frozen=True):
    """Some blocks of a segment, side by side: from `offset` in the segment, with their CRC-32."""

    offset: int
    length: int
    rows: int
    crc: int


def cut(marks: Sequence[Mark], length: int, crc: int, wanted: KeyRange) -> Cut:
    """Return the blocks in which keys of a range may be, of a segment of `length` bytes with this CRC-32."""
    # Marks have starts of keys: against the start of a boundary they compare as the keys do.
    low = wanted.low[:KEY_BYTES]
    keys = [mark.key for mark in marks]
    first = max(0, bisect_left(keys, low) - 1)
    end = len(marks) if wanted.high is None else _end(keys, wanted.high)
    if first >= end:
        return Cut(0, 0, 0, 0)
    begin = marks[first]
    stop, until = (marks[end].offset, marks[end].crc) if end < len(marks) else (length, crc)
    size = stop - begin.offset
    return Cut(begin.offset, size, sum(mark.rows for mark in marks[first:end]), _crc_of_end(begin.crc, until, size))


def _end(keys: Sequence[bytes], high: bytes) -> int:
    """Return how many blocks may begin before `high`, which may be longer than what is kept of a key."""
    end = bisect_left(keys, high)
    while end < len(keys) and len(high) > KEY_BYTES and keys[end] == high[:KEY_BYTES]:
        end += 1
    return end


def _crc_of_end(before: int, whole: int, length: int) -> int:
    """Return the CRC-32 of the last `length` bytes of something, from that of all of it and that of what is before."""
    return whole ^ crc32_combine(before, 0, length)
