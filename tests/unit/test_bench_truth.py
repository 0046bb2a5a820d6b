"""What tells `make bench` the right output of large input says the same as the naive reference says of small input."""

import os

import pytest

from bench.contenders import program
from bench.data import zipf
from bench.rows import ROWS
from bench.truth import load
from mapreduce_worker.engine.local import run_job


# The other rows ask DuckDB, which only `make bench` installs.
@pytest.mark.parametrize("name", ["index", "identity", "skew-sum", "skew-collect"])
def test_both_truths_are_the_same(tmp_path, monkeypatch, name):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    [row] = [row for row in ROWS if row.name == name]
    contenders, _ = row.match(20_000)
    for truth in {contender.truth for contender in contenders}:
        small = truth.digest(tmp_path, os.environ)
        assert truth._replace(size=1 << 40).digest(tmp_path, os.environ) == small


def test_every_row_judges_contenders_that_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.data.files.ensure", lambda kind, size: tmp_path / kind)
    for row in ROWS:
        contenders, verdicts = row.match(row.size)
        names = [contender.name for contender in contenders]
        assert len(set(names)) == len(names), row.name
        assert {who for verdict in verdicts for who in (verdict.ours, *verdict.peers)} <= set(names), row.name
        assert [verdict for verdict in verdicts if verdict.must is not None], row.name


def test_words_by_batches_are_those_by_single_records(monkeypatch):
    monkeypatch.setattr(zipf, "BLOCK_LINES", 1000)
    lines = zipf.block(6, 0).decode("ascii").removesuffix("\n").split("\n")
    by_batches = run_job(load(program("word_batches.py:Batches")), lines).pairs
    assert by_batches == run_job(load(program("words.py:Keys")), lines).pairs
    assert sum(times for _, times in by_batches) == 1000 * zipf.LINE_WORDS
