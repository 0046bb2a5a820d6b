"""Merging sorted rows from many sources, in bounded memory and in a fixed order.

Rows with equal keys come in the order of their sources (for a reduce: of the map index), then
in the order that they had there. Merging takes whole blocks: of every source the rows up to the
smallest last key are joined and sorted, which for rows that are sorted in pieces is a merge in C.

`sorter` merges the spilled runs of a map with it, `reduce_task` its segments, `merge` the parts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from mapreduce.reducers import Reducer
from mapreduce_worker.engine import blocks, map_output
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.map_output import SegmentFile

SOURCE_BYTES: Final = 3 << 20
"""What one open source takes: a block as Arrow, as Python objects, and its share of the joined rows."""
MAX_FAN_IN: Final = 128

_key = itemgetter(0)


def fan_in(memory: int) -> int:
    """Return how many sources may be merged at once in half of `memory` bytes."""
    return max(2, min(MAX_FAN_IN, memory // 2 // SOURCE_BYTES))


def merge(sources: Sequence[Iterable[Block]]) -> Iterator[Block]:
    """Yield the rows of all sources in key order, then in the order of the sources."""
    cursors = [cursor for cursor in map(_Cursor, sources) if cursor.keys]
    while len(cursors) > 1:
        cutoff = min(cursor.keys[-1] for cursor in cursors)
        taken, inclusive = [], True
        for cursor in cursors:
            # Rows with the cutoff itself may follow in the next block of the first source that
            # ends with it: sources behind that one must hold theirs back.
            ends_here = cursor.keys[-1] == cutoff
            block = cursor.take(cutoff, inclusive=inclusive)
            if block.keys:
                taken.append(block)
            inclusive = inclusive and not ends_here
        cursors = [cursor for cursor in cursors if cursor.keys]
        yield _join(taken)
    for cursor in cursors:
        yield from cursor.rest()


class _Cursor:
    """One source: the rows of its current block that are not taken yet."""

    def __init__(self, source: Iterable[Block]) -> None:
        self._blocks = iter(source)
        self.keys: list[bytes] = []
        self._values: list[Any] = []
        self._packed = True
        self._advance()

    def _advance(self) -> None:
        for block in self._blocks:
            if block.keys:
                self.keys, self._values, self._packed = block.keys, block.values, block.packed
                return
        self.keys, self._values = [], []

    def take(self, cutoff: bytes, *, inclusive: bool) -> Block:
        """Remove and return the rows before `cutoff`, with it if `inclusive`."""
        end = (bisect_right if inclusive else bisect_left)(self.keys, cutoff)
        block = Block(self.keys[:end], self._values[:end], self._packed)
        if end == len(self.keys):
            self._advance()
        else:
            self.keys, self._values = self.keys[end:], self._values[end:]
        return block

    def rest(self) -> Iterator[Block]:
        """Yield everything that is left."""
        yield Block(self.keys, self._values, self._packed)
        yield from self._blocks


def _join(taken: list[Block]) -> Block:
    if len(taken) == 1:
        return taken[0]
    packed = any(block.packed for block in taken)
    if packed:
        taken = [block.as_packed() for block in taken]
    rows = list(chain.from_iterable(zip(block.keys, block.values, strict=True) for block in taken))
    rows.sort(key=_key)
    return Block([row[0] for row in rows], [row[1] for row in rows], packed)


def folded(rows: Iterable[Block], reducer: Reducer) -> Iterator[Block]:
    """Merge the accumulators of rows with equal keys; `rows` are in key order."""
    merge_accs, canonical = reducer.merge, reducer.canonical
    last: bytes | None = None
    acc: Any = None
    for block in rows:
        keys: list[bytes] = []
        accs: list[Any] = []
        for key, value in zip(block.keys, block.unpacked(), strict=True):
            if key == last:
                acc = merge_accs(acc, value)
                continue
            if last is not None:
                keys.append(last)
                accs.append(acc if type(acc) is int else canonical(acc))
            last, acc = key, value
        if keys:
            yield blocks.of_objects(keys, accs)
    if last is not None:
        yield blocks.of_objects([last], [canonical(acc)])


def narrow(
    runs: Sequence[Sequence[SegmentFile]],
    limit: int,
    name: Callable[[], Path],
    combine: Callable[[Iterable[Block]], Iterable[Block]],
) -> list[Sequence[SegmentFile]]:
    """Merge neighbouring runs until `limit` are left at most; a run has one segment a partition.

    `name` gives the path of a new scratch file; `combine` is applied to merged rows. Runs that
    were made here are deleted once they are merged again.
    """
    current = list(runs)
    made: set[Path] = set()
    while len(current) > limit:
        merged: list[Sequence[SegmentFile]] = []
        surplus = len(current) - limit
        at = 0
        while at < len(current):
            size = min(limit, surplus + 1, len(current) - at)
            group = current[at : at + size]
            at += size
            if size == 1:
                merged += group
                continue
            surplus -= size - 1
            path = name()
            merged.append(_merge_runs(group, path, combine))
            made.add(path)
            for used in {segment.path for run in group for segment in run} & made:
                used.unlink()
                made.discard(used)
        current = merged
    return current


def _merge_runs(
    group: Sequence[Sequence[SegmentFile]], path: Path, combine: Callable[[Iterable[Block]], Iterable[Block]]
) -> list[SegmentFile]:
    with path.open("wb") as file:
        writer = map_output.Writer(file)
        for segments in zip(*group, strict=True):
            writer.segment(combine(merge([map_output.read(segment) for segment in segments])))
        index = writer.finish("", "")
    return map_output.segments_of(path, index)
