"""What stands beside a history so that one of its tasks can be run again: the plan, and the job as it was asked for.

`_history/plan.ndjson` has the header of the plan in its first line, then a line for each map: its index, and the ranges
of files that it reads. `_history/job.json` has the job with its program and parameters, and the program's digest. Every
line ends with a CRC-32 of the rest, as those of `events.ndjson` do. Whoever reads them believes nothing: they may come
from a volume that others write to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import msgspec

from mapreduce import history
from mapreduce.errors import CorruptionError, MapReduceError
from mapreduce.history import Frame, PlanMade, PlanPage
from mapreduce.plan import FileRange, ListedFile, PlanHeader, Split
from mapreduce.spec import JobSpec

VERSION: Final = 1
LONGEST: Final = history.MAX_FRAME
"""Bytes of a line."""


class _Range(msgspec.Struct, frozen=True, omit_defaults=True):
    """A `FileRange` in words: `name` and `path` as in `ListedFile`."""

    name: str
    path: str
    start: int
    end: int
    size: int
    identity: str
    header: str = ""
    exact: bool = False
    tail: int = 0


class _Map(msgspec.Struct, frozen=True):
    index: int
    ranges: tuple[_Range, ...]


class KeptJob(msgspec.Struct, frozen=True, kw_only=True):
    """The job as it was asked for, and the version that ran it."""

    version: int = VERSION
    engine_version: str
    digest: str
    """Of the program, which is in `spec`."""
    spec: JobSpec


def render_plan(frames: Iterable[Frame]) -> Iterator[bytes]:
    """Yield the lines of `plan.ndjson` from a journal; none where the plan was not complete.

    A journal may hold pages twice, of a master that was replaced: the last complete plan counts.
    """
    pages: list[PlanPage] = []
    made: PlanMade | None = None
    for frame in frames:
        if isinstance(frame.entry, PlanPage):
            if frame.entry.number == 0:
                pages = []
            pages.append(frame.entry)
        elif isinstance(frame.entry, PlanMade):
            made = frame.entry
    if made is None or len(pages) != made.pages:
        return
    yield history.checked(msgspec.json.encode(made.header))
    for page in pages:
        for split in page.splits:
            yield history.checked(msgspec.json.encode(_Map(split.index, tuple(map(_told, split.ranges)))))


def _told(part: FileRange) -> _Range:
    file = part.file
    return _Range(
        file.name, file.path, part.start, part.end, file.size, file.identity, part.header, part.exact, part.tail
    )


def render_job(spec: JobSpec, engine_version: str) -> bytes:
    """Return the content of `job.json`."""
    kept = KeptJob(engine_version=engine_version, digest=spec.program.digest, spec=spec)
    return history.checked(msgspec.json.encode(kept))


def read_job(file: BinaryIO) -> KeptJob:
    """Return what `job.json` says; raises `CorruptionError`, also where the program is not the one that it names."""
    for fields in _lines(file, "job"):
        try:
            kept = msgspec.convert(fields, KeptJob)
        except (msgspec.ValidationError, MapReduceError) as error:
            raise CorruptionError(f"the job beside the history is of another version: {error}") from error
        if kept.digest != kept.spec.program.digest:
            raise CorruptionError("the program beside the history is not the one that the job names")
        return kept
    raise CorruptionError("the job beside the history is empty")


def read_plan(file: BinaryIO, index: int) -> tuple[PlanHeader, Split]:
    """Return the header of the plan, and the split of one map; raises `CorruptionError`, `LookupError`."""
    lines = _lines(file, "plan", b'{"index":%d,' % index)
    try:
        header = msgspec.convert(next(lines, {}), PlanHeader)
        for fields in lines:
            found = msgspec.convert(fields, _Map)
            if found.index == index:
                return header, Split(index, tuple(map(_meant, found.ranges)))
    except msgspec.ValidationError as error:
        raise CorruptionError(f"the plan beside the history is of another version: {error}") from error
    raise LookupError(f"the plan has {header.splits} maps, from map-0 on")


def _meant(told: _Range) -> FileRange:
    file = ListedFile(told.path, told.name, told.size, told.identity)
    return FileRange(file, told.start, told.end, told.header, told.exact, told.tail)


def _lines(file: BinaryIO, what: str, begin: bytes = b"") -> Iterator[dict[str, Any]]:
    """Yield the first line, and of the others those that begin so, each checked."""
    number = 0
    while row := file.readline(LONGEST):
        number += 1
        if number > 1 and not row.startswith(begin):
            continue
        try:
            yield from history.parse(row)
        except CorruptionError:
            raise CorruptionError(f"line {number} of the {what} beside the history is damaged") from None
