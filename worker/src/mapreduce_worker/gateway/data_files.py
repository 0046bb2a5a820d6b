"""The data files of an output: which parts go into which file, under which names; and how they are summed up.

Neighbours: `publishing.py` (has them written), `formats.py` (writes), `mapreduce.paths` (the names).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from mapreduce import paths
from mapreduce.errors import CorruptionError
from mapreduce.history import HistoryEvent
from mapreduce.ids import TaskId
from mapreduce.protocol import OutputSummary
from mapreduce.spec import Compression, JobSpec, Merge, Order, OutputFormat, Overwrite
from mapreduce_worker.engine.data_file import Style, merges_by_key


class OutputOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a job says of its output."""

    format: OutputFormat = "tsv"
    merge: Merge = "sorted"
    compression: Compression = "none"
    overwrite: Overwrite = "refuse"
    order: Order = "hash"


DEFAULTS: Final = OutputOptions()


def of_job(spec: JobSpec) -> OutputOptions:
    """Return the options of a job's output."""
    return OutputOptions(
        format=spec.output_format,
        merge=spec.merge,
        compression=spec.output_compression,
        overwrite=spec.overwrite,
        order=spec.order,
    )


class Planned(msgspec.Struct, frozen=True):
    """A data file to be: its name, and the staged parts in it, in their order."""

    name: str
    parts: tuple[str, ...]


class Written(msgspec.Struct, frozen=True):
    """A data file of an output; the checksum is `sha256:<hex>` of its bytes."""

    name: str
    records: int
    size: int
    checksum: str


def plan(staging: str, staged: Sequence[HistoryEvent], options: OutputOptions) -> tuple[Planned, ...]:
    """Return the data files of an output whose parts were staged so, in the order of partitions or splits."""
    tasks = [_task(event) for event in staged]
    parts = [paths.part(staging, task.step, task.index) for task in tasks]
    if options.merge == "sorted":
        return (Planned(paths.output_file(options.format, options.compression), tuple(parts)),)
    names = [paths.part_file(task.kind, task.index, options.format, options.compression) for task in tasks]
    return tuple(Planned(name, (part,)) for name, part in zip(names, parts, strict=True))


def style(staged: Sequence[HistoryEvent], options: OutputOptions) -> Style:
    """Return how the files are written."""
    return style_of(options, of_maps=any(_task(event).kind == "map" for event in staged))


def style_of(options: OutputOptions, *, of_maps: bool) -> Style:
    """Return how files are written whose parts are those of maps, or of reduces."""
    by_key = merges_by_key(options.order, options.merge, of_maps=of_maps)
    return Style(format=options.format, compression=options.compression, by_key=by_key)


def summary(path: str, files: Sequence[Written]) -> OutputSummary:
    """Return what is said of an output as a whole.

    The checksum of several files is that of the lines `<hex>  <name>`: what `sha256sum part-* | sha256sum` gives.
    """
    if len(files) == 1:
        checksum = files[0].checksum
    else:
        lines = "".join(f"{file.checksum.rpartition(':')[2]}  {file.name}\n" for file in files)
        checksum = f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
    return OutputSummary(
        path=path,
        files=len(files),
        records=sum(file.records for file in files),
        size=sum(file.size for file in files),
        checksum=checksum,
    )


def _task(event: HistoryEvent) -> TaskId:
    if event.task is None:
        raise CorruptionError("a staged part in the journal names no task")
    return event.task
