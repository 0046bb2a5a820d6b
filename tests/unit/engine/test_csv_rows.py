"""CSV is read as RFC 4180 has it: the same rows wherever it is divided, and the rest refused with its place."""

import csv
import io
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mapreduce.bad_records import BadRecord
from mapreduce.plan import FileRange, ListedFile, split_files
from mapreduce_worker.engine import csv_bounds, cuts, formats, ranges
from mapreduce_worker.engine.failure import RecordRefused, RecordTooLong
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.quarantine import Quarantine
from tests.support import budget
from tests.support.engine_runs import write_input
from tests.support.naive_csv import naive

LIMIT = 40
FILE = ListedFile("f", "f", 0, "")
_fields = st.text(st.sampled_from('ab,"\r\n ü\0'), max_size=6)
_tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(_fields, min_size=width, max_size=width), max_size=12)
)
_sizes = st.lists(st.integers(1, 20), max_size=10)
_raw = st.text(st.sampled_from('aü,"\r\n'), max_size=60).map(str.encode)


def pieces(content, sizes):
    """Divide bytes into chunks of these sizes, and one of the rest."""
    at = 0
    for size in [*sizes, len(content)]:
        if content[at : at + size]:
            yield content[at : at + size]
        at += size


def read(content, sizes=(), **options):
    """Return the rows with their offsets, and what is kept of those that cannot be read."""
    asked = TaskOptions(format="csv", **{"skip_bad_records": 100} | options)
    kept = Quarantine(asked.skip_bad_records)
    good = []
    for batch in formats.read(FILE, 0, pieces(content, sizes), asked, kept.refuse):
        good += [(batch.offset(index), record) for index, record in enumerate(batch.records)]
    return good, kept.kept


def read_divided(folder, file, split_size, chunk):
    """Return the same of a file as a plan divides it, read in chunks of that size."""
    good: list[tuple[int, Any]] = []
    bad: list[BadRecord] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "CHUNK", chunk)
        patch.setattr(cuts, "HEADER_SHARE", 1)
        for split in split_files([file], split_size, "csv", cuts.finder(folder, "csv", 1000, skips=False)):
            for part in split.ranges:
                kept = Quarantine(100)
                offset, chunks = ranges.read_range(folder, part)
                options = TaskOptions(format="csv", skip_bad_records=100, max_record_bytes=LIMIT)
                for batch in formats.read_range(part, offset, chunks, options, kept.refuse):
                    good += [(batch.offset(index), record) for index, record in enumerate(batch.records)]
                bad += kept.kept
    return good, tuple(bad)


@budget.examples(300)
@given(_tables, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans(), _sizes)
def test_what_the_csv_module_writes_comes_back_however_the_bytes_come(table, end, quotes, mark, sizes):
    names = [f"c{number}" for number in range(len(table[0]) if table else 1)]
    out = io.StringIO(newline="")
    # Where a line ends without a carriage return, the module writes one as it is, and does not read it again.
    quotes = quotes or (end == "\n" and any("\r" in field for row in table for field in row))
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL if quotes else csv.QUOTE_MINIMAL).writerows(
        [names, *table]
    )
    content = (b"\xef\xbb\xbf" if mark else b"") + out.getvalue().encode()
    good, bad = read(content, sizes)
    assert [row for _, row in good] == list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert not bad
    assert [content[at:].startswith((b'"', row["c0"][:1].encode())) for at, row in good] == [True] * len(good)


@budget.examples(500)
@given(_raw, _sizes)
def test_exactly_the_bad_rows_are_left_out_however_the_bytes_come(rest, sizes):
    content = b'a,"b"\r\n' + rest
    good, kept = read(content, sizes, max_record_bytes=LIMIT)
    assert (good, [bad.offset for bad in kept]) == naive(content, LIMIT)
    assert kept == read(content, max_record_bytes=LIMIT)[1]


