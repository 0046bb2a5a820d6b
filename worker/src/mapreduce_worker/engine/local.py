"""The engine over records in memory: what `mapreduce.testing` finds by its entry point.

At least two splits and two partitions, real files in a temporary folder, the codec in between:
wrong assumptions of a job show here, on a laptop.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mapreduce.api import Job
from mapreduce.errors import MixedKeyError
from mapreduce.ids import AttemptId, TaskId
from mapreduce.protocol import MapOutput
from mapreduce.spec import MIB
from mapreduce_worker.engine import map_output, merge
from mapreduce_worker.engine.map_task import MapRun
from mapreduce_worker.engine.reduce_task import run_reduce


class ListBatch:
    """Records that are at hand already; their place is their index."""

    def __init__(self, records: Sequence[Any], start: int) -> None:
        """Take the records, of which the first has the index `start`."""
        self.records = records
        self._start = start

    @property
    def size(self) -> int:
        """Return the number of records: they have no bytes."""
        return len(self.records)

    def where(self, index: int) -> str:
        """Return `record:index`."""
        return f"record:{self._start + index}"


def run_job(
    job_class: type[Job],
    records: Iterable[Any],
    *,
    splits: int = 2,
    partitions: int = 2,
    flush_bytes: int = 64 * MIB,
    memory: int = 512 * MIB,
) -> list[tuple[Any, Any]]:
    """Return the job's output pairs in output order, run by the engine.

    Keys and values have been through the codec, but a key that was a tuple is one again.
    """
    everything = list(records)
    with tempfile.TemporaryDirectory(prefix="mapreduce-") as folder:
        scratch = Path(folder)
        parts = _run(job_class, everything, scratch, (splits, partitions), (flush_bytes, memory))
        return [(_tuple(key), value) for key, value in merge.pairs(parts)]


def _run(
    job_class: type[Job], records: list[Any], scratch: Path, shape: tuple[int, int], limits: tuple[int, int]
) -> list[Path]:
    splits, partitions = shape
    flush_bytes, memory = limits
    outputs = []
    for index in range(splits):
        start, end = index * len(records) // splits, (index + 1) * len(records) // splits
        out = scratch / f"map-{index}"
        run = MapRun(job_class, partitions=partitions, flush_bytes=flush_bytes, memory=memory, out=out)
        batches = iter([ListBatch(records[start:end], start)])
        outputs.append(run.run(batches, AttemptId(TaskId(0, "map", index), 1, 0), _ignore)[0])
    key_type = _one_type(outputs)
    files = [scratch / f"map-{index}" for index in range(splits)]
    segments = [map_output.segments_of(path, map_output.read_index(path)) for path in files]
    parts = []
    for partition in range(partitions):
        parts.append(scratch / f"part-{partition}")
        run_reduce(
            job_class,
            [row[partition] for row in segments],
            key_type=key_type,
            partition=partition,
            memory=memory,
            attempt=AttemptId(TaskId(0, "reduce", partition), 1, 0),
            out=parts[-1],
            scratch=scratch,
            progress=_ignore,
        )
    return parts


def _one_type(outputs: Sequence[MapOutput]) -> str:
    found = {output.key_type: output.key_at for output in reversed(outputs) if output.key_type}
    if len(found) > 1:
        listed = ", ".join(f"{key_type} at {where}" for key_type, where in found.items())
        raise MixedKeyError(f"keys of different types were emitted: {listed}")
    return next(iter(found), "")


def _tuple(key: Any) -> Any:
    return tuple(map(_tuple, key)) if isinstance(key, list) else key


def _ignore(records: int, size: int) -> None:
    """Show no progress."""
