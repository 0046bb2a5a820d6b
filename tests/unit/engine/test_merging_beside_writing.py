"""Large outputs are merged, made to text and written by threads side by side: the bytes and the errors are the same."""

import os
import threading
from pathlib import Path

import pytest

from mapreduce import keys
from mapreduce.errors import CorruptionError
from mapreduce_worker.engine import blocks, merge, part
from mapreduce_worker.engine.data_file import Style
from tests.support.engine_runs import nothing

VALUES = {
    "text": lambda number: f"value {number}\t",
    "numbers": lambda number: number,
    "lists": lambda number: [f"a{number}", "b"],
    "mixed": lambda number: None if number % 7 else 2.5,
}
STYLES = [Style(), Style(compression="gzip"), Style(format="jsonl"), Style(format="jsonl", compression="zstd")]


def left() -> list[str]:
    """Return the threads that are still there."""
    return [thread.name for thread in threading.enumerate() if thread.name == "ahead"]


def write_parts(folder: Path, kind: str, *, count: int = 3, rows: int = 12_000) -> list[Path]:
    """Write parts of values, each with some of the keys in order."""
    paths = [folder / f"part-{number}" for number in range(count)]
    for at, path in enumerate(paths):
        names = sorted(f"key {number}" for number in range(at, rows, count))
        with path.open("wb") as file:
            writer = part.Writer(file, "str", own=True)
            found = [VALUES[kind](int(name[4:])) for name in names]
            for start in range(0, len(names), 3000):
                encoded = [keys.encode(name) for name in names[start : start + 3000]]
                writer.add(blocks.of_objects(encoded, found[start : start + 3000]))
            writer.finish()
    return paths


@pytest.mark.parametrize("kind", VALUES)
def test_the_bytes_are_the_same_with_threads_and_without(kind, tmp_path, monkeypatch):
    parts = write_parts(tmp_path, kind)
    for style in STYLES:
        told: list[tuple[int, int]] = []

        def progress(records: int, size: int, told: list[tuple[int, int]] = told) -> None:
            told.append((records, size))

        monkeypatch.setattr(merge, "BESIDE", 1 << 40)
        alone = merge.merge_parts(parts, tmp_path / "alone", nothing, style)
        monkeypatch.setattr(merge, "BESIDE", 0)
        beside = merge.merge_parts(parts, tmp_path / "beside", progress, style)
        assert beside == alone
        assert (tmp_path / "beside").read_bytes() == (tmp_path / "alone").read_bytes()
        assert told[-1] == (12_000, beside.size)
        assert told == sorted(told)


def test_few_rows_are_merged_without_threads(tmp_path, monkeypatch):
    parts = write_parts(tmp_path, "numbers", rows=30)
    monkeypatch.setattr(merge, "ahead", None)
    assert merge.merge_parts(parts, tmp_path / "out", nothing).records == 30


@pytest.mark.parametrize("style", STYLES)
def test_damage_is_told_and_leaves_nothing(style, tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "BESIDE", 0)
    parts = write_parts(tmp_path, "text")
    data = bytearray(parts[1].read_bytes())
    data[len(data) * 3 // 4] ^= 1
    parts[1].write_bytes(data)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(CorruptionError, match="part-1, "):
        merge.merge_parts(parts, tmp_path / "out", nothing, style)
    assert sorted(os.listdir(tmp_path)) == before
    assert not left()


@pytest.mark.parametrize("style", STYLES)
def test_rows_that_are_no_records_are_told_as_such(style, tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "BESIDE", 0)
    with (tmp_path / "part-0").open("wb") as file:
        writer = part.Writer(file, "str", own=True)
        writer.add(blocks.of_packed([b"k%05d" % number for number in range(2000)], [b"\xc1"] * 2000))
        writer.finish()
    with pytest.raises(CorruptionError, match="no records of keys str"):
        merge.merge_parts([tmp_path / "part-0"], tmp_path / "out", nothing, style)


def test_a_merge_that_is_not_wanted_leaves_no_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "BESIDE", 0)
    parts = write_parts(tmp_path, "text")
    before = sorted(os.listdir(tmp_path))

    class Unwanted(Exception):
        pass

    def progress(records: int, size: int) -> None:
        raise Unwanted

    with pytest.raises(Unwanted):
        merge.merge_parts(parts, tmp_path / "out", progress)
    assert sorted(os.listdir(tmp_path)) == before
    assert not left()
