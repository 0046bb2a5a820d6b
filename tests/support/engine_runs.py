"""Jobs and small runs for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import mapreduce as mr
from mapreduce import values
from mapreduce.ids import AttemptId, TaskId
from mapreduce.plan import FileRange, ListedFile, Split, split_files
from mapreduce.protocol import MapOutput
from mapreduce.spec import MIB
from mapreduce_worker.engine import blocks, local, long_lines, map_output, ranges
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.map_output import SegmentFile
from mapreduce_worker.engine.map_task import run_map
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.part import PartResult
from mapreduce_worker.engine.reduce_task import run_reduce

Pair = tuple[Any, Any]


def nothing(records: int, size: int) -> None:
    """Take progress, and show none."""


def unblamed(_: bytes, error: BaseException) -> NoReturn:
    """Raise what a reducer has raised as it is."""
    raise error


def emitter(
    reduce: Any, combine: Any = None, emit: Callable[[Any], Any] = lambda record: record, name: str = "Emitter"
) -> type[mr.Job]:
    """Return a job whose map yields what `emit` returns for a record: by default the record is a list of pairs."""

    def map_record(self: mr.Job, record: Any) -> Any:
        yield from emit(record)

    return type(name, (mr.Job,), {"map": map_record, "combine": combine, "reduce": reduce})


def collect(self: mr.Job, key: Any, group: Iterator[Any]) -> Iterator[Pair]:
    """Reduce to the list of the values, in their order."""
    yield key, list(group)


def add(self: mr.Job, key: Any, group: Iterator[Any]) -> Iterator[Pair]:
    """Reduce, or combine, to the sum."""
    yield key, sum(group)


def job_with(reduce: Any = collect, **members: Any) -> type[mr.Job]:
    """Return a job as `emitter` does, with more members."""
    return type("Made", (emitter(reduce),), members)


class WordCount(mr.Job):
    """Count words."""

    def map(self, line: str) -> Iterator[Pair]:
        """Yield every word with a one."""
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()


class FirstWords(mr.Job):
    """Collect whole lines under their first character."""

    def map(self, line: str) -> list[Pair]:
        """Return one pair a line, so that all records come out again."""
        return [(line[:1], line)]

    reduce = collect


def canonical(pairs: Sequence[Pair]) -> bytes:
    """Return pairs as the codec carries them: a tuple is a list, NaN is NaN."""
    return values.encode(list(pairs))


def attempt(kind: str, index: int = 0) -> AttemptId:
    """Return the first attempt of a task."""
    return AttemptId(TaskId(0, kind, index), 1, 0)  # type: ignore[arg-type]  # a str that is a kind


def run_pairs(job: type[mr.Job], records: Any, *, frames: bool = False, **shape: Any) -> list[Pair]:
    """Return the output pairs that the engine makes of records in memory; with `frames`, as if they were many."""
    with as_many() if frames else nullcontext():
        return local.run_job(job, records, **shape).pairs


def as_many() -> AbstractContextManager[Any]:
    """Take few rows for many: they are columns in memory, and Arrow on the disk."""
    return mock.patch.multiple(blocks, NATIVE_ROWS=1, SMALL_ROWS=0)


def write_input(root: Path, content: bytes, name: str = "input.txt") -> ListedFile:
    """Write one input file and list it."""
    (root / name).write_bytes(content)
    return ranges.list_files(root, [name])[0]


def read_all(root: Path, file: ListedFile, split_size: int) -> list[tuple[int, bytes]]:
    """Return (offset, bytes) of every range of a file that is divided by `split_size`."""
    parts = [part for split in split_files([file], split_size) for part in split.ranges]
    read = [ranges.read_range(root, part) for part in parts]
    return [(offset, b"".join(map(long_lines.whole, chunks))) for offset, chunks in read]


def one_split(file: ListedFile) -> Split:
    """Return the split that holds the whole file."""
    return Split(0, (FileRange(file, 0, file.size),))


def map_file(
    job: type[mr.Job],
    root: Path,
    file: ListedFile,
    *,
    partitions: int = 2,
    errors: str = "strict",
    flush_bytes: int = 64 * MIB,
    memory: int = 512 * MIB,
    progress: Callable[[int, int], None] = nothing,
    split: Split | None = None,
    skip: int = 0,
) -> tuple[MapOutput, int]:
    """Map one file below `root` into `root/map.out`; return what is reported, and the records read."""
    made = run_map(
        job,
        split or one_split(file),
        lambda part, _: ranges.read_range(root, part),
        options=TaskOptions(
            partitions=partitions,
            encoding_errors=errors,  # type: ignore[arg-type]  # a str that is one
            flush_bytes=flush_bytes,
            memory=memory,
            skip_bad_records=skip,
        ),
        attempt=attempt("map"),
        out=root / "map.out",
        progress=progress,
    )
    return made, made.records


def rows_of(path: Path) -> list[list[tuple[bytes, Any]]]:
    """Return (encoded key, value) of every row of a map output, a list a partition."""
    segments = map_output.segments_of(path, map_output.read_index(path))
    return [
        [row for block in map_output.read(segment) for row in zip(block.keys, block.unpacked(), strict=True)]
        for segment in segments
    ]


def write_segment(path: Path, rows: Sequence[tuple[bytes, Any]]) -> SegmentFile:
    """Write rows, which are in key order, as the only segment of a map output."""
    with path.open("wb") as file:
        writer = map_output.Writer(file)
        writer.segment([Block([key for key, _ in rows], [values.encode(value) for _, value in rows])])
        index = writer.finish("bytes", "")
    return map_output.segments_of(path, index)[0]


def reduce_segments(
    job: type[mr.Job],
    segments: Sequence[SegmentFile],
    folder: Path,
    *,
    key_type: str = "bytes",
    memory: int = 512 * MIB,
    progress: Callable[[int, int], None] = nothing,
) -> PartResult:
    """Reduce segments into `folder/part.out`."""
    return run_reduce(
        job,
        segments,
        options=TaskOptions(memory=memory),
        key_type=key_type,
        partition=3,
        attempt=attempt("reduce"),
        out=folder / "part.out",
        scratch=folder,
        progress=progress,
    )
