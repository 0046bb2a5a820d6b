"""Frames of CSV hold the rows that are read one by one, refuse the same, and end where the split's bytes say."""

import gzip
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mapreduce.plan import FileRange, Split, split_files
from mapreduce_worker.engine import batch_csv, batch_window, batches, csv_frames, csv_rows, cuts, map_task, ranges
from mapreduce_worker.engine.failure import RecordRefused
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.quarantine import Quarantine
from tests.support import budget
from tests.support.engine_runs import write_input
from tests.support.naive_csv import naive
from tests.unit.engine.test_batches import in_chunks, whole

LIMIT = 40
_pieces = st.lists(
    st.sampled_from(
        ["a", "ü", ",", '"', "\r", "\n", "\r\n", "\0", "\ufeff", '"",', '","', '"a"', "a,b\n", '"x\n",y\n', "\n\n"]
    ),
    max_size=30,
)
_content = _pieces.map("".join).map(str.encode)
_header = st.sampled_from([b"a,b\n", b'\xef\xbb\xbfa,"b"\r\n', b"a\n", b'"a","b\nc","d,"\n'])


def rows(found):
    """Return where each record is, and the record."""
    made: list[Any] = []
    for window in found:
        made += [(row.pop("file"), row.pop("offset"), row) for row in window.frame.to_dicts()]
    return made


def one_by_one(split, source, options, refuse):
    found = map_task.batches(split, source, options, refuse)
    return [(batch.name, batch.offset(at), record) for batch in found for at, record in enumerate(batch.records)]


@budget.examples(400)
@given(
    _header,
    _content | st.binary(max_size=20),
    st.sampled_from(["strict", "replace"]),
    st.integers(1, 30),
    st.integers(1, 60),
)
def test_frames_hold_the_rows_that_are_read_one_by_one(header, content, errors, chunk, window):
    options = TaskOptions(format="csv", encoding_errors=errors, max_record_bytes=LIMIT, skip_bad_records=100)
    source, split = in_chunks(header + content, chunk), whole(header + content)
    ours, theirs = Quarantine(100), Quarantine(100)
    wanted = one_by_one(split, source, options, theirs.refuse)
    assert rows(batches.windows(split, source, options, ours.refuse, window)) == wanted
    assert ours.kept == theirs.kept


@budget.examples(300)
@given(st.integers(1, 3), _content)
def test_what_is_read_as_columns_is_what_a_naive_reader_reads(width, content):
    """Without the way row by row: what is not None is right."""
    names = [f"c{number}" for number in range(width)]
    header = ",".join(names).encode() + b"\n"
    found = csv_frames.read(content, names, "strict")
    if found is not None:
        good, bad = naive(header + content, 1000)
        assert not bad
        assert list(zip(found.starts + len(header), found.columns.to_dicts(), strict=True)) == good


@pytest.mark.parametrize(
    "content",
    [
        b"a,1\nb,2\n",
        b"a,1\r\nb,2\r\n",
        b"a,1\nb,2",
        b"a,\n,\n",
        b'"a\nb",1\n"c""d","e,f"\n',
        b'"a\r\nb",1\r\n"",""\r\n',
        b"\n\na,1\n\r\nb,2\n\n",
        b'\n"a",1\n\n"b","\n\n"\n',
    ],
)
def test_good_rows_are_read_as_columns(content):
    found = csv_frames.read(content, ["x", "y"], "strict")
    assert found is not None
    assert list(zip(found.starts + 4, found.columns.to_dicts(), strict=True)) == naive(b"x,y\n" + content, 1000)[0]


@pytest.mark.parametrize("bad", [b"1,2,3", b"1,2,", b"1", b'1,2"3', b'"1"2,3', b"1\r,2", b'"1,2', b"\xff,1"])
def test_a_bad_row_is_refused_with_file_and_offset_in_the_same_words(bad):
    content = b"a,b\n1,2\n" + bad + b"\n"
    options = TaskOptions(format="csv")
    told = []
    for read in (batches.windows, map_task.batches):
        with pytest.raises(RecordRefused) as error:
            list(read(whole(content), in_chunks(content, 100), options))
        told.append((error.value.where, str(error.value)))
    assert told[0] == told[1]
    assert told[0][0] == "f:8"


@pytest.mark.parametrize("content", [b"1\n2,3,", b"1\n2,3,\n", b'1\n\n"", ,', b"1,2,3\n4\n", b'"1"\n"2","3",'])
def test_rows_with_too_many_and_too_few_fields_do_not_make_up_for_each_other(content):
    assert csv_frames.read(content, ["a", "b"], "strict") is None


@budget.examples(60)
@given(_content, st.integers(1, 9), st.integers(1, 9), st.integers(1, 30))
def test_where_a_frame_ends_does_not_depend_on_chunks(content, chunk, other, window):
    content = b"a,b\n" + content
    options = TaskOptions(format="csv", skip_bad_records=100)
    made = []
    for size in (chunk, other):
        found = batches.windows(whole(content), in_chunks(content, size), options, Quarantine(100).refuse, window)
        made.append([each.frame.rows() for each in found])
    assert made[0] == made[1]


