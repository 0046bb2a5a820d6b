"""Of a line that is longer than a record may be only the beginning is read further, and its end is not looked for
without an end of that."""

import pytest

from mapreduce.plan import FileRange, split_files
from mapreduce_worker.engine import formats, long_lines, ranges
from mapreduce_worker.engine.failure import RecordRefused, describe
from mapreduce_worker.engine.long_lines import Gap
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.quarantine import Quarantine
from tests.support.engine_runs import one_split, write_input

LIMIT, BEYOND = 10, 30
LONGEST = LIMIT + BEYOND
OPTIONS = TaskOptions(max_record_bytes=LIMIT, skip_bad_records=5)


def read(folder, splits, kept):
    """Return the records with their offsets, of all splits."""
    found = []
    for split in splits:
        for part in split.ranges:
            offset, chunks = ranges.read_range(folder, part, LIMIT, skips=True)
            for batch in formats.read(part.file, offset, chunks, OPTIONS, kept.refuse):
                found += [(batch.offset(index), record) for index, record in enumerate(batch.records)]
    return found


def test_of_a_line_of_many_chunks_only_what_is_kept_of_it_is_sent(tmp_path):
    long = 3 * ranges.CHUNK
    file = write_input(tmp_path, b"a\n" + b"x" * long + b"\nb\n")
    offset, chunks = ranges.read_range(tmp_path, FileRange(file, 1, file.size), LIMIT, skips=True)
    sent = list(chunks)
    assert [chunk.size for chunk in sent if isinstance(chunk, Gap)] == [long - LIMIT - 2]
    assert b"".join(chunk for chunk in sent if isinstance(chunk, bytes)) == b"x" * (LIMIT + 2) + b"\nb\n"
    kept = Quarantine(1)
    batches = formats.read(file, offset, iter(sent), OPTIONS, kept.refuse)
    assert [(batch.records, batch.offset(0)) for batch in batches] == [(["b"], long + 3)]
    assert [(bad.offset, bad.record, bad.cut) for bad in kept.kept] == [(2, "x" * LIMIT, True)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_the_longest_line_that_is_left_out_is_left_out_and_the_next_one_ends_the_job(tmp_path, monkeypatch, chunk, end):
    monkeypatch.setattr(ranges, "CHUNK", chunk)
    monkeypatch.setattr(long_lines, "BEYOND", BEYOND)
    longest = LONGEST - end.count(b"\r")
    for split_size in (5, 13, 1000):
        file = write_input(tmp_path, b"a\n" + b"x" * longest + end)
        kept = Quarantine(5)
        assert read(tmp_path, split_files([file], split_size), kept) == [(0, "a")]
        assert [(bad.offset, bad.record) for bad in kept.kept] == [(2, "x" * LIMIT)]
        file = write_input(tmp_path, b"a\n" + b"x" * (longest + 1) + end)
        with pytest.raises(RecordRefused, match="the end of such a line") as caught:
            read(tmp_path, split_files([file], split_size), Quarantine(5))
        info = describe(caught.value)
        assert (info.kind, info.reason, info.where) == ("refused", "RecordTooLong", "input.txt:2")


def test_the_end_of_a_line_is_not_looked_for_beyond_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(ranges, "CHUNK", 4)
    monkeypatch.setattr(long_lines, "BEYOND", BEYOND)
    file = write_input(tmp_path, b"x" * 1000)
    for part, where in ((FileRange(file, 0, 5), "input.txt:0"), (FileRange(file, 500, 505), "input.txt:500")):
        with pytest.raises(RecordRefused) as caught:
            ranges.read_range(tmp_path, part, LIMIT, skips=True)
        assert caught.value.where == where


def test_a_file_in_one_range_and_one_in_many_are_judged_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(long_lines, "BEYOND", BEYOND)
    file = write_input(tmp_path, b"ok\n" + b"x" * (LONGEST + 1) + b"\nok\n")
    for splits in ([one_split(file)], list(split_files([file], 9))):
        with pytest.raises(RecordRefused) as caught:
            read(tmp_path, splits, Quarantine(5))
        assert caught.value.where == "input.txt:3"
