"""The engine over records in memory: what `mapreduce.testing` finds by its entry point.

At least two splits and two partitions, real files in a temporary folder, the codec in between:
wrong assumptions of a job show here, on a laptop.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mapreduce import boundaries, counters, keys
from mapreduce.api import Job
from mapreduce.errors import MixedKeyError
from mapreduce.ids import AttemptId, TaskId
from mapreduce.protocol import MapOutput
from mapreduce.spec import MIB, Order
from mapreduce.testing import Outcome
from mapreduce_worker.engine import map_output, merge
from mapreduce_worker.engine.map_output import SegmentFile
from mapreduce_worker.engine.map_part import MapPartRun
from mapreduce_worker.engine.map_run import MapRun
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.reduce_task import run_reduce

WINDOW: Final = 1024
"""Characters of text in one frame for `map_batch`: few, so that there are several."""


class ListBatch:
    """Records that are at hand already; their place is their index."""

    def __init__(self, records: Sequence[Any], start: int) -> None:
        """Take the records, of which the first has the index `start`."""
        self.records = records
        self._start = start
        self.name = "record"

    @property
    def size(self) -> int:
        """Return the number of records: they have no bytes."""
        return len(self.records)

    def offset(self, index: int) -> int:
        """Return the index among all records."""
        return self._start + index

    def where(self, index: int) -> str:
        """Return `record:index`."""
        return f"record:{self._start + index}"

    def raw(self, index: int) -> bytes:
        """Return the record as Python shows it."""
        return repr(self.records[index]).encode(errors="backslashreplace")


def run_job(  # noqa: PLR0913 - the shape of the run, one by one
    job_class: type[Job],
    records: Iterable[Any],
    *,
    splits: int = 2,
    partitions: int = 2,
    flush_bytes: int = 64 * MIB,
    memory: int = 512 * MIB,
    params: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    order: Order = "hash",
) -> Outcome:
    """Return what the engine makes of the records, divided into `splits`, with its own files in between.

    Keys and values have been through the codec, but a key that was a tuple is one again.
    `files` are the contents of the side files by name.
    """
    with tempfile.TemporaryDirectory(prefix="mapreduce-") as folder:
        scratch = Path(folder)
        options = TaskOptions(
            partitions=partitions,
            flush_bytes=flush_bytes,
            memory=memory,
            params=dict(params or {}),
            files=_write_files(scratch, files or {}),
            order=order,
            samples=boundaries.samples(splits, partitions, 0),
        )
        run = _Run(job_class, options, scratch)
        parts = run.run(list(records), splits)
        pairs = [(_tuple(key), value) for key, value in merge.pairs(parts)]
        return Outcome(pairs, counters.add(run.counted))


def _write_files(scratch: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    folder = scratch / "files"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in files}


class _Run:
    """One job, task by task."""

    def __init__(self, job_class: type[Job], options: TaskOptions, scratch: Path) -> None:
        self._job_class = job_class
        self._options = options
        self._scratch = scratch
        self.counted: list[dict[str, int]] = []

    def run(self, records: list[Any], splits: int) -> list[Path]:
        """Return the parts, in their order."""
        if self._job_class.reduce is None and self._job_class.reduce_batch is None:
            return [self._map_part(index, batch) for index, batch in enumerate(_divide(records, splits))]
        outputs = [self._map(index, batch) for index, batch in enumerate(_divide(records, splits))]
        key_type = _one_type(outputs)
        paths = [self._scratch / f"map-{index}" for index in range(splits)]
        files = [(path, map_output.read_index(path)) for path in paths]
        count = self._options.partitions
        chosen = boundaries.choose([(output.rows, output.sample) for output in outputs], count)
        parts = []
        for at in range(count):
            wanted = boundaries.range_of(chosen, at) if self._options.order == "total" else boundaries.ALL
            segments = [map_output.segment_file(path, index, at, wanted) for path, index in files]
            parts.append(self._reduce(at, segments, key_type))
        return parts

    def _map(self, index: int, batch: ListBatch) -> MapOutput:
        attempt, out = AttemptId(TaskId(0, "map", index), 1, 0), self._scratch / f"map-{index}"
        if self._job_class.map_batch is not None:
            from mapreduce_worker.engine.batch_map import BatchRun  # noqa: PLC0415 - it brings polars

            output = BatchRun(self._job_class, self._options, out, _ignore).run(_windows(batch), attempt)
        else:
            output = MapRun(self._job_class, self._options, out, _ignore).run(iter([batch]), attempt)
        self.counted.append(output.counters)
        return output

    def _map_part(self, index: int, batch: ListBatch) -> Path:
        out = self._scratch / f"part-{index}"
        if self._job_class.map_batch is not None:
            from mapreduce_worker.engine.batch_map import BatchPartRun  # noqa: PLC0415 - it brings polars

            made = BatchPartRun(self._job_class, self._options, _ignore).run(_windows(batch), out)
        else:
            made = MapPartRun(self._job_class, self._options, _ignore).run([batch], out)
        self.counted.append(made.counters)
        return out

    def _reduce(self, partition: int, segments: list[SegmentFile], key_type: str) -> Path:
        out = self._scratch / f"part-{partition}"
        made = run_reduce(
            self._job_class,
            segments,
            options=self._options,
            key_type=key_type,
            partition=partition,
            attempt=AttemptId(TaskId(0, "reduce", partition), 1, 0),
            out=out,
            scratch=self._scratch,
            progress=_ignore,
        )
        self.counted.append(made.counters)
        return out


def _divide(records: Sequence[Any], splits: int) -> Iterator[ListBatch]:
    for index in range(splits):
        start, end = index * len(records) // splits, (index + 1) * len(records) // splits
        yield ListBatch(records[start:end], start)


def _windows(batch: ListBatch) -> Iterator[Any]:
    from mapreduce_worker.engine import batches  # noqa: PLC0415 - it brings polars

    return batches.of_records(batch.records, batch.offset(0), WINDOW)


def _one_type(outputs: Sequence[MapOutput]) -> str:
    found = {output.key_type: output.key_at for output in reversed(outputs) if output.key_type}
    if len(found) > 1:
        (first, at), *_, (other, other_at) = reversed(found.items())
        raise MixedKeyError(keys.mixture(first, at, other, other_at))
    return next(iter(found), "")


def _tuple(key: Any) -> Any:
    return tuple(map(_tuple, key)) if isinstance(key, list) else key


def _ignore(records: int, size: int) -> None:
    """Show no progress."""
