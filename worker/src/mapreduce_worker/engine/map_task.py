"""A map attempt: the records of a split become one map output file.

Records → pairs → a table (`tables`) → sorted runs when it is full → one file (`map_output`).
The file is a function of the split, the program, the number of partitions and `flush_bytes`:
running it with more or less memory gives the same rows and checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from mapreduce import keys, values
from mapreduce.api import Job
from mapreduce.errors import CombineError
from mapreduce.ids import AttemptId
from mapreduce.plan import FileRange, Split
from mapreduce.protocol import MapOutput
from mapreduce.reducers import Reducer
from mapreduce_worker.engine import (
    blocks,
    durable,
    failure,
    formats,
    map_output,
    merging,
    partitions,
    quarantine,
    records,
    sorted_values,
    tables,
)
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.first_pairs import FirstPairs
from mapreduce_worker.engine.fold_table import FoldTable
from mapreduce_worker.engine.instance import Instance, Progress
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.map_output import SegmentFile
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.quarantine import Quarantine
from mapreduce_worker.engine.record_loop import RecordLoop
from mapreduce_worker.engine.records import Batch, Refuse
from mapreduce_worker.engine.tables import Rows

T = TypeVar("T")

Source = Callable[[FileRange, int], tuple[int, Iterator[Chunk]]]
"""Takes a range and its position in the split; gives the offset of the first byte, and chunks."""

_first, _second = itemgetter(0), itemgetter(1)


def run_map(  # noqa: PLR0913 - what an attempt depends on, one by one
    job_class: type[Job],
    split: Split,
    source: Source,
    *,
    options: TaskOptions,
    attempt: AttemptId,
    out: Path,
    progress: Progress,
) -> MapOutput:
    """Map a split into the file `out`; return what to report.

    What does not fit into `options.memory` goes to files beside `out`, which are gone at the end.
    Raises `UserTaskError` for what the user's code or data is at fault for; see `failure.describe`.
    """
    run = MapRun(job_class, options, out, progress)
    return run.run(batches(split, source, options, run.quarantine.refuse), attempt)


def batches(split: Split, source: Source, options: TaskOptions, refuse: Refuse = records.never) -> Iterator[Batch]:
    """Yield the records of a split, in their order."""
    for position, part in enumerate(split.ranges):
        offset, chunks = source(part, position)
        yield from formats.read(part.file, offset, chunks, options, refuse)


class MapRun:
    """One attempt over any batches of records."""

    def __init__(self, job_class: type[Job], options: TaskOptions, out: Path, progress: Progress) -> None:
        """Make a fresh job; nothing of the user's is called yet but its constructor."""
        self._partitions = options.partitions
        self._out = out
        self._fan_in = merging.fan_in(options.memory)
        self._records = RecordLoop()
        self._runs: list[list[SegmentFile]] = []
        self._flushed: list[list[SegmentFile]] = []
        self._scratch: list[Path] = []
        self._user = Instance(job_class, options, self._records.place, progress)
        self._job = self._user.job
        assert self._job.map is not None  # noqa: S101 - `program.load` refuses a job without one
        mapper: Callable[[Any], Any] = self._job.map
        self.quarantine = Quarantine(options.skip_bad_records)
        if options.skip_bad_records:
            mapper = quarantine.skipping(mapper, self._admit(), self.quarantine, self._records, self._user)
        paired = sorted_values.paired if self._job.sort_values else _unchanged
        self._first_pairs = FirstPairs(mapper)
        self._plain = paired(mapper)
        # Quarantine looks at every pair; where there are keys only, text is what is wanted.
        looks = not (options.skip_bad_records or self._keys_only())
        self._mapper = paired(self._first_pairs) if looks else self._plain
        guard = sorted_values.PairGuard if self._job.sort_values else tables.KeyGuard
        self._guard = guard(self._records.where)
        self._divider = partitions.Divider(self._user, options.partitions)
        self._table = self._make_table(options.flush_bytes, options.memory)

    def _keys_only(self) -> bool:
        return isinstance(self._job.reduce, Reducer) and self._job.reduce.keys_only

    def _admit(self) -> quarantine.Admit:
        job = self._job
        if self._keys_only():
            return quarantine.key
        return quarantine.pairs(job.reduce, sort_values=job.sort_values)

    def _make_table(self, flush_bytes: int, memory: int) -> FoldTable | tables.GroupTable:
        job = self._job
        folds = isinstance(job.reduce, Reducer) and job.reduce.folds
        if folds and job.combine is None and not job.sort_values:
            # An accumulator takes about three times what it counts for, and sorting again as much.
            return FoldTable(job.reduce, self._guard, min(flush_bytes, memory // 6), self._spill)
        limit = memory // 3
        flush = self._flush if job.combine is not None else self._spill
        return tables.GroupTable(self._guard, flush_bytes, limit, self._spill, flush)

    def run(self, batches_: Iterator[Batch], attempt: AttemptId) -> MapOutput:
        """Map everything, then write the output."""
        try:
            self._user.setup()
            count = self._records.run(batches_, self._consume, self._user.tell)
            with failure.own_work():
                index = self._write()
            counters = self._user.teardown()
        except BaseException:  # interrupted too: half an output stands nowhere
            self._out.unlink(missing_ok=True)
            raise
        finally:
            for path in self._scratch:
                path.unlink(missing_ok=True)
        return MapOutput(
            attempt=attempt,
            checksum=index.checksum,
            rows=index.rows,
            size=self._out.stat().st_size,
            key_type=index.key_type,
            key_at=index.key_at,
            records=count,
            counters=counters,
            bad=self.quarantine.kept,
        )

    def _consume(self, part: Iterator[Any]) -> None:
        self._table.consume(self._mapper, part)
        if self._first_pairs.seen:
            self._mapper = self._plain

    # --- sorted runs ------------------------------------------------------------------

    def _spill(self, rows: Rows) -> None:
        """Write a full table to a run of its own."""
        self._runs.append(self._write_run(self._divide(rows)))

    def _flush(self, rows: Rows) -> None:
        """Combine everything since the last flush: what was spilled in between, and what is in the table."""
        runs, self._runs = self._runs, []
        sources: Iterable[Iterable[Block]] = self._divide(rows)
        if runs:
            sources = self._merged(runs, sources, _unchanged)
        self._flushed.append(self._write_run([self._combined(part) for part in sources]))
        self._discard(runs)

    def _divide(self, rows: Rows) -> list[list[Block]]:
        """Return the sorted rows of each partition."""
        encoded, held = rows
        count = self._partitions
        parts: list[Rows] = [([], []) for _ in range(count)]
        adders = [(keys_.append, values_.append) for keys_, values_ in parts]
        numbers = self._divider.numbers(encoded, self._guard.key_type)
        for key, value, number in zip(encoded, held, numbers, strict=True):
            add_key, add_value = adders[number]
            add_key(key)
            add_value(value)
        ordered = [blocks.in_order(*part) for part in parts]
        if isinstance(self._table, FoldTable):
            return [[blocks.of_objects(*part)] if part[0] else [] for part in ordered]
        return [[Block(*tables.flat(part))] if part[0] else [] for part in ordered]

    def _write_run(self, parts: Iterable[Iterable[Block]]) -> list[SegmentFile]:
        path = self._scratch_path()
        with path.open("wb") as file:
            writer = map_output.Writer(file)
            for part in parts:
                writer.segment(part)
            index = writer.finish(self._guard.key_type, self._guard.key_at)
        return map_output.segments_of(path, index)

    def _scratch_path(self) -> Path:
        path = self._out.with_name(f".{self._out.name}.run-{len(self._scratch)}")
        self._scratch.append(path)
        return path

    def _discard(self, runs: list[list[SegmentFile]]) -> None:
        for path in {segment.path for run in runs for segment in run}:
            path.unlink(missing_ok=True)

    def _merged(
        self,
        runs: list[list[SegmentFile]],
        rest: Iterable[Iterable[Block]],
        combine: Callable[[Iterable[Block]], Iterable[Block]],
    ) -> Iterator[Iterable[Block]]:
        """Yield each partition's rows, merged from runs and from what is still in memory."""
        narrowed = merging.narrow(runs, self._fan_in, self._scratch_path, combine)
        for number, part in enumerate(rest):
            yield combine(merging.merge([*(map_output.read(run[number]) for run in narrowed), part]))

    # --- the output -------------------------------------------------------------------

    def _write(self) -> map_output.Index:
        parts = self._final_parts()
        with durable.replacing(self._out) as file:
            writer = map_output.Writer(file)
            for part in parts:
                writer.segment(part)
            return writer.finish(self._guard.key_type, self._guard.key_at)

    def _final_parts(self) -> Iterable[Iterable[Block]]:
        rows = self._table.take()
        job = self._job
        if isinstance(self._table, FoldTable):
            rest = self._divide(rows)
            if not self._runs:
                return rest
            reducer: Reducer = job.reduce
            return self._merged(self._runs, rest, lambda merged: merging.folded(merged, reducer))
        if job.combine is None:
            rest = self._divide(rows)
            return self._merged(self._runs, rest, _unchanged) if self._runs else rest
        if rows[0] or self._runs:
            self._flush(rows)
        if len(self._flushed) == 1:
            return [map_output.read(segment) for segment in self._flushed[0]]
        # Combined runs are combined once more where they meet: their number and content are the plan's.
        merged = self._merged(self._flushed, [[] for _ in range(self._partitions)], _unchanged)
        return (self._combined(part) for part in merged)

    # --- the user's combiner --------------------------------------------------------------

    def _combined(self, rows: Iterable[Block]) -> Iterator[Block]:
        """Call the combiner once a key. It may run in the midst of a record, which is none of its business."""
        flat = chain.from_iterable(zip(block.keys, block.values, strict=True) for block in rows)
        decode_key = keys.decoder(self._guard.key_type) if self._guard.key_type else None
        out: Rows = ([], [])
        with self._user.aside("combine"):
            for encoded, group in groupby(flat, _first):
                assert decode_key is not None  # noqa: S101 - there is a row, so there is a key type
                packed = self._combine(decode_key(encoded), encoded, map(values.decode, map(_second, group)))
                out[0].extend([encoded] * len(packed))
                out[1].extend(packed)
                if len(out[0]) >= blocks.MAX_ROWS:
                    yield Block(*out)
                    out = ([], [])
        yield Block(*out)

    def _combine(self, key: Any, encoded: bytes, group: Iterator[Any]) -> list[bytes]:
        packed: list[bytes] = []
        key_type = self._guard.key_type
        try:
            for new_key, value in self._job.combine(key, group) or ():
                if not tables.check_key(new_key, key_type, encoded):
                    raise CombineError(f"combine was given the key {key!r:.80} and yielded {new_key!r:.80}")
                packed.append(values.encode(value))
        except BaseException as error:  # noqa: BLE001 - the boundary to user code
            failure.blame(error, f"key {key!r:.80}, combine", "combine")
        return packed


def _unchanged(given: T) -> T:
    return given
