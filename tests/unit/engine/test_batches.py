"""Frames of records hold what the reader of lines reads, and end where the split's bytes say."""

import gzip
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.plan import FileRange, ListedFile, Split, split_files
from mapreduce_worker.engine import batch_lines, batch_window, batches, map_task, ranges
from mapreduce_worker.engine.failure import InputDamaged, RecordRefused
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.quarantine import Quarantine
from tests.support import budget
from tests.support.engine_runs import write_input

BYTES = st.lists(
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\x00", b"\x0b", b"\x85", b"\xff", b"\xef\xbb\xbf", b"\xe2\x82", b"word"])
    | st.sampled_from(["\u2028", "\ufffd", "\U0001f600", " "]).map(str.encode)
    | st.binary(max_size=3),
    max_size=40,
).map(b"".join)
ERRORS = ["strict", "replace", "bytes"]


def in_chunks(content: bytes, size: int):
    return lambda part, _: (part.start, iter([content[at : at + size] for at in range(0, len(content), size)]))


def whole(content: bytes) -> Split:
    return Split(0, (FileRange(ListedFile("f", "f", len(content), ""), 0, len(content)),))


def rows(found):
    return [row for window in found for row in window.frame.select("file", "offset", "value").rows()]


def expected(split, source, options, refuse):
    found = map_task.batches(split, source, options, refuse)
    return [(batch.name, batch.offset(at), record) for batch in found for at, record in enumerate(batch.records)]


@budget.examples(150)
@given(BYTES, st.sampled_from(ERRORS), st.integers(1, 9), st.sampled_from([1, 3, 10, 1000]))
def test_frames_hold_the_records_that_the_reader_of_lines_reads(content, errors, chunk, window):
    options = TaskOptions(encoding_errors=errors, max_record_bytes=6, skip_bad_records=100)
    source, split = in_chunks(content, chunk), whole(content)
    ours, theirs = Quarantine(100), Quarantine(100)
    wanted = expected(split, source, options, theirs.refuse)
    found = list(batches.windows(split, source, options, ours.refuse, window))
    assert rows(found) == wanted
    assert ours.kept == theirs.kept
    assert all(frame.frame.height for frame in found)


@budget.examples(60)
@given(BYTES, st.integers(1, 9), st.integers(1, 9), st.integers(1, 30))
def test_where_a_frame_ends_does_not_depend_on_chunks(content, chunk, other, window):
    options = TaskOptions(encoding_errors="bytes")
    made = [
        [
            window.frame.rows()
            for window in batches.windows(whole(content), in_chunks(content, size), options, window=window)
        ]
        for size in (chunk, other)
    ]
    assert made[0] == made[1]