@budget.examples(300)
@given(_raw, st.integers(1, 40), st.integers(1, 20))
def test_rows_are_the_same_wherever_the_plan_divides_the_file(tmp_path_factory, rest, split_size, chunk):
    folder = tmp_path_factory.mktemp("in")
    content = b"a,b\n" + rest
    file = write_input(folder, content)
    good, bad = read_divided(folder, file, split_size, chunk)
    assert (good, [each.offset for each in bad]) == naive(content, LIMIT)
    assert [each.message for each in bad] == [
        each.message.replace("of f ", f"of {file.name} ") for each in read(content, max_record_bytes=LIMIT)[1]
    ]


@budget.examples(200)
@given(_raw, st.integers(1, 20), st.integers(1, 30))
def test_a_cut_is_the_first_record_that_begins_not_before_its_place(content, size, step):
    begins = {at for at, _ in csv_bounds.records(content)} | {len(content)}
    expected = {min(at for at in begins if at >= target) for target in range(step, len(content), step)}
    if not (content.endswith(b"\n") and content.count(b'"') % 2 == 0):
        expected.discard(len(content))
    blocks = pieces(content, [size] * len(content))
    assert list(csv_bounds.cut_points(blocks, range(step, len(content), step), 100)) == sorted(expected)


def test_a_large_file_is_divided_between_rows_and_every_range_knows_the_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(cuts, "HEADER_SHARE", 1)
    file = write_input(tmp_path, b'\xef\xbb\xbfk,v\r\na,"x\ny\n"\r\nb,2\r\nc,3\r\n')
    splits = list(split_files([file], 10, "csv", cuts.finder(tmp_path, "csv", 1000, skips=False)))
    bounds = [(part.start, part.end, part.header, part.exact) for split in splits for part in split.ranges]
    assert bounds == [(0, 18, "", True), (18, 23, "k,v", True), (23, 28, "k,v", True)]
    assert read_divided(tmp_path, file, 10, 7)[0] == [
        (8, {"k": "a", "v": "x\ny\n"}),
        (18, {"k": "b", "v": "2"}),
        (23, {"k": "c", "v": "3"}),
    ]


@pytest.mark.parametrize(
    "content", [b"\xff,b\n1,2\n3,4\n", b"a,b", b"\na,b\n1,2\n", b'"a,b\n1,2\n', b"a\r\r\n1\n", b"", b"a" * 99]
)
def test_a_file_whose_columns_cannot_be_told_is_not_divided(tmp_path, content, monkeypatch):
    monkeypatch.setattr(cuts, "MAX_HEADER", 50)
    file = write_input(tmp_path, content)
    splits = list(split_files([file], 2, "csv", cuts.finder(tmp_path, "csv", 1000, skips=False)))
    assert [split.ranges for split in splits] == ([(FileRange(file, 0, file.size),)] if content else [])


def test_a_range_is_much_longer_than_the_header_that_it_carries(tmp_path):
    file = write_input(tmp_path, b"a,b\n" + b"1,2\n" * 100)
    splits = list(split_files([file], 1, "csv", cuts.finder(tmp_path, "csv", 1000, skips=False)))
    assert [split.size for split in splits] == [64] * 6 + [20]


