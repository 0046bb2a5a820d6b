"""Records begin and end where they should, whichever way a file is divided."""

import itertools
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapreduce.plan import FileRange
from mapreduce_worker.engine import ranges, records
from mapreduce_worker.engine.failure import InputChanged, UserTaskError, describe
from tests.support.engine_runs import read_all, write_input

LINES = st.lists(
    st.text(alphabet=st.sampled_from(list("ab \r\x0b\x0c\x1c\x85\u2028\u2029ä\U0001f600")), max_size=8), max_size=12
)


def naive(content: bytes, errors: str = "strict") -> list[str]:
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix(b"\r").decode("utf-8", errors) for line in lines]


def texts(name, offset, chunks, errors="strict"):
    return [record for batch in records.text(name, offset, iter(chunks), errors) for record in batch.records]


@settings(max_examples=60, deadline=None)
@given(LINES, st.booleans(), st.booleans(), st.integers(1, 40))
def test_every_record_is_read_once_however_the_file_is_divided(lines, bom, last_newline, split_size):
    content = (b"\xef\xbb\xbf" if bom else b"") + "\n".join(lines).encode() + (b"\n" if last_newline else b"")
    with TemporaryDirectory() as folder:
        file = write_input(Path(folder), content)
        pieces = read_all(Path(folder), file, split_size)
    assert b"".join(piece for _, piece in pieces) == content
    found = [record for offset, piece in pieces for record in texts("f", offset, [piece])]
    assert found == naive(content)


@settings(max_examples=50, deadline=None)
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
    first, last = records.text("f.txt", 100, iter([b"ab\r\n\xc3\xa4\nc"]), "strict")
    assert [first.records, last.records] == [["ab", "ä"], ["c"]]
    assert [first.where(0), first.where(1), last.where(0)] == ["f.txt:100", "f.txt:104", "f.txt:107"]


def test_a_mark_of_byte_order_is_dropped_at_the_beginning_only():
    bom = b"\xef\xbb\xbf"
    assert texts("f", 0, [bom + b"a\n" + bom + b"b"]) == ["a", "\ufeffb"]
    assert texts("f", 9, [bom + b"a"]) == ["\ufeffa"]
    assert texts("f", 0, [bom]) == []


def test_a_strict_reader_yields_the_records_before_the_bad_one_and_names_the_byte():
    batches = records.text("f.txt", 10, iter([b"a\nb\nc\xffd\n"]), "strict")
    assert next(batches).records == ["a", "b"]
    with pytest.raises(UserTaskError) as caught:
        next(batches)
    info = describe(caught.value)
    assert (info.kind, info.reason, info.where) == ("refused", "RecordUndecodable", "f.txt:14")
    assert "byte 0xff at offset 15 of f.txt" in info.message


def test_a_record_that_is_too_long_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(ranges, "MAX_RECORD", 10)
    monkeypatch.setattr(ranges, "CHUNK", 4)
    file = write_input(tmp_path, b"ok\n" + b"x" * 30 + b"\n")
    with pytest.raises(UserTaskError, match="longer than 10 bytes") as caught:
        b"".join(ranges.read_range(tmp_path, FileRange(file, 0, file.size))[1])
    info = describe(caught.value)
    assert (info.kind, info.reason, info.where) == ("refused", "RecordUndecodable", "input.txt:3")
    with pytest.raises(UserTaskError, match="longer than 10 bytes"):
        texts("f", 0, [b"x" * 6, b"x" * 6])


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