@budget.examples(100)
@given(BYTES, st.sampled_from(ERRORS), st.integers(1, 9), st.integers(1, 9), st.integers(1, 60), st.integers(1, 12))
def test_a_frame_has_no_more_records_than_it_may_wherever_chunks_end(content, errors, chunk, other, window, fields):
    options = TaskOptions(encoding_errors=errors, max_record_bytes=6, skip_bad_records=100)
    split = whole(content)
    made = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_window, "FIELDS", fields)
        for size in (chunk, other):
            found = batches.windows(split, in_chunks(content, size), options, Quarantine(100).refuse, window)
            made.append([each.frame for each in found])
    assert [frame.rows() for frame in made[0]] == [frame.rows() for frame in made[1]]
    assert all(0 < frame.height <= max(1, fields // 3) for frame in made[0])
    wanted = expected(split, in_chunks(content, chunk), options, Quarantine(100).refuse)
    assert [row for frame in made[0] for row in frame.select("file", "offset", "value").rows()] == wanted


@pytest.mark.parametrize("alike", [True, False])
@budget.examples(60)
@given(BYTES, st.integers(1, 9), st.integers(1, 60), st.integers(1, 12), st.integers(1, 30))
def test_frames_are_the_same_whoever_counts_their_lines(alike, content, chunk, window, fields, counted):
    options = TaskOptions(encoding_errors="replace")
    made = []
    for least in (1, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batch_window, "FIELDS", fields)
            patch.setattr(batch_lines, "_MANY", least)
            patch.setattr(batch_lines, "_COUNTED", counted)
            patch.setattr(batch_lines, "_are_counted_alike", lambda: alike)
            found = batches.windows(whole(content), in_chunks(content, chunk), options, window=window)
            made.append([each.frame.rows() for each in found])
    assert made[0] == made[1]


def test_this_polars_counts_lines_as_we_do():
    assert batch_lines._are_counted_alike()


@pytest.mark.parametrize(("form", "header"), [("text", b""), ("csv", b"a\n")])
def test_very_short_records_make_frames_of_less_than_a_window(form, header):
    content = header + b"1\n" * 3_000_000
    found = batches.windows(whole(content), in_chunks(content, 1 << 20), TaskOptions(format=form))
    # Three fields a record, each of 16 bytes.
    most = (64 << 20) // 16 // 3
    assert [window.frame.height for window in found] == [most, most, 3_000_000 - 2 * most]


def test_a_frame_holds_the_records_that_begin_in_its_window_of_the_splits_bytes():
    content = b"aa\nbbbbbb\nc\nd\n"
    found = batches.windows(whole(content), in_chunks(content, 4), TaskOptions(), window=5)
    assert [window.frame["value"].to_list() for window in found] == [["aa", "bbbbbb"], ["c", "d"]]


def test_small_files_share_a_frame_that_says_where_each_record_is(tmp_path):
    files = [
        write_input(tmp_path, content, name) for name, content in {"a": b"1\n22", "b": b"", "c": b"333\r\n4"}.items()
    ]
    split = next(iter(split_files(files, 1000)))
    (window,) = batches.windows(split, lambda part, _: ranges.read_range(tmp_path, part), TaskOptions())
    assert window.frame.rows() == [("1", "a", 0), ("22", "a", 2), ("333", "c", 0), ("4", "c", 5)]
    assert window.span() == "a:0 to c:5"
    assert window.size == sum(file.size for file in files)


@pytest.mark.parametrize("window", [1, 7, 1000])
def test_a_compressed_file_gives_the_frames_of_what_it_holds(tmp_path, window):
    content = b"".join(b"line %d\n" % number for number in range(50))
    plain = write_input(tmp_path, content, "a.txt")
    packed = write_input(tmp_path, gzip.compress(content), "a.txt.gz")

    def frames(file):
        split = Split(0, (FileRange(file, 0, file.size),))
        found = list(
            batches.windows(split, lambda part, _: ranges.read_range(tmp_path, part), TaskOptions(), window=window)
        )
        return [each.frame.drop("file").rows() for each in found], sum(each.size for each in found)

    assert frames(packed)[0] == frames(plain)[0]
    assert frames(packed)[1] <= packed.size


def test_a_compressed_file_that_is_cut_short_is_an_error_with_its_name(tmp_path):
    file = write_input(tmp_path, gzip.compress(b"line\n" * 1000)[:-9], "a.txt.gz")
    split = Split(0, (FileRange(file, 0, file.size),))
    with pytest.raises(InputDamaged, match=r"a\.txt\.gz"):
        list(batches.windows(split, lambda part, _: ranges.read_range(tmp_path, part), TaskOptions()))


@pytest.mark.parametrize("content", [b"good\nb\xffd\n", b"good\ntoo long a line\n"])
def test_a_record_that_cannot_be_read_is_an_error_with_file_and_offset(content):
    options = TaskOptions(max_record_bytes=8)
    with pytest.raises(RecordRefused) as told:
        list(batches.windows(whole(content), in_chunks(content, 100), options))
    assert told.value.where == "f:5"


@budget.examples(30)
@given(st.lists(st.sampled_from(["a", "bb\r", "ä", "cccc"]), max_size=12), st.integers(1, 20), st.integers(1, 30))
def test_every_record_is_in_one_frame_however_the_file_is_divided(given_lines, split_size, window):
    content = "\n".join(given_lines).encode()
    found = []
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for split in split_files([write_input(root, content)], split_size):
            made = batches.windows(split, lambda part, _: ranges.read_range(root, part), TaskOptions(), window=window)
            found += [(offset, value) for _, offset, value in rows(made)]
    starts = accumulate((len(line.encode()) + 1 for line in given_lines), initial=0)
    assert found == [(at, line.removesuffix("\r")) for at, line in zip(starts, given_lines, strict=False)]


@pytest.mark.parametrize(
    "read",
    [lambda raw: [line for line in raw.split(b"\n") if line], lambda raw: raw.replace(b"\f", b"\n").split(b"\n")],
)
def test_a_reader_of_lines_that_leaves_some_out_or_divides_them_is_not_believed(read, monkeypatch):
    def read_lines(raw, name):
        return pl.DataFrame({name: [line.decode() for line in read(raw)]})

    monkeypatch.setattr(pl, "read_lines", read_lines)
    content = b"one\n\nt\fwo"
    found = batches.windows(whole(content), in_chunks(content, 3), TaskOptions(), window=100)
    assert rows(found) == [("f", 0, "one"), ("f", 4, ""), ("f", 5, "t\fwo")]
