"""A whole file is one record, empty or not, and nothing in it is taken for an end."""

import os

import pytest

from mapreduce.plan import FileRange, ListedFile
from mapreduce.spec import EncodingErrors
from mapreduce_worker.engine import formats, ranges
from mapreduce_worker.engine.failure import InputChanged, RecordRefused, describe
from mapreduce_worker.engine.options import TaskOptions
from tests.support.engine_runs import write_input

CONTENT = "\ufeffone\r\ntwo\u2028\x00ä\n\n".encode()


def records(content: bytes, *chunks: bytes, errors: EncodingErrors = "strict", limit: int = 100) -> list[object]:
    options = TaskOptions(format="wholefile", encoding_errors=errors, max_record_bytes=limit)
    listed = ListedFile("f", "f", len(content), "mtime:1")
    return [record for batch in formats.read(listed, 0, iter(chunks), options) for record in batch.records]


def test_a_file_is_one_record_whatever_is_in_it():
    assert records(CONTENT, CONTENT[:3], CONTENT[3:]) == [CONTENT.decode("utf-8-sig")]
    assert records(b"") == [""]
    assert records(b"", errors="bytes") == [b""]


def test_bytes_are_left_as_they_are():
    assert records(CONTENT, CONTENT, errors="bytes") == [CONTENT]


def test_a_bad_byte_is_named_or_replaced():
    with pytest.raises(RecordRefused) as caught:
        records(b"", b"\xef\xbb\xbfa\n", b"b\xff")
    info = describe(caught.value)
    assert (info.kind, info.reason) == ("refused", "RecordUndecodable")
    assert "byte 0xff at offset 6 of f" in info.message
    assert records(b"", b"b\xff", errors="replace") == ["b\ufffd"]


def test_a_file_of_more_bytes_than_a_record_may_have_is_refused():
    assert records(b"", b"x" * 100) == ["x" * 100]
    with pytest.raises(RecordRefused, match="longer than 100 bytes") as caught:
        records(b"", b"x" * 100, b"y")
    assert caught.value.where == "f:0"


def test_a_batch_says_where_it_is():
    (batch,) = formats.read(ListedFile("f", "f", 3, ""), 0, iter([b"abc"]), TaskOptions(format="wholefile"))
    assert (batch.where(0), batch.size) == ("f:0", 3)


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path):
    file = write_input(tmp_path, bytes(3 * ranges.CHUNK))
    _, chunks = ranges.read_range(tmp_path, FileRange(file, 0, file.size))
    next(chunks)
    os.truncate(tmp_path / "input.txt", ranges.CHUNK + 5)
    with pytest.raises(InputChanged, match=r"input\.txt became shorter") as caught:
        list(chunks)
    info = describe(caught.value)
    assert (info.kind, info.reason, info.where) == ("refused", "InputChanged", f"input.txt:{ranges.CHUNK + 5}")
