"""The plan of a job: which bytes each map task reads. A pure function of the listing.

Neighbours: the gateway (or `--sequential`) makes the listing; the master journals the plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import msgspec

from mapreduce.errors import UsageError
from mapreduce.spec import MIB, InputFormat, JobSpec

MAX_SPLIT = 64 * MIB
MIN_SPLIT = MIB
TARGET_SPLITS = 32
MAX_PACKED = 1000
"""Files in one split: each is opened anew, and a split is described by all of them."""

MAX_HEADERS: Final = 64 * MIB
"""Characters of headers that all ranges of a plan carry together: the operator, which others' jobs share, holds the
plans of all jobs in memory, and a file with holes has many ranges for nothing."""

CUT_FORMATS: Final[frozenset[InputFormat]] = frozenset({"csv", "parquet"})
"""Formats whose files cannot be divided without looking into them."""

Suffix = Literal[".gz", ".zst"]
_SUFFIXES: tuple[Suffix, ...] = (".gz", ".zst")


class ListedFile(msgspec.Struct, frozen=True, array_like=True):
    """One input file.

    `path` is relative to the root of its store; `name` is what user code and errors see:
    relative to the part of its pattern before the first wildcard. `identity` changes when the
    content may have changed: `mtime:<ns>` for a volume, `sha256:<hex>` for a ConfigMap.
    """

    path: str
    name: str
    size: int
    identity: str


class FileRange(msgspec.Struct, frozen=True, array_like=True):
    """The records of `file` that begin in [start, end).

    `exact`: a record, or a group of records, begins at `start`, and one ends at `end`: the bytes between are those of
    the range, and nobody looks for a boundary. `header`: the record that names the file's columns, as text, where the
    range begins behind it. `tail`: where the bytes begin, up to the file's end, that every range needs; 0 if there are
    none, or they are in the range.
    """

    file: ListedFile
    start: int
    end: int
    header: str = ""
    exact: bool = False
    tail: int = 0


class Cuts(msgspec.Struct, frozen=True):
    """Where a file is divided, which only who reads it can tell: see `FileRange`.

    `at`: offsets in the file, growing, neither 0 nor its size; empty if it is not divided.
    """

    at: tuple[int, ...] = ()
    header: str = ""
    tail: int = 0


Cut = Callable[[ListedFile, int], Cuts]
"""Looks into a file of the listing for places to divide it into ranges of about so many bytes. The plan is a function
of the listing and of what this returns."""


class Split(msgspec.Struct, frozen=True, array_like=True):
    """The input of one map task: a range of one file, or several small files."""

    index: int
    ranges: tuple[FileRange, ...]

    @property
    def size(self) -> int:
        """The bytes in the ranges."""
        return sum(part.end - part.start for part in self.ranges)


class PlanHeader(msgspec.Struct, frozen=True):
    """Everything in a plan but the splits themselves."""

    files: int
    size: int
    splits: int
    partitions: int
    split_size: int
    flush_bytes: int
    program_digest: str
    engine_version: str
    worker_image: str = ""


def default_split_size(total: int) -> int:
    """Return min(64 MiB, max(1 MiB, total / 32)): from the input alone."""
    return min(MAX_SPLIT, max(MIN_SPLIT, total // TARGET_SPLITS))


def compression(path: str) -> Suffix | None:
    """Return how a file is compressed, by its name alone; None if it is not."""
    return next((suffix for suffix in _SUFFIXES if path.endswith(suffix)), None)


def split_files(
    listing: Iterable[ListedFile], split_size: int, input_format: InputFormat = "text", cut: Cut | None = None
) -> Iterator[Split]:
    """Divide files, in their order, into splits of about `split_size` bytes.

    A file larger than `split_size` becomes ranges of that size, the last one shorter; smaller
    files are packed together while they fit. An empty file has no records and no split. A compressed
    file is a split of its own, also an empty one, which is cut short. Of `wholefile` no file is divided,
    and an empty one is a record. Of `csv` and
    `parquet` a file is divided where `cut` says, not at all without it; an empty parquet file is cut short too.
    """
    for index, ranges in enumerate(_divided(listing, split_size, input_format, cut or _nowhere)):
        yield Split(index, ranges)


def _divided(
    listing: Iterable[ListedFile], split_size: int, input_format: InputFormat, cut: Cut
) -> Iterator[tuple[FileRange, ...]]:
    pack: list[FileRange] = []
    packed = 0
    for file in listing:
        compressed = compression(file.path) is not None
        alone = compressed or file.size > split_size
        if pack and (alone or packed + file.size > split_size or len(pack) == MAX_PACKED):
            yield tuple(pack)
            pack, packed = [], 0
        if alone and (compressed or input_format == "wholefile"):
            yield (FileRange(file, 0, file.size),)
        elif alone and input_format in CUT_FORMATS:
            yield from ((part,) for part in _cut(file, cut(file, split_size)))
        elif alone:
            for start in range(0, file.size, split_size):
                yield (FileRange(file, start, min(start + split_size, file.size)),)
        elif file.size or input_format in ("wholefile", "parquet"):
            pack.append(FileRange(file, 0, file.size))
            packed += file.size
    if pack:
        yield tuple(pack)


def _cut(file: ListedFile, cuts: Cuts) -> Iterator[FileRange]:
    bounds = (0, *cuts.at, file.size)
    for start, end in itertools.pairwise(bounds):
        header = cuts.header if start else ""
        yield FileRange(file, start, end, header, exact=bool(cuts.at), tail=cuts.tail if end < file.size else 0)


def _nowhere(_file: ListedFile, _split_size: int) -> Cuts:
    return Cuts()


def _evenly(file: ListedFile, split_size: int) -> Cuts:
    """Return more cuts than a file can have."""
    return Cuts(tuple(range(split_size, file.size, split_size)))


def make_plan(
    listing: list[ListedFile], spec: JobSpec, engine_version: str, cut: Cut | None = None
) -> tuple[PlanHeader, list[Split]]:
    """Return the plan of a job; raises `UsageError` where it would be too large to schedule, and what `cut` raises."""
    total = sum(file.size for file in listing)
    size = spec.split_size or default_split_size(total)
    splits = list(split_files(listing, size, spec.format, cut))
    limits = spec.limits
    allowed = min(limits.max_splits, limits.max_cells // spec.reducers)
    if len(splits) > allowed:
        fitting = _fitting(listing, size, spec.format, allowed)
        advice = f"use a splitSize of at least {fitting}Mi" if fitting else "join some of its files"
        raise UsageError(
            f"the input of {total} bytes makes {len(splits)} splits of {size} bytes, more than the {allowed} "
            f"that {spec.reducers} reducers allow; {advice}"
        )
    headers = sum(len(part.header) for split in splits for part in split.ranges)
    if headers > MAX_HEADERS:
        raise UsageError(
            f"the {len(splits)} splits carry {headers} characters of names of columns, more than {MAX_HEADERS}; use a "
            f"splitSize of at least {(size // MIB + 1) * (headers // MAX_HEADERS + 1)}Mi"
        )
    header = PlanHeader(
        files=len(listing),
        size=total,
        splits=len(splits),
        partitions=spec.reducers,
        split_size=size,
        flush_bytes=limits.flush_bytes,
        program_digest=spec.program.digest,
        engine_version=engine_version,
        worker_image=spec.worker_image,
    )
    return header, splits


def _fitting(listing: list[ListedFile], size: int, input_format: InputFormat, allowed: int) -> int:
    """Return a split size, in MiB, that makes at most `allowed` splits of the listing; 0 if there is none."""
    mebibytes = size // MIB + 1
    largest = 2 * sum(file.size for file in listing) // MIB + 2
    while mebibytes <= largest:
        if sum(1 for _ in split_files(listing, mebibytes * MIB, input_format, _evenly)) <= allowed:
            return mebibytes
        mebibytes += mebibytes // 4 + 1
    return 0
