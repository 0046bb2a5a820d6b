"""A map attempt of a job without reduce: the records of a split become one part of the output.

The rows stay in the order of the input, and in the order of the map's yield: they all have the empty
key, and the parts are joined in the order of their maps, so that the output does not depend on where the
input was divided. Neighbours: `map_task` (where there is a reduce), `emitted`, `merge`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from mapreduce.api import Job
from mapreduce.plan import Split
from mapreduce_worker.engine import durable, emitted, map_task, part_lines, quarantine
from mapreduce_worker.engine.instance import Instance, Progress
from mapreduce_worker.engine.map_task import Source
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.part import PartResult
from mapreduce_worker.engine.quarantine import Quarantine
from mapreduce_worker.engine.record_loop import RecordLoop
from mapreduce_worker.engine.records import Batch

_NO_KEY: Final = b""


def run_map(
    job_class: type[Job], split: Split, source: Source, *, options: TaskOptions, out: Path, progress: Progress
) -> PartResult:
    """Map a split into the part `out`; return what to report.

    Raises `UserTaskError` for what the user's code or data is at fault for.
    """
    if job_class.map_batch is not None:
        # Only here: it brings polars.
        from mapreduce_worker.engine.batch_map import BatchPartRun  # noqa: PLC0415 - see above
        from mapreduce_worker.engine.batches import windows  # noqa: PLC0415 - see above

        batch_run = BatchPartRun(job_class, options, progress)
        return batch_run.run(windows(split, source, options, batch_run.quarantine.refuse, scratch=out.parent), out)
    run = MapPartRun(job_class, options, progress)
    return run.run(map_task.batches(split, source, options, run.quarantine.refuse, out.parent), out)


class MapPartRun:
    """One attempt over any batches of records."""

    by_record: ClassVar[bool] = True
    """The user's code takes one record at a time, so that one that is bad can be left out."""

    def __init__(self, job_class: type[Job], options: TaskOptions, progress: Progress) -> None:
        """Make a fresh job; nothing of the user's is called yet but its constructor."""
        self._options = options
        self._records = RecordLoop()
        self._user = Instance(job_class, options, self._records.place, progress)
        self._mapper: Callable[[Any], Iterable[Any] | None] = self._user_map()
        self._pack: Callable[[Any], bytes] = emitted.pack
        self.quarantine = Quarantine(options.skip_bad_records)
        if options.skip_bad_records and self.by_record:
            self._mapper = quarantine.skipping(self._mapper, emitted.pack, self.quarantine, self._records, self._user)
            self._pack = _packed_already

    def _user_map(self) -> Callable[[Any], Iterable[Any] | None]:
        assert self._user.job.map is not None  # noqa: S101 - `program.load` refuses a job without one
        return self._user.job.map

    def run(self, batches: Iterable[Batch], out: Path) -> PartResult:
        """Map everything into the file `out`."""
        with durable.replacing(out, sync=False) as file:
            writer = part_lines.open_writer(file, self._options, "", of_map=True)
            collector = emitted.Collector(writer)
            self._user.setup()
            records = self._records.run(batches, lambda slice_: self._consume(slice_, collector), self._user.tell)
            collector.close()
            counters = self._user.teardown()
            made = writer.finish()
        return msgspec.structs.replace(made, records=records, counters=counters, bad=self.quarantine.kept)

    def _consume(self, records: Iterator[Any], collector: emitted.Collector) -> None:
        mapper, add, pack = self._mapper, collector.add, self._pack
        for record in records:
            for pair in mapper(record) or ():
                add(_NO_KEY, pack(pair))


def _packed_already(packed: bytes) -> bytes:
    return packed
