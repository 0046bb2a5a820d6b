"""Records begin and end where they should, whichever way a file is divided."""

import itertools
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.plan import FileRange, split_files
from mapreduce.spec import MIB, EncodingErrors
from mapreduce_worker.engine import ranges, records
from mapreduce_worker.engine.failure import InputChanged, RecordRefused, describe
from mapreduce_worker.engine.options import TaskOptions
from tests.support import budget
from tests.support.engine_runs import read_all, write_input

LINES = st.lists(
    st.text(alphabet=st.sampled_from(list("ab \r\x0b\x0c\x1c\x85\u2028\u2029ä\U0001f600")), max_size=8), max_size=12
)


def naive(content: bytes, errors: EncodingErrors = "strict") -> list[str] | list[bytes]:
    if errors != "bytes":
        content = content.removeprefix(b"\xef\xbb\xbf")
    lines = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    if content.endswith(b"\n") or not content:
        lines.pop()
    return lines if errors == "bytes" else [line.decode("utf-8", errors) for line in lines]


def texts(name, offset, chunks, errors: EncodingErrors = "strict", limit=64 * MIB):
    options = TaskOptions(encoding_errors=errors, max_record_bytes=limit)
    return [record for batch in records.lines(name, offset, iter(chunks), options) for record in batch.records]


@budget.examples(60)
@given(LINES, st.booleans(), st.booleans(), st.integers(1, 40))
def test_every_record_is_read_once_however_the_file_is_divided(lines, bom, last_newline, split_size):
    content = (b"\xef\xbb\xbf" if bom else b"") + "\n".join(lines).encode() + (b"\n" if last_newline else b"")
    with TemporaryDirectory() as folder:
        file = write_input(Path(folder), content)
        pieces = read_all(Path(folder), file, split_size)
    assert b"".join(piece for _, piece in pieces) == content
    found = [record for offset, piece in pieces for record in texts("f", offset, [piece])]
    assert found == naive(content)


BYTES = st.lists(
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\x00", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xff", b"\xef\xbb\xbf"])
    | st.sampled_from(["\u2028", "\u2029", "\u0085", "ä", "\U0001f600", " ", "\t", "word"]).map(str.encode)
    | st.binary(max_size=3),
    max_size=40,
).map(b"".join)
ERRORS: list[EncodingErrors] = ["replace", "bytes"]


@budget.examples(150)
@given(BYTES, st.sampled_from(ERRORS), st.integers(1, 30), st.integers(1, 9))
def test_whatever_the_bytes_the_records_of_all_splits_are_those_of_one_naive_reader(content, errors, split_size, chunk):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "CHUNK", chunk)
        file = write_input(Path(folder), content)
        splits = split_files([file], split_size)
        read = [ranges.read_range(Path(folder), part) for split in splits for part in split.ranges]
        found = [record for offset, chunks in read for record in texts("f", offset, chunks, errors)]
    assert found == naive(content, errors)


@budget.examples(100)
@given(BYTES, st.integers(0, 12), st.integers(1, 30), st.integers(1, 9))
def test_a_record_is_too_long_by_its_own_bytes_alone_wherever_splits_and_chunks_end(content, limit, split_size, chunk):
    first = content.split(b"\n")
    starts = itertools.accumulate((len(line) + 1 for line in first), initial=0)
    long = [at for at, line in zip(starts, first, strict=False) if len(line.removesuffix(b"\r")) > limit]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "CHUNK", chunk)
        file = write_input(Path(folder), content)
        refused = []
        for part in [part for split in split_files([file], split_size) for part in split.ranges]:
            try:
                offset, chunks = ranges.read_range(Path(folder), part, limit)
                texts("input.txt", offset, chunks, "bytes", limit)
            except RecordRefused as error:
                refused.append(error.where)
    assert set(refused) <= {f"input.txt:{at}" for at in long}
    assert bool(refused) == bool(long)


def test_a_record_of_five_megabytes_is_read_wherever_it_is_divided(tmp_path):
    long = b"\x00" + "ä".encode() * 2_500_000
    content = b"first\r\n" + long + b"\r\nlast"
    file = write_input(tmp_path, content)
    pieces = read_all(tmp_path, file, 1 << 20)
    found = [record for offset, piece in pieces for record in texts("f", offset, [piece])]
    assert found == ["first", long.decode(), "last"]


def test_an_empty_file_and_one_line_end_have_no_record_and_one():
    assert [texts("f", 0, []), texts("f", 0, [b"\n"]), texts("f", 0, [b"\r"])] == [[], [""], [""]]


