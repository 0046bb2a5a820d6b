"""Merging sorted rows from many sources, in bounded memory and in a fixed order.

Rows with equal keys come in the order of their sources (for a reduce: of the map index), then
in the order that they had there. Merging takes whole blocks: of every source the rows up to the
smallest last key are joined and sorted, which for rows that are sorted in pieces is a merge in C.

`sorter` merges the spilled runs of a map with it, `reduce_task` its segments, `merge` the parts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mapreduce_worker.engine import blocks, map_output
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.map_output import SegmentFile

SOURCE_BYTES: Final = 3 << 20
"""What one open source takes: a block as it was read, and its share of the joined rows, before and after the sort."""
MAX_FAN_IN: Final = 128
HELD: Final = 8
"""The part of the memory, one in so many, that rows may take in `merge` as they were read: joined and sorted they are
there again."""


def fan_in(memory: int) -> int:
    """Return how many sources may be merged at once in half of `memory` bytes."""
    return max(2, min(MAX_FAN_IN, memory // 2 // SOURCE_BYTES))


def merge(sources: Sequence[Iterable[Rows]], memory: int = 0) -> Iterator[Rows]:
    """Yield the rows of all sources in key order, then in the order of the sources.

    Of each source a block is held, or more, where `memory` bytes have room for more blocks of all of them: what fits
    into it is sorted at once.
    """
    share = memory // HELD // max(1, len(sources))
    cursors = [cursor for cursor in (_Cursor(source, share) for source in sources) if cursor.rows is not None]
    while len(cursors) > 1:
        # What a source behind which nothing comes ends with keeps nobody waiting.
        more = [cursor.last for cursor in cursors if not cursor.is_last]
        cutoff = min(more) if more else max(cursor.last for cursor in cursors)
        taken, inclusive = [], True
        for cursor in cursors:
            # Rows with the cutoff itself may follow in the next block of the first source that
            # ends with it: sources behind that one must hold theirs back.
            ends_here = cursor.last == cutoff and not cursor.is_last
            rows = cursor.take(cutoff, inclusive=inclusive)
            if rows.count:
                taken.append(rows)
            inclusive = inclusive and not ends_here
        cursors = [cursor for cursor in cursors if cursor.rows is not None]
        yield from _in_order(taken)
    for cursor in cursors:
        yield from cursor.rest()


class _Cursor:
    """One source: its current rows, of which those from `_at` on are not taken yet."""

    def __init__(self, source: Iterable[Rows], share: int) -> None:
        self._source = (rows for rows in source if rows.count)
        self._share = share
        self.rows: Rows | None = None
        self.is_last = False
        """No rows come after the current ones."""
        self.last = b""
        self._advance()

    def _advance(self) -> None:
        held: list[Rows] = []
        size = 0
        while not held or size < self._share:
            rows = next(self._source, None)
            if rows is None:
                self.is_last = True
                break
            held.append(rows)
            size += rows.size() if self._share else 0
        self.rows = blocks.joined(held) if held else None
        if self.rows is not None:
            self._keys, self._at = self.rows.key_series, 0
            self.last = self._keys[self.rows.count - 1]

    def take(self, cutoff: bytes, *, inclusive: bool) -> Rows:
        """Remove and return the rows before `cutoff`, with it if `inclusive`."""
        rows, start = self.rows, self._at
        assert rows is not None  # noqa: S101 - `merge` drops a cursor without rows
        end = (bisect_right if inclusive else bisect_left)(self._keys, cutoff, start, rows.count)
        self._at = end
        if end == rows.count:
            self._advance()
        return rows.cut(start, end)

    def rest(self) -> Iterator[Rows]:
        """Yield everything that is left."""
        if self.rows is not None:
            yield from _cut(self.rows.cut(self._at, self.rows.count))
        yield from self._source


def _in_order(taken: list[Rows]) -> Iterator[Rows]:
    """Yield the joined rows in key order, by pieces of which a list may be made."""
    yield from _cut(taken[0] if len(taken) == 1 else blocks.sorted_rows(blocks.joined(taken)))


def _cut(rows: Rows) -> Iterator[Rows]:
    for start in range(0, rows.count, blocks.MAX_ROWS):
        yield rows.cut(start, min(start + blocks.MAX_ROWS, rows.count))


def narrow(
    runs: Sequence[Sequence[SegmentFile]],
    limit: int,
    name: Callable[[], Path],
    combine: Callable[[Iterable[Rows]], Iterable[Rows]],
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
    group: Sequence[Sequence[SegmentFile]], path: Path, combine: Callable[[Iterable[Rows]], Iterable[Rows]]
) -> list[SegmentFile]:
    parts = zip(*group, strict=True)
    return write_run((combine(merge([map_output.read(segment) for segment in part])) for part in parts), path)


def write_run(parts: Iterable[Iterable[Rows]], path: Path) -> list[SegmentFile]:
    """Write the rows of each partition to a scratch file; return its segments."""
    with path.open("wb") as file:
        writer = map_output.Writer(file)
        for rows in parts:
            writer.segment(rows)
        index = writer.finish("", "")
    return map_output.segments_of(path, index)
