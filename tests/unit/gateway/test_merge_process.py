"""A large merge runs in a child: same file, stopped when it is not wanted, errors told as ours."""

import os
import sys
from pathlib import Path

import pytest

from mapreduce import keys, values
from mapreduce.errors import CorruptionError, SystemFault
from mapreduce_worker.engine import part
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.data_file import Style
from mapreduce_worker.gateway import failures, formats
from mapreduce_worker.gateway.data_files import Planned
from mapreduce_worker.gateway.formats import EngineFormats, write_in_child
from mapreduce_worker.gateway.merge_process import Order, Target
from mapreduce_worker.gateway.publishing import Abandoned
from mapreduce_worker.gateway.storage import Merged
from mapreduce_worker.gateway.store import PosixStore, StoreError

WORDS = (("a", "d"), ("b", "c", "e"))


def make_parts(root: Path) -> list[str]:
    for number, words in enumerate(WORDS):
        with (root / f"part-{number}").open("wb") as file:
            writer = part.Writer(file, "str")
            writer.add(Block([keys.encode(word) for word in words], [values.encode([word, 1]) for word in words]))
            writer.finish()
    return [f"part-{number}" for number in range(len(WORDS))]


def test_the_child_writes_what_this_process_would(tmp_path, monkeypatch):
    parts = make_parts(tmp_path)
    store = PosixStore(tmp_path)
    told: list[tuple[int, int]] = []

    def watch(records: int, size: int) -> bool:
        told.append((records, size))
        return True

    def write(name: str, style: Style) -> list[Merged]:
        files = [Planned(name, tuple(parts)), Planned(f"{name}-0", (parts[0],))]
        return EngineFormats(store, child=True).write(files, style, watch)

    for number, style in enumerate(
        [Style(), Style(by_key=False), Style(format="jsonl", compression="zstd"), Style(format="parquet")]
    ):
        monkeypatch.setattr(formats, "CHILD_FROM", 1 << 30)
        here = write(f"here{number}", style)
        assert told[-1] == (7, sum(file.size for file in here))
        monkeypatch.setattr(formats, "CHILD_FROM", 0)
        assert write(f"child{number}", style) == here
        for name in ("", "-0"):
            assert store.read(f"child{number}{name}") == store.read(f"here{number}{name}")
    assert store.read("here0") == b"a\t1\nb\t1\nc\t1\nd\t1\ne\t1\n"
    assert store.read("here1") == b"a\t1\nd\t1\nb\t1\nc\t1\ne\t1\n"
    assert store.read("here0-0") == b"a\t1\nd\t1\n"


def test_a_merge_that_is_not_wanted_is_ended(tmp_path):
    parts = tuple(str(tmp_path / name) for name in make_parts(tmp_path))
    # A pipe that nobody writes to: the second file is never done, if the child is let be.
    os.mkfifo(tmp_path / "endless")
    second = Target(str(tmp_path / "more"), (str(tmp_path / "endless"),))
    with pytest.raises(Abandoned):
        write_in_child(Order((Target(str(tmp_path / "out"), parts), second), Style()), lambda records, size: False)
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize("child", [False, True])
def test_a_damaged_part_is_told_as_such(tmp_path, monkeypatch, child):
    monkeypatch.setattr(formats, "CHILD_FROM", 0)
    parts = make_parts(tmp_path)
    (tmp_path / "part-1").write_bytes(b"no part")
    with pytest.raises(CorruptionError):
        EngineFormats(PosixStore(tmp_path), child=child).write(
            [Planned("out", tuple(parts))], Style(), lambda records, size: True
        )


def test_a_disk_that_does_not_take_the_file_is_told_as_such(tmp_path):
    (tmp_path / "in-the-way").mkdir()
    merging = EngineFormats(PosixStore(tmp_path), child=True)
    with pytest.raises(StoreError, match="in-the-way"):
        merging.write([Planned("in-the-way", tuple(make_parts(tmp_path)))], Style(), lambda records, size: True)


def test_a_child_that_dies_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SystemFault, match=r"before it was done|did not start"):
        write_in_child(Order((Target(str(tmp_path / "out"), ()),), Style()), lambda records, size: True)


@pytest.mark.parametrize("child", [False, True])
def test_what_nobody_expected_is_told_with_its_words_and_not_as_a_fault_of_the_disk(tmp_path, monkeypatch, child):
    monkeypatch.setattr(formats, "CHILD_FROM", 0)
    # No part may have such a name: what reads it raises a ValueError, which stands for any defect.
    order = Order((Target(str(tmp_path / "out"), (f"{tmp_path}/a\0b",)),), Style())
    write = write_in_child if child else formats._write_here
    with pytest.raises(SystemFault if child else ValueError, match="null byte") as failed:
        write(order, lambda records, size: True)
    info = failures.describe(failed.value)
    assert (info.kind, info.reason) == ("disruption", "InternalError")
    assert "null byte" in info.message
