"""Rows on their way from the table of a map attempt into its output file: spilled, merged, written.

What comes out does not depend on how often anything is spilled: runs are merged in their order, and where rows
are folded or combined, that is done where runs meet. Neighbours: `map_run` (the caller, who divides and sorts),
`merging`, `map_output` (the form of runs and of the output).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from mapreduce.keys import KeyType
from mapreduce_worker.engine import durable, map_output, merging
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.map_output import SegmentFile

T = TypeVar("T")

Combine = Callable[[Iterable[Block]], Iterable[Block]]
"""Makes fewer rows of rows in key order."""


def unchanged(given: T) -> T:
    """Return what is given: the `Combine` of whoever does not combine, and the like."""
    return given


class Sorter:
    """The runs of one attempt, and its output. Its callers hand in the sorted rows of each partition."""

    def __init__(
        self, out: Path, *, partitions: int, memory: int, fold: Combine = unchanged, combine: Combine | None = None
    ) -> None:
        """Write to `out` at the end, and scratch files beside it. `memory` is in bytes.

        fold: what may be done to rows wherever runs meet, without any difference to the output. combine: what is
        done at every flush, and once more where flushed rows meet; it is user code.
        """
        self._out = out
        self._partitions = partitions
        self._fan_in = merging.fan_in(memory)
        self._fold = fold
        self._combine = combine
        self._runs: list[list[SegmentFile]] = []
        self._flushed: list[list[SegmentFile]] = []
        self._scratch: list[Path] = []

    def spill(self, parts: Iterable[Iterable[Block]]) -> None:
        """Write rows to a run of their own."""
        self._runs.append(self._write_run(parts))

    def flush(self, parts: Iterable[Iterable[Block]]) -> None:
        """Combine everything since the last flush: what was spilled in between, and `parts`."""
        combine = self._combine or unchanged
        runs, self._runs = self._runs, []
        sources = self._merged(runs, parts, unchanged) if runs else parts
        self._flushed.append(self._write_run([combine(part) for part in sources]))
        self._discard(runs)

    def finish(self, parts: list[list[Block]], key_type: KeyType, key_at: str) -> map_output.Index:
        """Write the output: everything that was handed in, and `parts`."""
        rows = self._all(parts)
        with durable.replacing(self._out) as file:
            writer = map_output.Writer(file)
            for part in rows:
                writer.segment(part)
            return writer.finish(key_type, key_at)

    def close(self) -> None:
        """Remove the scratch files."""
        for path in self._scratch:
            path.unlink(missing_ok=True)

    def _all(self, parts: list[list[Block]]) -> Iterable[Iterable[Block]]:
        if self._combine is None:
            return self._merged(self._runs, parts, self._fold) if self._runs else parts
        if self._runs or any(parts):
            self.flush(parts)
        if len(self._flushed) == 1:
            return [map_output.read(segment) for segment in self._flushed[0]]
        # Combined runs are combined once more where they meet: their number and content are the plan's.
        merged = self._merged(self._flushed, [[] for _ in range(self._partitions)], unchanged)
        return map(self._combine, merged)

    def _write_run(self, parts: Iterable[Iterable[Block]]) -> list[SegmentFile]:
        path = self._scratch_path()
        with path.open("wb") as file:
            writer = map_output.Writer(file)
            for part in parts:
                writer.segment(part)
            index = writer.finish("", "")
        return map_output.segments_of(path, index)

    def _scratch_path(self) -> Path:
        path = self._out.with_name(f".{self._out.name}.run-{len(self._scratch)}")
        self._scratch.append(path)
        return path

    def _discard(self, runs: list[list[SegmentFile]]) -> None:
        for path in {segment.path for run in runs for segment in run}:
            path.unlink(missing_ok=True)

    def _merged(
        self, runs: list[list[SegmentFile]], rest: Iterable[Iterable[Block]], combine: Combine
    ) -> Iterator[Iterable[Block]]:
        """Yield each partition's rows, merged from runs and from what is still in memory."""
        narrowed = merging.narrow(runs, self._fan_in, self._scratch_path, combine)
        for number, part in enumerate(rest):
            yield combine(merging.merge([*(map_output.read(run[number]) for run in narrowed), part]))
