"""A reduce attempt: one partition's segments of all maps become one part.

Values reach the reducer in map-index order, then in the order of their emission. Segments are
merged as streams; where there are more of them than memory allows at once, neighbours are merged
to scratch files first. One key with more values than memory streams too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mapreduce import keys
from mapreduce.api import Job
from mapreduce.errors import CorruptionError, RowTooLargeError
from mapreduce.ids import AttemptId
from mapreduce.keys import KeyType
from mapreduce.reducers import Reducer
from mapreduce.selection import Collect, Each
from mapreduce_worker.engine import durable, failure, folding, map_output, merging, part_lines, sorted_values
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.grouping import Groups
from mapreduce_worker.engine.instance import Instance, Progress
from mapreduce_worker.engine.map_output import SegmentFile
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.part import PartResult, Sink
from mapreduce_worker.engine.results import Results

PROGRESS_SECONDS: Final = 0.1


def run_reduce(  # noqa: PLR0913 - what an attempt depends on, one by one
    job_class: type[Job],
    segments: Sequence[SegmentFile],
    *,
    options: TaskOptions,
    key_type: KeyType,
    partition: int,
    attempt: AttemptId,
    out: Path,
    scratch: Path,
    progress: Progress,
) -> PartResult:
    """Reduce the segments, given in map-index order, into the part `out`.

    Merges that do not fit into `options.memory` go to files in `scratch`, which are gone at the end.
    `progress` takes rows read and bytes written so far. Raises `UserTaskError` for the user's faults,
    `SegmentCorrupt` for a segment that is not what was written.
    """
    run = _class_for(job_class)(job_class, options, key_type=key_type, partition=partition, progress=progress)
    merges = _Scratch(scratch, f".{attempt}.merge-")
    try:
        sources = Sources(segments, options.memory, merges.path)
        with durable.replacing(out, sync=False) as file:
            writer = part_lines.open_writer(file, options, sorted_values.split(key_type)[0], of_map=False)
            counters = run.run(sources, writer)
            made = writer.finish()
        return msgspec.structs.replace(made, counters=counters, spills=merges.count)
    finally:
        merges.remove()


def _class_for(job_class: type[Job]) -> type[ReduceRun]:
    # Only here: they need this module, and one brings polars.
    if job_class.reduce_batch is not None:
        from mapreduce_worker.engine.batch_reduce import BatchReduceRun  # noqa: PLC0415 - see above

        return BatchReduceRun
    reducer = job_class.reduce
    if type(reducer) is Each:
        from mapreduce_worker.engine.each_reduce import EachRun  # noqa: PLC0415 - see above

        return EachRun
    if type(reducer) is Collect:
        from mapreduce_worker.engine.collect_reduce import CollectRun  # noqa: PLC0415 - see above

        return CollectRun
    if isinstance(reducer, Reducer) and reducer.folds and job_class.combine is None and not job_class.sort_values:
        from mapreduce_worker.engine.fold_reduce import FoldReduceRun  # noqa: PLC0415 - see above

        return FoldReduceRun
    return ReduceRun


class _Scratch:
    """Names for scratch files, all of which are removed at the end."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        self._paths: list[Path] = []

    def path(self) -> Path:
        self._paths.append(self._folder / f"{self._prefix}{len(self._paths)}")
        return self._paths[-1]

    @property
    def count(self) -> int:
        return len(self._paths)

    def remove(self) -> None:
        for path in self._paths:
            path.unlink(missing_ok=True)


class Sources:
    """The segments of all maps, in the order of the maps."""

    def __init__(self, segments: Sequence[SegmentFile], memory: int, path: Callable[[], Path]) -> None:
        """Take the memory of the attempt, in bytes, and what names scratch files."""
        self.memory = memory
        self._segments = [segment for segment in segments if segment.rows or segment.length]
        self._path = path

    def each(self) -> Iterator[Iterator[Rows]]:
        """Yield the rows of one segment after the other."""
        return map(map_output.read, self._segments)

    def replace(self, count: int, rows: Iterable[Rows]) -> None:
        """Write rows to a scratch file, and let it stand for the first `count` segments."""
        path = self._path()
        self._segments[:count] = merging.write_run([rows], path)

    def merged(self, combine: Callable[[Iterable[Rows]], Iterable[Rows]]) -> Iterator[Rows]:
        """Yield all rows in key order.

        Where there are too many segments to be open at once, neighbours are merged to files, by way of `combine`.
        """
        runs = [[segment] for segment in self._segments]
        narrowed = merging.narrow(runs, merging.fan_in(self.memory), self._path, combine)
        return merging.merge([map_output.read(run[0]) for run in narrowed], self.memory)


class ReduceRun:
    """One attempt: user code takes the values of each key, which come in key order."""

    def __init__(
        self, job_class: type[Job], options: TaskOptions, *, key_type: KeyType, partition: int, progress: Progress
    ) -> None:
        """Make a fresh job; nothing of the user's is called yet but its constructor."""
        self._key_type = key_type
        self._partition = partition
        self._rows = self._written = 0
        self._told = time.monotonic()
        self._user = Instance(job_class, options, _no_record, progress)
        self._job = self._user.job
        self._built_in = isinstance(self._job.reduce, Reducer)
        self._sorted = bool(self._job.sort_values)

    def run(self, sources: Sources, writer: Sink) -> dict[str, int]:
        """Reduce every key and write what comes out; return what was counted."""
        self._user.setup()
        try:
            written = self._run(sources, writer)
        except RowTooLargeError as error:
            key = sorted_values.decoded(error.key, sorted_values.split(self._key_type)[0])
            failure.blame(error, f"key {key!r:.80}, partition {self._partition}", "reduce")
        counters = self._user.teardown()
        self._user.tell(self._rows, written)
        return counters

    def _run(self, sources: Sources, writer: Sink) -> int:
        results = Results(writer)
        self._reduce(self._groups(sources.merged(lambda rows: rows)), results)
        return results.written

    def _tell(self, written: int) -> None:
        self._written = written
        if (now := time.monotonic()) - self._told > PROGRESS_SECONDS:
            self._told = now
            self._user.tell(self._rows, written)

    def _groups(self, rows: Iterable[Rows]) -> Groups:
        key_of = sorted_values.key_of(self._key_type) if self._sorted else None
        return Groups(self._counting(rows), self._decoder, key_of)

    def _counting(self, rows: Iterable[Rows]) -> Iterator[Rows]:
        for block in rows:
            yield block
            self._rows += block.count
            # A key with very many values shows progress too.
            self._tell(self._written)

    def _reduce(self, groups: Groups, results: Results) -> None:
        take, now, due = results.take, time.monotonic, 0.0
        call = self._reduce_values if self._built_in else self._job.reduce
        for encoded, key, values in groups:
            try:
                take(encoded, key, call(key, values) or ())
            except BaseException as error:  # noqa: BLE001 - the boundary to user code
                if groups.fault is None:
                    failure.blame(error, f"key {key!r:.80}, partition {self._partition}", "reduce")
            if groups.fault is not None:
                raise groups.fault
            if now() > due:
                due = now() + PROGRESS_SECONDS
                self._tell(results.written)
        results.close()

    def _decoder(self) -> Callable[[bytes], Any]:
        if not self._key_type:
            raise CorruptionError(f"partition {self._partition} has rows, but no map gave a key type")
        return keys.decoder(sorted_values.split(self._key_type)[0])

    def _reduce_values(self, key: Any, group: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
        try:
            yield from self._job.reduce(key, group)
        except TypeError as error:
            raise folding.told(key, error) from error


def _no_record() -> None:
    """Tell where the current record is: a reduce has none."""
