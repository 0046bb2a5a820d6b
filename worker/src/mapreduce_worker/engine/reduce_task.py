"""A reduce attempt: one partition's segments of all maps become one part.

Values reach the reducer in map-index order, then in the order of their emission. Segments are
merged as streams; where there are more of them than memory allows at once, neighbours are merged
to scratch files first. One key with more values than memory streams too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from mapreduce import keys, values
from mapreduce.api import Job
from mapreduce.errors import CorruptionError, UserError
from mapreduce.ids import AttemptId
from mapreduce.keys import KeyType
from mapreduce.reducers import Reducer
from mapreduce_worker.engine import blocks, durable, emitted, failure, map_output, merging, part, sorted_values
from mapreduce_worker.engine.blocks import MAX_ROWS, Rows
from mapreduce_worker.engine.instance import Instance, Progress
from mapreduce_worker.engine.map_output import SegmentFile
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.part import PartResult

PROGRESS_SECONDS: Final = 0.1
ROW_MEMORY: Final = 400
"""About what a key and its sum take in Python's memory, in bytes, while they are added up and written."""
KEY_COPIES: Final = 6
"""How often the bytes of a key are there at once, while its rows are sorted and written."""

_first, _second = itemgetter(0), itemgetter(1)


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
    memory = options.memory
    merges = _Scratch(scratch, f".{attempt}.merge-")
    combine = run.combine_runs
    try:
        full = [[segment] for segment in segments if segment.rows or segment.length]
        narrowed = merging.narrow(full, merging.fan_in(memory), merges.path, combine)
        rows = [map_output.read(run_[0]) for run_ in narrowed]
        fits = sum(segment.rows for segment in segments) * ROW_MEMORY <= memory // 2
        with durable.replacing(out, sync=False) as file:
            writer = part.Writer(file, sorted_values.split(key_type)[0])
            counters = run.run(rows, writer, budget=memory // 2 if fits else 0)
            made = writer.finish()
        return msgspec.structs.replace(made, counters=counters)
    finally:
        merges.remove()


def _class_for(job_class: type[Job]) -> type[ReduceRun]:
    if job_class.reduce_batch is None:
        return ReduceRun
    # Only here: it brings polars.
    from mapreduce_worker.engine.batch_reduce import BatchReduceRun  # noqa: PLC0415 - see above

    return BatchReduceRun


class _Scratch:
    """Names for scratch files, all of which are removed at the end."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        self._paths: list[Path] = []

    def path(self) -> Path:
        self._paths.append(self._folder / f"{self._prefix}{len(self._paths)}")
        return self._paths[-1]

    def remove(self) -> None:
        for path in self._paths:
            path.unlink(missing_ok=True)


class ReduceRun:
    """One attempt over rows that come in key order."""

    def __init__(
        self, job_class: type[Job], options: TaskOptions, *, key_type: KeyType, partition: int, progress: Progress
    ) -> None:
        """Make a fresh job; nothing of the user's is called yet but its constructor."""
        self._key_type = key_type
        self._partition = partition
        self._fault: BaseException | None = None
        self._rows = 0
        self._written = 0
        self._told = time.monotonic()
        self._user = Instance(job_class, options, _no_record, progress)
        self._job = self._user.job
        reducer = self._job.reduce
        self._built_in = isinstance(reducer, Reducer)
        self._sorted = bool(self._job.sort_values)
        plain = self._job.combine is None and not self._sorted
        self._folds = isinstance(reducer, Reducer) and reducer.folds and plain

    def combine_runs(self, rows: Iterable[Rows]) -> Iterable[Rows]:
        """Shrink merged runs on their way to a scratch file, where that changes nothing."""
        return merging.folded(rows, self._job.reduce) if self._folds else rows

    def run(self, sources: Sequence[Iterable[Rows]], writer: part.Writer, *, budget: int) -> dict[str, int]:
        """Reduce every key and write what comes out; the sources stand in the order of their maps.

        `budget` is how many bytes a dictionary of all keys may take; 0 if there are too many rows for one.
        Returns what was counted.
        """
        self._user.setup()
        if budget and self._folds and self._job.reduce.few_numbers:
            written = self._sum(list(map(iter, sources)), writer, budget)
        else:
            written = self._reduce(merging.merge(sources), writer)
        counters = self._user.teardown()
        self._user.tell(self._rows, written)
        return counters

    def _sum(self, sources: Sequence[Iterator[Rows]], writer: part.Writer, budget: int) -> int:
        """Add up in a dictionary: nothing needs an order but the output, and accumulators are small.

        Where the keys turn out to be too long for that, what is added up so far becomes the first source of a merge.
        """
        sums: dict[bytes, Any] = {}
        for at, source in enumerate(sources):
            for block in source:
                known = len(sums)
                self._add_up(block, sums)
                self._rows += block.count
                self._tell(0)
                budget -= _weigh_new(block, len(sums) - known)
                if budget < 0:
                    self._rows -= len(sums)
                    return self._reduce(merging.merge([self._added_up(sums), *sources[at:]]), writer)
        return self._write_sums(sums, writer)

    def _add_up(self, block: Rows, sums: dict[bytes, Any]) -> None:
        get, merge = sums.get, self._job.reduce.merge
        if block.packed:
            for key, acc in zip(block.keys, block.unpacked(), strict=True):
                sums[key] = merge(sums[key], acc) if key in sums else acc
        else:
            for key, number in zip(block.keys, block.values, strict=True):
                known = get(key, 0)
                sums[key] = known + number if type(known) is int else merge(known, number)

    def _added_up(self, sums: dict[bytes, Any]) -> Iterator[Rows]:
        """Yield the sums as a source like those that they came from; empties the dictionary."""
        encoded = sorted(sums)
        accs = [self._job.reduce.canonical(sums.pop(key)) for key in encoded]
        yield from blocks.cut([blocks.of_objects(encoded, accs)])

    def _write_sums(self, sums: dict[bytes, Any], writer: part.Writer) -> int:
        if not sums:
            return 0
        decode_key, finish, written = self._decoder(), self._job.reduce.finish, 0
        encoded, accs = blocks.in_order(list(sums), list(sums.values()))
        for start in range(0, len(encoded), MAX_ROWS):
            here = slice(start, start + MAX_ROWS)
            pairs = list(zip(map(decode_key, encoded[here]), map(finish, accs[here]), strict=True))
            for block in blocks.cut([blocks.of_packed(encoded[here], values.encode_all(pairs))]):
                writer.add(block)
                written += block.size()
            self._tell(written)
        return written

    def _tell(self, written: int) -> None:
        if (now := time.monotonic()) - self._told > PROGRESS_SECONDS:
            self._told = now
            self._user.tell(self._rows, written)

    def _reduce(self, rows: Iterable[Rows], writer: part.Writer) -> int:
        batch = emitted.Collector(writer)
        for encoded, pair in self._reduced(rows):
            batch.add(encoded, pair)
            self._tell(batch.written)
        batch.close()
        return batch.written

    def _reduced(self, rows: Iterable[Rows]) -> Iterator[tuple[bytes, bytes]]:
        """Yield (encoded group key, packed pair) for everything that the reducer yields."""
        decode_key = None
        call = self._fold if self._folds else self._reduce_values if self._built_in else self._job.reduce
        for encoded, group in groupby(self._stream(rows), _first):
            if decode_key is None:
                decode_key = self._decoder()
            key = decode_key(encoded)
            try:
                for pair in call(key, map(_second, group)) or ():
                    yield encoded, emitted.pack(pair)
            except BaseException as error:  # noqa: BLE001 - the boundary to user code
                self._raise_fault()
                where = f"key {key!r:.80}, partition {self._partition}"
                failure.blame(error, where, "reduce")
            self._raise_fault()
        self._raise_fault()

    def _decoder(self) -> Callable[[bytes], Any]:
        if not self._key_type:
            raise CorruptionError(f"partition {self._partition} has rows, but no map gave a key type")
        return keys.decoder(sorted_values.split(self._key_type)[0])

    def _stream(self, rows: Iterable[Rows]) -> Iterator[tuple[bytes, Any]]:
        """Yield (encoded key, value); a fault is kept too, as user code that drains the values may swallow it."""
        find_key = sorted_values.key_of(self._key_type) if self._sorted else None
        try:
            for block in rows:
                encoded = map(find_key, block.keys) if find_key is not None else block.keys
                yield from zip(encoded, block.unpacked(), strict=True)
                self._rows += block.count
        except BaseException as error:
            self._fault = error
            raise

    def _raise_fault(self) -> None:
        if self._fault is not None and not isinstance(self._fault, GeneratorExit):
            raise self._fault

    def _fold(self, key: Any, accs: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
        reducer: Reducer = self._job.reduce
        try:
            yield key, reducer.finish(reduce(reducer.merge, accs))
        except TypeError as error:
            raise UserError(str(error)) from error

    def _reduce_values(self, key: Any, group: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
        try:
            yield from self._job.reduce(key, group)
        except TypeError as error:
            raise UserError(str(error)) from error


def _no_record() -> None:
    """Tell where the current record is: a reduce has none."""


def _weigh_new(block: Rows, new: int) -> int:
    """Return what the new ones among a block's keys take, at most."""
    if not new:
        return 0
    sizes = list(map(len, block.keys))
    return new * ROW_MEMORY + KEY_COPIES * min(sum(sizes), new * max(sizes))