@budget.examples(100)
@given(_header, _content, st.integers(1, 9), st.integers(1, 9), st.integers(1, 60), st.integers(1, 16))
def test_a_frame_has_no_more_fields_than_it_may_wherever_chunks_end(header, content, chunk, other, window, fields):
    options = TaskOptions(format="csv", max_record_bytes=LIMIT, skip_bad_records=100)
    split = whole(header + content)
    made = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_window, "FIELDS", fields)
        for size in (chunk, other):
            found = batches.windows(split, in_chunks(header + content, size), options, Quarantine(100).refuse, window)
            made.append(list(found))
    assert [each.frame.rows() for each in made[0]] == [each.frame.rows() for each in made[1]]
    assert all(0 < each.frame.height <= max(1, fields // each.frame.width) for each in made[0])
    assert rows(made[0]) == one_by_one(split, in_chunks(header + content, chunk), options, Quarantine(100).refuse)


@budget.examples(100)
@given(_content, st.integers(1, 40), st.integers(1, 20))
def test_every_row_is_in_one_frame_wherever_the_plan_divides_the_file(tmp_path_factory, content, split_size, chunk):
    folder = tmp_path_factory.mktemp("in")
    file = write_input(folder, b"a,b\n" + content)
    options = TaskOptions(format="csv", skip_bad_records=100)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "CHUNK", chunk)
        patch.setattr(cuts, "HEADER_SHARE", 1)
        for split in split_files([file], split_size, "csv", cuts.finder(folder, "csv", 1000, skips=False)):
            made = batches.windows(
                split, lambda part, _: ranges.read_range(folder, part), options, Quarantine(100).refuse, 16
            )
            found += [(offset, row) for _, offset, row in rows(made)]
    assert found == naive(b"a,b\n" + content, 1000)[0]


def test_a_frame_holds_the_rows_that_begin_in_its_window_and_ends_where_columns_change(tmp_path):
    contents = {"a": b"k,v\na,1\nb,2\n", "b": b"k,v\nc,3\n", "c": b"k,w\n", "d": b"k,w\nd,4\n", "e": b"k,v\ne,5\n"}
    files = [write_input(tmp_path, content, name) for name, content in contents.items()]
    (split,) = split_files(files, 1000)

    def frames(window):
        found = list(
            batches.windows(
                split, lambda part, _: ranges.read_range(tmp_path, part), TaskOptions(format="csv"), window=window
            )
        )
        return [(each.frame.columns[1], each.frame["k"].to_list(), each.span()) for each in found]

    assert frames(1000) == [("v", ["a", "b", "c"], "a:4 to b:4"), ("w", ["d"], "d:4"), ("v", ["e"], "e:4")]
    assert frames(8)[:2] == [("v", ["a"], "a:4"), ("v", ["b"], "a:8")]


def test_a_column_that_is_called_like_a_place_is_the_files_own():
    content = b"offset,n,file\nx,1,y\nz,2,w\n"
    (window,) = batches.windows(whole(content), in_chunks(content, 9), TaskOptions(format="csv"))
    assert window.frame.rows(named=True)[0] == {"offset": "x", "n": "1", "file": "y"}
    assert window.span() == "f:14 to f:20"


@pytest.mark.parametrize("window", [1, 7, 1000])
def test_a_compressed_file_gives_the_frames_of_what_it_holds(tmp_path, window):
    content = b"a,b\n" + b"".join(b'%d,"%d"\n' % (number, number) for number in range(12))
    plain = write_input(tmp_path, content, "a.csv")
    packed = write_input(tmp_path, gzip.compress(content), "a.csv.gz")
    made = [
        [
            each.frame.drop("file").rows()
            for each in batches.windows(
                Split(0, (FileRange(file, 0, file.size),)),
                lambda part, _: ranges.read_range(tmp_path, part),
                TaskOptions(format="csv"),
                window=window,
            )
        ]
        for file in (plain, packed)
    ]
    assert made[0] == made[1]


def test_good_rows_never_become_python_objects(monkeypatch):
    monkeypatch.setattr(csv_rows, "batches", lambda *_: pytest.fail("row by row"))
    content = b"a,b\r\n" + b'"x,\n",1\r\n\r\ny,\r\n' * 100
    (window,) = batches.windows(whole(content), in_chunks(content, 77), TaskOptions(format="csv"))
    assert window.frame.height == 200


def test_a_header_that_is_wrong_is_refused_whatever_may_be_skipped():
    content = b"a,a\n1,2\n"
    with pytest.raises(RecordRefused, match="two columns are called 'a'"):
        list(batches.windows(whole(content), in_chunks(content, 9), TaskOptions(format="csv"), Quarantine(9).refuse))


def test_rows_hold_nothing_before_a_file_was_begun():
    assert not list(batch_csv.Rows(TaskOptions(format="csv"), Quarantine(0).refuse).taken())
