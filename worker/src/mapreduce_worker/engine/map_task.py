"""A map task whose rows go to reduces: its entry, and the records that it reads.

Neighbours: `map_run` (does it), `map_part` (a map task of a job without reduce), `formats` (bytes to records),
`batch_map` and `batches` (the same for `map_batch`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from mapreduce.api import Job
from mapreduce.ids import AttemptId
from mapreduce.plan import FileRange, Split
from mapreduce.protocol import MapOutput
from mapreduce_worker.engine import formats, records
from mapreduce_worker.engine.instance import Progress
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.map_run import MapRun
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.records import Batch, Refuse

Source = Callable[[FileRange, int], tuple[int, Iterator[Chunk]]]
"""Takes a range and its position in the split; gives the offset of the first byte, and chunks."""


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
    if job_class.map_batch is not None:
        # Only here: it brings polars.
        from mapreduce_worker.engine.batch_map import BatchRun  # noqa: PLC0415 - see above
        from mapreduce_worker.engine.batches import windows  # noqa: PLC0415 - see above

        batch_run = BatchRun(job_class, options, out, progress)
        return batch_run.run(windows(split, source, options, batch_run.quarantine.refuse, scratch=out.parent), attempt)
    run = MapRun(job_class, options, out, progress)
    return run.run(batches(split, source, options, run.quarantine.refuse, out.parent), attempt)


def batches(
    split: Split,
    source: Source,
    options: TaskOptions,
    refuse: Refuse = records.never,
    scratch: Path | None = None,
) -> Iterator[Batch]:
    """Yield the records of a split, in their order; `scratch` is a folder for what is not read from front to back."""
    for position, part in enumerate(split.ranges):
        offset, chunks = source(part, position)
        yield from formats.read_range(part, offset, chunks, options, refuse, scratch)
