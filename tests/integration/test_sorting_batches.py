"""Records that `map_batch` hands on as frames, in a total order: the same bytes with any number of workers."""

import json
from pathlib import Path
from random import Random

import pytest

from mapreduce import tsv
from tests.support.local_runs import succeeded, write_program

SORT = """
import polars as pl

import mapreduce as mr

class Sort(mr.Job):
    def map_batch(self, batch):
        fields = pl.col("value").str.splitn("\\t", 2).struct
        return batch.select(fields[0].alias("key"), fields[1].fill_null("").alias("value"))

    reduce = mr.Each()
"""
KEYS = ("", "k", "key-0000001", "key-0000002", "ключ-ключ", "back\\slash")


def lines() -> list[str]:
    """Return records of which many share a key, or the beginning of one, and some have what must be escaped."""
    draw = Random(54)
    made = []
    for number in range(9000):
        key = draw.choice(KEYS) if draw.random() < 0.3 else f"key-{draw.randrange(10**7):07}"
        made.append(f"{key}\t{number}-{'x' * draw.randrange(40)}" if number % 500 else f"{key}\ttwo\ttabs \\ {number}")
    return [*made, "no value", "\tno key"]


@pytest.mark.parametrize("workers", ["1", "2", "5"])
def test_frames_are_sorted_to_the_same_bytes_by_any_number_of_workers(tmp_path: Path, workers: str) -> None:
    given = lines()
    (tmp_path / "in.txt").write_text("".join(f"{line}\n" for line in given), encoding="utf-8")
    program = write_program(tmp_path, SORT)
    shape = ("--split-size", "64KiB", "--reducers", "3", "--workers", workers, "--order", "total")
    succeeded(tmp_path, program, "in.txt", "--output", "out", *shape)
    pairs = [(key, value) for key, _, value in (line.partition("\t") for line in given)]
    expected = b"".join(tsv.line(key, value) for key, value in sorted(pairs, key=lambda pair: pair[0].encode()))
    assert (tmp_path / "out" / "output.tsv").read_bytes() == expected


KEYED = """
import mapreduce as mr

class Keyed(mr.Job):
    def map(self, line):
        key, _, value = line.partition("\\t")
        yield (key, len(value)), [value, len(key) / 3]

    def reduce(self, key, values):
        for value in values:
            yield (key if key[1] % 5 else key[0]), value
"""
COPIED = KEYED.partition("    def reduce")[0]


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (KEYED, ("--order", "total", "--output-format", "jsonl")),
        (KEYED, ("--merge", "none", "--compress", "gzip")),
        (KEYED, ("--order", "total", "--merge", "none", "--compress", "zstd", "--output-format", "jsonl")),
        (COPIED, ()),
        (SORT, ("--order", "total", "--output-format", "jsonl", "--compress", "zstd")),
    ],
    ids=["pairs as JSON", "a file a part", "all of it", "no reduce", "frames as JSON"],
)
def test_lines_that_workers_make_are_those_of_one_process(
    tmp_path: Path, source: str, options: tuple[str, ...]
) -> None:
    (tmp_path / "in.txt").write_text("".join(f"{line}\n" for line in lines()), encoding="utf-8")
    program = write_program(tmp_path, source)
    shape = ("--split-size", "64KiB", *(() if source == COPIED else ("--reducers", "3")), *options)
    succeeded(tmp_path, program, "in.txt", "--output", "many", *shape, "--workers", "2")
    succeeded(tmp_path, program, "in.txt", "--output", "one", *shape, "--sequential")
    many, one = ({path.name: path.read_bytes() for path in data_files(tmp_path / name)} for name in ("many", "one"))
    assert many == one
    assert sum(map(len, one.values())) > 10_000
    manifests = [json.loads((tmp_path / name / "_manifest.json").read_bytes()) for name in ("many", "one")]
    assert manifests[0]["files"] == manifests[1]["files"]
    assert sum(file["records"] for file in manifests[0]["files"]) == len(lines())


def data_files(output: Path) -> list[Path]:
    return [path for path in output.iterdir() if not path.name.startswith("_")]
