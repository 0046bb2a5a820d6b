"""How much a process grows while the engine maps and reduces many times as much as an attempt may hold: a program.

python -m tests.support.memory_runs FOLDER JOB
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

import mapreduce as mr
from mapreduce.plan import split_files
from mapreduce.protocol import MapOutput
from mapreduce_worker.engine import map_output, merge, ranges
from mapreduce_worker.engine.map_task import run_map
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.part import PartResult
from mapreduce_worker.engine.reduce_task import run_reduce
from tests.support.engine_runs import Pair, attempt, nothing

T = TypeVar("T")
MIB = 1 << 20
MAPS = 2
MEMORY = 24 * MIB
"""Bytes that an attempt may hold."""
INPUT = 4 * MEMORY
LINE = 1000
"""Bytes of an input's lines."""


class OneKey(mr.Job):
    """All values have one key, and are taken one by one."""

    def map(self, line: str) -> Iterator[Pair]:
        yield "k", line

    def reduce(self, key: str, values: Iterator[str]) -> Iterator[Pair]:
        yield key, sum(map(len, values))


class Through(mr.Job):
    """Each line has a key of its own, and comes out again."""

    def map(self, line: str) -> Iterator[Pair]:
        yield line[:12], line

    def reduce(self, key: str, values: Iterator[str]) -> Iterator[Pair]:
        for value in values:
            yield key, value


class Grown(msgspec.Struct):
    """By how many bytes the process was larger at its largest than before all; and how often it spilled."""

    map: int
    reduce: int
    merge: int
    spills: int
    rows: int


def _largest(work: Callable[[], T]) -> tuple[int, T]:
    """Return the most memory, in bytes, that this process had while it worked (see proc(5)), and what it made."""
    Path("/proc/self/clear_refs").write_text("5")
    made = work()
    return _status("VmHWM"), made


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def _write(path: Path, size: int) -> None:
    with path.open("w") as out:
        for number in range(size // LINE):
            out.write(f"{number * 7919 % 1_000_003:012d}{'x' * (LINE - 13)}\n")


def _run(job: type[mr.Job], folder: Path, size: int) -> Grown:
    _write(folder / "input.txt", size)
    before = _status("VmRSS")
    listed = ranges.list_files(folder, ["input.txt"])
    options = TaskOptions(partitions=1, memory=MEMORY)

    def mapped() -> list[MapOutput]:
        return [
            run_map(
                job,
                split,
                lambda part, _: ranges.read_range(folder, part),
                options=options,
                attempt=attempt("map", split.index),
                out=folder / f"map-{split.index}",
                progress=nothing,
            )
            for split in split_files(listed, size // MAPS)
        ]

    in_map, made = _largest(mapped)

    def reduced() -> PartResult:
        paths = [folder / f"map-{number}" for number in range(len(made))]
        return run_reduce(
            job,
            [map_output.segment_file(path, map_output.read_index(path), 0) for path in paths],
            options=options,
            key_type=made[0].key_type,
            partition=0,
            attempt=attempt("reduce"),
            out=folder / "part",
            scratch=folder,
            progress=nothing,
        )

    in_reduce, part = _largest(reduced)
    in_merge, _ = _largest(lambda: merge.merge_parts([folder / "part"], folder / "out", nothing))
    spills = part.spills + sum(one.spills for one in made)
    return Grown(in_map - before, in_reduce - before, in_merge - before, spills, part.rows)


def main(folder: str, name: str) -> None:
    """Print what a run takes, after a small one: that brings in what takes memory only once."""
    job = {"OneKey": OneKey, "Through": Through}[name]
    _run(job, Path(folder), 2 * MIB)
    sys.stdout.buffer.write(msgspec.json.encode(_run(job, Path(folder), INPUT)))


if __name__ == "__main__":
    main(*sys.argv[1:])
