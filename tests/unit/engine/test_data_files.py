"""A data file is a function of the records: not of parts, pieces or time; compressed it says the same."""

import gzip
import hashlib
import io
import os
import resource
from pathlib import Path

import pytest

from mapreduce import keys, tsv, values
from mapreduce.errors import CorruptionError
from mapreduce.spec import Compression
from mapreduce_worker.engine import data_file, merge, part
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.data_file import DataFile, Style
from tests.support.compressed import decompress
from tests.support.engine_runs import nothing

PAIRS = [(f"key {number:05d}", number) for number in range(2000)]
COMPRESSIONS: list[Compression] = ["gzip", "zstd"]


def write_part(path: Path, pairs: list[tuple[str, int]], group: bool = True) -> Path:
    with path.open("wb") as file:
        writer = part.Writer(file, "str" if group else "")
        for key, value in pairs:
            writer.add(Block([keys.encode(key) if group else b""], [values.encode((key, value))]))
        writer.finish()
    return path


def written(folder: Path, style: Style, *parts: list[tuple[str, int]]) -> tuple[merge.MergeResult, bytes]:
    sources = [write_part(folder / f"p{number}", pairs, style.by_key) for number, pairs in enumerate(parts)]
    result = merge.merge_parts(sources, folder / "out", nothing, style)
    return result, (folder / "out").read_bytes()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_compressed_file_is_the_same_for_any_number_of_parts(compression, tmp_path, monkeypatch):
    monkeypatch.setattr(data_file, "PIECE", 1000)
    style = Style(compression=compression)
    expected = tsv.lines(PAIRS)
    files = [written(tmp_path, style, *(PAIRS[n::count] for n in range(count))) for count in (1, 2, 5)]
    assert all(file == files[0] for file in files)
    result, data = files[0]
    assert decompress(".gz" if compression == "gzip" else ".zst", data) == expected
    assert result.checksum == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert (result.records, result.size) == (2000, len(data))
    assert len(data) < len(expected) / 2


@pytest.mark.parametrize("compression", ["none", *COMPRESSIONS])
def test_the_pieces_in_which_text_comes_leave_no_trace(compression, monkeypatch):
    monkeypatch.setattr(data_file, "PIECE", 1 << 17)
    text = tsv.lines(PAIRS) * 20
    assert len(text) > 4 * data_file.PIECE
    made = []
    for size in (17_001, 1 << 18, len(text)):
        file = io.BytesIO()
        data = DataFile(file, compression)
        for start in range(0, len(text), size):
            data.write(text[start : start + size])
        data.finish()
        made.append((file.getvalue(), data.size, data.checksum))
    assert made[0] == made[1] == made[2]
    assert made[0][1] == len(made[0][0])


def test_a_gzip_file_carries_no_time_and_no_name(tmp_path):
    data = written(tmp_path, Style(compression="gzip"), [])[1]
    assert data[4:8] == bytes(4)
    assert data[3] == 0
    assert gzip.decompress(data) == b""


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_no_records_make_a_whole_compressed_file(compression, tmp_path):
    result, data = written(tmp_path, Style(compression=compression), [], [])
    assert result.records == 0
    assert decompress(".gz" if compression == "gzip" else ".zst", data) == b""


def test_parts_of_maps_follow_each_other_in_their_order(tmp_path):
    parts = [[("b", 1), ("a", 2)], [], [("c", 3), ("a", 4)]]
    result, data = written(tmp_path, Style(by_key=False), *parts)
    assert data == b"b\t1\na\t2\nc\t3\na\t4\n"
    assert result.records == 4
    sources = [tmp_path / f"p{number}" for number in range(3)]
    assert [tuple(pair) for pair in merge.pairs(sources, by_key=False)] == [*parts[0], *parts[2]]


def test_lines_of_json_are_written_in_the_same_order(tmp_path):
    result, data = written(tmp_path, Style(format="jsonl"), [("a", 1), ("c", 3)], [("b", 2)])
    assert data == b'{"key":"a","value":1}\n{"key":"b","value":2}\n{"key":"c","value":3}\n'
    assert (result.records, result.size) == (3, len(data))


def test_a_merge_of_many_parts_needs_few_open_files(tmp_path):
    parts = [write_part(tmp_path / f"p{number}", [(f"{number:04d}", number)]) for number in range(300)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 50, hard))
    try:
        result = merge.merge_parts(parts, tmp_path / "out", nothing)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert result.records == 300


@pytest.mark.parametrize("count", [3, 4, 9, 10])
def test_more_parts_than_are_merged_at_once_give_the_same_file(count, tmp_path, monkeypatch):
    expected = written(tmp_path, Style(), *(PAIRS[n:300:count] for n in range(count)))
    monkeypatch.setattr(merge, "FAN_IN", 3)
    before = set(tmp_path.iterdir())
    assert written(tmp_path, Style(), *(PAIRS[n:300:count] for n in range(count))) == expected
    assert expected[1] == tsv.lines(PAIRS[:300])
    assert set(tmp_path.iterdir()) == before


def test_a_damaged_part_among_many_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "FAN_IN", 2)
    parts = [write_part(tmp_path / f"p{number}", PAIRS[number : number + 1]) for number in range(5)]
    parts[3].write_bytes(parts[3].read_bytes()[:-1])
    with pytest.raises(CorruptionError):
        merge.merge_parts(parts, tmp_path / "out", nothing)
    assert set(tmp_path.iterdir()) == set(parts)