def test_records_that_are_bytes_keep_every_byte_but_their_line_end():
    assert texts("f", 0, [b"\xef\xbb\xbfa\xff\r\r\nb\rc\n\r"], "bytes") == [b"\xef\xbb\xbfa\xff\r", b"b\rc", b""]


@budget.examples(50)
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_chunks_may_end_anywhere_and_bad_bytes_may_be_replaced(content, cuts):
    content = content.replace(b"\x00", b"\n")
    bounds = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    chunks = [content[start:end] for start, end in itertools.pairwise(bounds)]
    assert texts("f", 0, chunks, "replace") == naive(content, "replace")


def test_chunks_are_read_anew_at_their_limit(monkeypatch, tmp_path):
    monkeypatch.setattr(ranges, "CHUNK", 5)
    content = b"a\nbb\n" + b"c" * 17 + b"\n\n\nd"
    file = write_input(tmp_path, content)
    for split_size in (1, 2, 7, 100):
        pieces = read_all(tmp_path, file, split_size)
        assert b"".join(piece for _, piece in pieces) == content
        assert [text for at, piece in pieces for text in texts("f", at, [piece])] == naive(content)


def test_a_record_knows_its_offset():
    first, last = records.lines("f.txt", 100, iter([b"ab\r\n\xc3\xa4\nc"]), TaskOptions())
    assert [first.records, last.records] == [["ab", "ä"], ["c"]]
    assert [first.where(0), first.where(1), last.where(0)] == ["f.txt:100", "f.txt:104", "f.txt:107"]


def test_a_mark_of_byte_order_is_dropped_at_the_beginning_only():
    bom = b"\xef\xbb\xbf"
    assert texts("f", 0, [bom + b"a\n" + bom + b"b"]) == ["a", "\ufeffb"]
    assert texts("f", 9, [bom + b"a"]) == ["\ufeffa"]
    assert texts("f", 0, [bom]) == []


def test_a_strict_reader_yields_the_records_before_the_bad_one_and_names_the_byte():
    batches = records.lines("f.txt", 10, iter([b"a\nb\nc\xffd\n"]), TaskOptions())
    assert next(batches).records == ["a", "b"]
    with pytest.raises(RecordRefused) as caught:
        next(batches)
    info = describe(caught.value)
    assert (info.kind, info.reason, info.where) == ("refused", "RecordUndecodable", "f.txt:14")
    assert "byte 0xff at offset 15 of f.txt" in info.message


def test_a_record_that_is_too_long_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(ranges, "CHUNK", 4)
    file = write_input(tmp_path, b"ok\n" + b"x" * 30 + b"\n")
    for start in (1, 5, 20):
        with pytest.raises(RecordRefused, match="longer than 10 bytes") as caught:
            list(ranges.read_range(tmp_path, FileRange(file, start, file.size), 10)[1])
        info = describe(caught.value)
        assert (info.kind, info.reason, info.where) == ("refused", "RecordTooLong", "input.txt:3")
    with pytest.raises(RecordRefused, match="longer than 10 bytes"):
        texts("f", 0, [b"x" * 6, b"x" * 6], limit=10)


def test_the_records_before_one_that_is_too_long_are_yielded():
    batches = records.lines("f", 0, iter([b"ab\ncd\r\nefg\n"]), TaskOptions(max_record_bytes=2))
    assert next(batches).records == ["ab", "cd"]
    with pytest.raises(RecordRefused) as caught:
        next(batches)
    assert caught.value.where == "f:7"


@pytest.mark.parametrize("change", ["longer", "touched", "gone"])
def test_a_file_that_is_not_the_planned_one_is_refused(change, tmp_path):
    file = write_input(tmp_path, b"a\nb\n")
    path = tmp_path / "input.txt"
    if change == "longer":
        path.write_bytes(b"a\nb\nc\n")
    elif change == "touched":
        os.utime(path, ns=(1, 1))
    else:
        path.unlink()
    with pytest.raises(InputChanged, match=r"input\.txt") as caught:
        ranges.read_range(tmp_path, FileRange(file, 0, 4))
    info = describe(caught.value)
    assert (info.kind, info.reason, info.where) == ("refused", "InputChanged", "input.txt:0")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    file = write_input(tmp_path, b"a\nb\n")
    _, chunks = ranges.read_range(tmp_path, FileRange(file, 0, 4))
    os.utime(tmp_path / "input.txt", ns=(1, 1))
    with pytest.raises(InputChanged):
        list(chunks)