@pytest.mark.parametrize("quoted", [b"1,2\n", b'"1\n2",3\n'])
def test_a_record_that_would_end_the_job_is_refused_before_it_is_sent_anywhere(tmp_path, monkeypatch, quoted):
    monkeypatch.setattr(ranges, "CHUNK", 7)
    file = write_input(tmp_path, b"column,b\n" + quoted + b'"' + b"\nx" * 200)
    with pytest.raises(
        RecordTooLong, match=f"the record at byte {9 + len(quoted)} of {file.name} is longer than 100"
    ) as caught:
        list(split_files([file], 160, "csv", cuts.finder(tmp_path, "csv", 100, skips=False)))
    assert caught.value.where == f"{file.name}:{9 + len(quoted)}"
    assert len(list(split_files([file], 160, "csv", cuts.finder(tmp_path, "csv", 100, skips=True)))) == 1


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        (b"a,b\n1,2,3\n", {}, "the row at offset 4 of f has 3 fields, but the first line of the file names 2 columns"),
        (b"a,b\n1,2\n3\n", {}, "the row at offset 8 of f has 1 field, but the first line of the file names 2 columns"),
        (b'a,b\n"1,2\n3,4\n', {}, "the row at offset 4 of f is not valid CSV: in the field that begins in character 1, the quote is not closed"),  # noqa: E501
        (b'a,b\n1,2" 3\n', {}, "in the field that begins in character 3, a quote stands neither at the beginning nor"),
        (b'a,b\n1,"2"3\n', {}, "in the field that begins in character 3, a quote stands neither at the beginning nor"),
        (b"a,b\n1,2\r3\n", {}, "a carriage return stands outside of quotes, and not at the end of the line"),
        (b"a,b\n1,2\r\r\n", {}, "in the field that begins in character 3, a carriage return stands outside of quotes"),
        (b"a,b\n1,\xff\n", {}, "byte 0xff at offset 6 of f is not valid UTF-8"),
        (b"a,b\n1," + b"x" * 40, {"max_record_bytes": 20}, "the record at byte 4 of f is longer than 20 bytes"),
        (b'a,b\n1,"' + b"x" * 40, {"max_record_bytes": 20}, "(maxRecordBytes); a quote in it may not be closed"),
    ],
)  # fmt: skip
def test_a_row_that_is_not_right_is_told_with_file_and_offset(content, options, told):
    with pytest.raises(RecordRefused) as caught:
        read(content, skip_bad_records=0, **options)
    assert told in str(caught.value)
    assert caught.value.where == ("f:8" if content.endswith(b"2\n3\n") else "f:4")
    good, (kept,) = read(content, **options)
    assert [row for _, row in good] == ([{"a": "1", "b": "2"}] if b"1,2\n3\n" in content else [])
    assert told in kept.message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a,b,a\n1,2,3\n", "the first line of f, which names the columns, is not valid: two columns are called 'a'"),
        (b"a,,b\n1,2,3\n", "column 2 has no name"),
        (b"\n1\n", "column 1 has no name"),
        (b"a,b\r\r\n1,2\n", "in the field that begins in character 3, a carriage return stands outside of quotes"),
        (b'a,b"c\n1,2\n', "a quote stands neither at the beginning nor at the end"),
        (b'a,"b\n1,2\n', "the quote is not closed"),
        (b"a,\xff\n1,2\n", "byte 0xff at offset 2 of f is not valid UTF-8"),
        (b"a" * 41 + b"\n1\n", "longer than 40 bytes"),
    ],
)
@pytest.mark.parametrize("skip", [0, 5])
def test_names_of_columns_that_are_not_right_are_an_error_whatever_may_be_skipped(content, told, skip):
    with pytest.raises(RecordRefused) as caught:
        read(content, skip_bad_records=skip, max_record_bytes=LIMIT)
    assert told in str(caught.value)
    assert caught.value.where == "f:0"


def test_a_row_that_is_left_out_is_kept_as_it_stands_with_its_reason():
    _, (kept,) = read(b'a,b\n1,"x\ny",z\n2,3\n')
    assert (kept.reason, kept.record, kept.traceback) == ("RecordMalformed", '1,"x\ny",z', "")


def test_bytes_that_are_no_text_are_replaced_where_that_is_asked_for():
    good, _ = read(b"a\xff,b\n1,\xff\n", encoding_errors="replace")
    assert good == [(5, {"a\ufffd": "1", "b": "\ufffd"})]


def test_a_field_may_be_longer_than_the_csv_module_likes():
    long = "x" * (csv.field_size_limit() + 1)
    assert read(f"a,b\n1,{long}\n".encode())[0] == [(4, {"a": "1", "b": long})]
    assert csv.field_size_limit() == 131072
