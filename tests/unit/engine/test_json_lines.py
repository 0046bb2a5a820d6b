"""Lines of JSON are read one value a line, and a bad one is told with file, offset and column."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.plan import split_files
from mapreduce.spec import EncodingErrors
from mapreduce_worker.engine import json_lines, long_lines, ranges
from mapreduce_worker.engine.failure import RecordRefused, describe
from mapreduce_worker.engine.options import TaskOptions
from tests.support import budget
from tests.support.engine_runs import write_input

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
BLANK = st.sampled_from(["", " ", "\t ", "\r", "\x0b\x0c"])


def values(*chunks: bytes, offset: int = 0, errors: EncodingErrors = "strict", limit: int = 1 << 20) -> list[object]:
    options = TaskOptions(format="jsonl", encoding_errors=errors, max_record_bytes=limit)
    return [value for batch in json_lines.read("f.jsonl", offset, iter(chunks), options) for value in batch.records]


def refused(*chunks: bytes, offset: int = 0, reason: str = "RecordMalformed") -> tuple[str, str]:
    """Return where and why; the job fails at once, as the line will be bad tomorrow too."""
    with pytest.raises(RecordRefused) as caught:
        values(*chunks, offset=offset)
    info = describe(caught.value)
    assert (info.kind, info.reason) == ("refused", reason)
    return info.where, info.message


@budget.examples(80)
@given(
    st.lists(VALUES.map(lambda value: json.dumps(value, ensure_ascii=False)) | BLANK, max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 40),
    st.integers(1, 9),
)
def test_however_a_file_is_divided_every_value_is_read_once(lines, end, bom, last_end, split_size, chunk):
    text = ("\ufeff" if bom else "") + end.join(lines) + (end if last_end and lines else "")
    expected = [json.loads(line) for line in lines if line.strip()]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "CHUNK", chunk)
        file = write_input(Path(folder), text.encode())
        parts = [part for split in split_files([file], split_size) for part in split.ranges]
        read = [ranges.read_range(Path(folder), part) for part in parts]
        found = [value for offset, chunks in read for value in values(*map(long_lines.whole, chunks), offset=offset)]
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


def test_a_record_knows_its_offset_though_lines_without_one_stand_between():
    (batch,) = json_lines.read("f", 100, iter([b'\n {"a":1}\n\t\n\n[2]\r\n3\n']), TaskOptions())
    assert batch.records == [{"a": 1}, [2], 3]
    assert [batch.where(2), batch.where(0), batch.where(1)] == ["f:118", "f:101", "f:113"]


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        (b'{"a": nope}', 7, "Expecting value"),
        ('{"ä": nope}'.encode(), 7, "Expecting value"),
        (b'{"a": 1} x', 10, "Extra data"),
        (b'{"a": 1', 8, "Expecting ',' delimiter"),
        (b"[NaN]", 1, "NaN is no value of JSON"),
        (b'"a\x00b"', 3, "Invalid control character"),
        (b"[" * 100_000, 1, "nested too deeply"),
        (b"1" * 5000, 1, "limit"),
        (b"1 2", 3, "Extra data"),
        (rb'"\ud800"', 2, "pair of surrogates"),
        (rb'{"a": "\ud83d\ude00", "b": "\n\udc00"}', 31, "pair of surrogates"),
        (rb'["\\\\ud800", "\ud800\u0041"]', 16, "pair of surrogates"),
        (rb'"\ud83d\ud83d\ude00"', 2, "pair of surrogates"),
    ],
)
def test_a_line_that_is_no_json_is_told_with_file_offset_and_column(line, column, reason):
    where, message = refused(b"1\n\n", line + b"\n2\n", offset=10)
    assert where == "f.jsonl:13"
    assert "offset 13 of f.jsonl is not valid JSON" in message
    assert reason in message
    assert message.endswith(f"column {column}")


def test_a_value_must_not_go_on_in_the_next_line():
    assert refused(b'{"a":\n1}\n')[0] == "f.jsonl:0"


def test_the_records_before_a_bad_line_are_yielded():
    batches = json_lines.read("f", 0, iter([b"1\n2\nx\n3\n"]), TaskOptions())
    assert next(batches).records == [1, 2]
    with pytest.raises(RecordRefused):
        next(batches)


def test_a_byte_that_is_no_utf8_is_named_or_replaced():
    where, message = refused(b'1\n["\xc3\xa4\xff"]\n', reason="RecordUndecodable")
    assert where == "f.jsonl:2"
    assert "byte 0xff at offset 6 of f.jsonl" in message
    assert values(b'1\n["\xc3\xa4\xff"]\n', errors="replace") == [1, ["ä\ufffd"]]


def test_a_mark_of_byte_order_is_dropped_at_the_beginning_only_and_counted_in_offsets():
    bom = b"\xef\xbb\xbf"
    assert values(bom + b"1\n2\n") == [1, 2]
    assert refused(b"1\n" + bom + b"2\n")[0] == "f.jsonl:2"
    assert "byte 0xff at offset 4 of" in refused(bom + b'"\xff"\n', reason="RecordUndecodable")[1]


def test_a_line_that_is_too_long_is_refused_before_it_is_read():
    assert values(b"[1]\r\n", limit=3) == [[1]]
    with pytest.raises(RecordRefused, match="longer than 3 bytes"):
        values(b"1\n[12]\n", limit=3)
