"""Every mode gives the same bytes as the naive reference."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mapreduce import tsv
from tests.support import history_checker
from tests.support.local_runs import (
    WORD_COUNT,
    events,
    hidden,
    reference,
    succeeded,
    write_program,
    write_texts,
)

MODES: dict[str, tuple[str, ...]] = {"here": (), "alone": ("--sequential",)}

INDEX = """
import mapreduce as mr

class Longest(mr.Job):
    '''Tuple keys, list values, several records a key, and a combiner.'''

    def setup(self):
        self.seen = 0

    def map(self, line):
        for word in set(line.split()):
            yield (word[:2], len(word)), [word, len(line) / 3]

    def combine(self, key, values):
        yield key, max(values)

    def reduce(self, key, values):
        best = max(values)
        yield key[0], best
        yield key[1], None
"""


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (WORD_COUNT, ()),
        (WORD_COUNT, ("--reducers", "1", "--workers", "1")),
        (WORD_COUNT, ("--reducers", "13", "--workers", "2", "--slots", "2", "--split-size", "1000")),
        (INDEX, ("--split-size", "2KiB", "--reducers", "3")),
    ],
    ids=["defaults", "one of each", "many of each", "tuples and lists"],
)
def test_workers_one_process_and_the_reference_give_the_same_bytes(
    tmp_path: Path, source: str, options: tuple[str, ...]
) -> None:
    program, texts = write_program(tmp_path, source), write_texts(tmp_path)
    succeeded(tmp_path, program, texts, "--output", "here", *options)
    succeeded(tmp_path, program, texts, "--output", "alone", *options, "--sequential")
    expected = reference(program, *sorted(texts.iterdir()))
    assert (tmp_path / "here" / "output.tsv").read_bytes() == expected
    assert (tmp_path / "alone" / "output.tsv").read_bytes() == expected
    assert facts(tmp_path / "here") == facts(tmp_path / "alone")


def facts(output: Path) -> object:
    """Return what the manifest says of plan, keys and parts: the same in every mode."""
    manifest = json.loads((output / "_manifest.json").read_bytes())
    parts = [{name: part[name] for name in ("partition", "checksum", "rows", "size")} for part in manifest["parts"]]
    return manifest["plan"], manifest["key_type"], manifest["files"], parts


def test_the_output_directory_is_complete_and_nothing_else_stays(tmp_path: Path) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), write_texts(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    for name, mode in MODES.items():
        succeeded(tmp_path, program, texts, "--output", f"new/{name}", *mode)
        output = tmp_path / "new" / name
        assert sorted(path.name for path in output.iterdir()) == [
            "_SUCCESS",
            "_history",
            "_manifest.json",
            "output.tsv",
        ]
        assert hidden(tmp_path / "new", name) == []
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("std")} - before
    assert left == {"new"}


@pytest.mark.parametrize("mode", [(), ("--sequential",)], ids=["workers", "sequential"])
def test_the_history_of_a_run_without_faults_keeps_the_rules(tmp_path: Path, mode: tuple[str, ...]) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), write_texts(tmp_path)
    succeeded(tmp_path, program, texts, "--output", "out", "--split-size", "4KiB", "--reducers", "3", *mode)
    told = events(tmp_path / "out")
    maps = len({event["task"] for event in told if event.get("task", "").startswith("map-")})
    assert maps >= 3
    assert history_checker.check(told, maps=maps, reduces=3) == []
    assert history_checker.finished_more_than_once(told) == []


@pytest.mark.feature("files, folders and patterns", "sequential")
def test_inputs_are_files_folders_and_patterns_absolute_or_relative(tmp_path: Path) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), write_texts(tmp_path)
    (texts / "deep" / "er").mkdir(parents=True)
    (texts / "00.txt").rename(texts / "deep" / "er" / "a[1].txt")
    expected = reference(program, *sorted(path for path in texts.rglob("*") if path.is_file()))
    inputs: dict[str, list[object]] = {
        "folder": ["texts"],
        "patterns": [texts / "*.txt", "texts/**/a*.txt"],
        "files": ["texts/deep/er/a[1].txt", texts / "01.txt", "./texts/../texts/02.txt", "texts/03.txt"],
    }
    for name, given in inputs.items():
        succeeded(tmp_path, program, *given, "--output", name, "--sequential")
        assert (tmp_path / name / "output.tsv").read_bytes() == expected, name


def test_bytes_that_are_no_text_are_replaced_where_that_was_asked_for(tmp_path: Path) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_bytes(b"one \xff\xfe two\r\nthree\n\xe2\x82 end")
    expected = reference(program, texts / "a.txt", errors="replace")
    for name, mode in MODES.items():
        succeeded(tmp_path, program, texts, "--output", name, "--encoding-errors", "replace", *mode)
        assert (tmp_path / name / "output.tsv").read_bytes() == expected


@pytest.mark.parametrize(("source", "kinds"), [(WORD_COUNT, "String Int64"), (INDEX, "String String")])
def test_parquet_is_the_same_bytes_in_every_mode_and_says_what_the_reference_says(
    tmp_path: Path, source: str, kinds: str
) -> None:
    program, texts = write_program(tmp_path, source), write_texts(tmp_path)
    found = ("--output-format", "parquet", "--split-size", "2KiB")
    succeeded(tmp_path, program, texts, "--output", "here", *found, "--reducers", "5")
    succeeded(tmp_path, program, texts, "--output", "alone", *found, "--reducers", "1", "--sequential")
    made = [(tmp_path / name / "output.parquet").read_bytes() for name in ("here", "alone")]
    assert made[0] == made[1]
    frame = pl.read_parquet(made[0])
    assert " ".join(map(str, frame.dtypes)) == kinds
    rows = frame.rows() if source == WORD_COUNT else [tuple(map(_shown, row)) for row in frame.rows()]
    assert b"".join(tsv.line(*row) for row in rows) == reference(program, *sorted(texts.iterdir()))


def _shown(text: str | None) -> Any:
    """Return what stands in a column of text of JSON."""
    return None if text is None else json.loads(text)
