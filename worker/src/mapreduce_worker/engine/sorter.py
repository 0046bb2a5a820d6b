"""Rows on their way from the table of a map attempt into its output file: divided, sorted, spilled, merged, written.

What comes out does not depend on how often anything is spilled: runs are merged in their order, and where rows
are folded or combined, that is done where they meet. Neighbours: `map_run` (the caller), `columns` and `blocks`
(rows), `merging`, `map_output` (the form of runs and of the output).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, Union

from mapreduce.keys import KeyType
from mapreduce_worker.engine import blocks, columns, durable, map_output, merging
from mapreduce_worker.engine.blocks import Block, Codec, Rows
from mapreduce_worker.engine.columns import Columns
from mapreduce_worker.engine.map_output import SegmentFile
from mapreduce_worker.engine.ordered import Notes

if TYPE_CHECKING:
    import polars

HELD_SHARE: Final = 4
"""The part of an attempt's memory, one in so many, that rows may take before they are written to a run."""
SMALL: Final = 4 << 20
"""Bytes of rows up to which an output is not compressed by lz4: that takes longer than what is spared on the way."""
APART: Final = 4000
"""From so many rows of each partition on, partitions are sorted one by one."""
ROW_MEMORY: Final = 40
"""What a row takes besides its bytes: two places in a frame, and the number of its partition as an object."""

T = TypeVar("T")

Numbers = Union[Sequence[int], "polars.Series"]
"""The partition of each row."""
Combine = Callable[[Iterable[Rows]], Iterable[Rows]]
"""Makes fewer rows of rows in key order."""


def unchanged(given: T) -> T:
    """Return what is given: the `Combine` of whoever does not combine, and the like."""
    return given


class Sorter:
    """The rows of one attempt that its table has let go, its runs, and its output."""

    def __init__(
        self,
        out: Path,
        *,
        partitions: int,
        memory: int,
        codec: Codec = "lz4",
        fold: Combine | None = None,
        combine: Combine | None = None,
    ) -> None:
        """Write to `out` at the end, and scratch files beside it. `memory` is that of the attempt, in bytes.

        Of a single partition nobody needs to say which rows it has.

        fold: what may be done to rows wherever they meet, without any difference to the output. combine: what is
        done at every flush, and once more where flushed rows meet; it is user code.
        """
        self._out = out
        self._partitions = partitions
        self._codec: Codec = codec
        self._fan_in = merging.fan_in(memory)
        self._most = memory // HELD_SHARE
        self._fold = fold or unchanged
        self._combine = combine
        self._held: list[tuple[Rows, Numbers]] = []
        self._size = 0
        self._runs: list[list[SegmentFile]] = []
        self._flushed: list[list[SegmentFile]] = []
        self._scratch: list[Path] = []

    def add(self, rows: Rows, numbers: Numbers) -> None:
        """Take rows in the order of their emission, and the partition of each; they may go to a run of their own."""
        if not rows.count:
            return
        self._held.append((rows, numbers))
        self._size += rows.size() + ROW_MEMORY * rows.count
        if self._size > self._most:
            self._runs.append(self._write_run(self._sorted(cut=False)))

    def flush(self) -> None:
        """Combine everything since the last flush; nothing, if there is nothing."""
        if not self._held and not self._runs:
            return
        combine = self._combine or unchanged
        runs, self._runs = self._runs, []
        parts = self._sorted()
        sources = self._merged(runs, parts, unchanged) if runs else parts
        self._flushed.append(self._write_run(map(combine, sources)))
        self._discard(runs)

    def finish(
        self,
        key_type: KeyType,
        key_at: str,
        notes: Notes | None = None,
        watch: Callable[[int, Rows, int], None] | None = None,
    ) -> map_output.Index:
        """Write everything that was handed in to the output. Its name stands for whole rows, but not for the disk.

        `watch` is told of each block as it is written.
        """
        codec = self._final_codec()
        parts = self._all()
        with durable.replacing(self._out, sync=False) as file:
            writer = map_output.Writer(file, codec, notes, watch)
            for part in parts:
                writer.segment(part)
            return writer.finish(key_type, key_at)

    @property
    def spills(self) -> int:
        """How many sorted runs went to files: for want of memory, or to be combined."""
        return len(self._scratch)

    def close(self) -> None:
        """Remove the scratch files."""
        for path in self._scratch:
            path.unlink(missing_ok=True)

    def _final_codec(self) -> Codec:
        """Return by what the output is compressed. As a whole or not at all: partitions are compared by their bytes."""
        if self._codec != "lz4" or self._runs or self._flushed:
            return self._codec
        return "none" if sum(rows.size() for rows, _ in self._held) <= SMALL else self._codec

    def _all(self) -> Iterable[Iterable[Rows]]:
        if self._combine is None:
            rest = self._sorted(cut=bool(self._runs))
            return self._merged(self._runs, rest, self._fold) if self._runs else rest
        self.flush()
        if len(self._flushed) == 1:
            return [map_output.read(segment) for segment in self._flushed[0]]
        # Combined runs are combined once more where they meet: their number and content are the plan's.
        merged = self._merged(self._flushed, [[] for _ in range(self._partitions)], unchanged)
        return map(self._combine, merged)

    def _sorted(self, *, cut: bool = True) -> Iterator[Iterable[Rows]]:
        """Let all that is held go: yield the rows of each partition.

        Whoever writes them as they are divides them once more, and needs no pieces: `cut` says whether they come so.
        """
        held, self._held, self._size = self._held, [], 0
        fold = self._fold if len(held) > 1 else unchanged
        if fold is unchanged and not cut:
            return ((part,) for part in self._divided(held))
        return (fold(blocks.cut([part])) for part in self._divided(held))

    def _divided(self, held: list[tuple[Rows, Numbers]]) -> Iterator[Rows]:
        if not held:
            return iter([Block([], [])] * self._partitions)
        rows = blocks.joined([rows for rows, _ in held])
        if self._partitions == 1:
            return iter([blocks.sorted_rows(rows)])
        if isinstance(rows, Columns):
            return columns.divided(rows, columns.partitions(some for _, some in held), self._partitions, APART)
        numbers = [n for _, some in held for n in some]
        return map(blocks.sorted_rows, blocks.divided(rows, numbers, self._partitions))

    def _write_run(self, parts: Iterable[Iterable[Rows]]) -> list[SegmentFile]:
        return merging.write_run(parts, self._scratch_path())

    def _scratch_path(self) -> Path:
        path = self._out.with_name(f".{self._out.name}.run-{len(self._scratch)}")
        self._scratch.append(path)
        return path

    def _discard(self, runs: list[list[SegmentFile]]) -> None:
        for path in {segment.path for run in runs for segment in run}:
            path.unlink(missing_ok=True)

    def _merged(
        self, runs: list[list[SegmentFile]], rest: Iterable[Iterable[Rows]], combine: Combine
    ) -> Iterator[Iterable[Rows]]:
        """Yield each partition's rows, merged from runs and from what is still in memory."""
        narrowed = merging.narrow(runs, self._fan_in, self._scratch_path, combine)
        for number, part in enumerate(rest):
            yield combine(merging.merge([*(map_output.read(run[number]) for run in narrowed), part]))
