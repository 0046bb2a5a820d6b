"""Records that cannot be read are left out where that is allowed: the same ones, wherever the bytes are divided."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mapreduce.bad_records import BadRecord
from mapreduce.errors import RecordError
from mapreduce.plan import ListedFile, split_files
from mapreduce_worker.engine import formats, ranges
from mapreduce_worker.engine.failure import RecordRefused
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.quarantine import Quarantine
from tests.support import budget
from tests.support.engine_runs import write_input

LIMIT = 12
FILE = ListedFile("f", "f", 0, "")
_lines = st.lists(
    st.sampled_from(
        [b"1", b"", b'"ok"', b"x" * 12, b"x" * 13, b"x" * 40, b"\xff", b"a\xffb", b"[1", b'"\xff"', b"\r", b"2\r"]
    ),
    max_size=12,
)


def read_in_chunks(content, sizes, options):
    """Return the records, with their offsets, and what is kept of those that cannot be read."""
    chunks, at = [], 0
    for size in [*sizes, len(content)]:
        chunks.append(content[at : at + size])
        at += size
    kept = Quarantine(options.skip_bad_records)
    good = []
    for batch in formats.read(FILE, 0, iter([chunk for chunk in chunks if chunk]), options, kept.refuse):
        good += [(batch.offset(index), record) for index, record in enumerate(batch.records)]
    return good, kept.kept


def naive(content, decode):
    """Return (records with offsets, offsets of bad ones), line by line."""
    good, bad, at = [], [], 0
    for line in content.split(b"\n")[: None if not content.endswith(b"\n") else -1] if content else []:
        bare = line[:-1] if line.endswith(b"\r") else line
        try:
            if len(bare) > LIMIT:
                raise ValueError("too long")
            good += [(at, value) for value in decode(bare)]
        except (ValueError, RecordError):
            bad.append(at)
        at += len(line) + 1
    return good, bad


def json_value(line):
    return [json.loads(line.decode())] if line.strip() else []


@budget.examples(300)
@given(_lines, st.booleans(), st.lists(st.integers(1, 20), max_size=10), st.sampled_from(["text", "jsonl"]))
def test_exactly_the_bad_lines_are_left_out_however_the_bytes_come(some, ends, sizes, name):
    content = b"\n".join(some) + (b"\n" if ends and some else b"")
    options = TaskOptions(format=name, max_record_bytes=LIMIT, skip_bad_records=100)
    good, kept = read_in_chunks(content, sizes, options)
    decode = json_value if name == "jsonl" else lambda line: [line.decode()]
    assert (good, [bad.offset for bad in kept]) == naive(content, decode)
    assert kept == read_in_chunks(content, [], options)[1]


@budget.examples(50)
@given(_lines, st.integers(1, 60), st.integers(1, 20))
def test_each_bad_line_belongs_to_one_split(tmp_path_factory, some, split_size, chunk):
    folder = tmp_path_factory.mktemp("in")
    file = write_input(folder, b"\n".join(some))
    options = TaskOptions(max_record_bytes=LIMIT, skip_bad_records=100)
    good: list[tuple[int, str]] = []
    found: list[BadRecord] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "CHUNK", chunk)
        for split in split_files([file], split_size):
            kept = Quarantine(100)
            for part in split.ranges:
                offset, chunks = ranges.read_range(folder, part, LIMIT, skips=True)
                for batch in formats.read(part.file, offset, chunks, options, kept.refuse):
                    good += [(batch.offset(index), record) for index, record in enumerate(batch.records)]
            found += kept.kept
    expected = naive(b"\n".join(some), lambda line: [line.decode()])
    assert (good, [bad.offset for bad in found]) == expected
    whole = read_in_chunks(b"\n".join(some), [], options)[1]
    assert [bad.record for bad in found] == [bad.record for bad in whole]


@pytest.mark.parametrize(("content", "reason"), [(b"x" * 13, "RecordTooLong"), (b"\xff\xfe", "RecordUndecodable")])
def test_a_whole_file_may_be_a_bad_record(content, reason):
    options = TaskOptions(format="wholefile", max_record_bytes=LIMIT, skip_bad_records=1)
    good, (bad,) = read_in_chunks(content, [3], options)
    assert (good, bad.reason, bad.where) == ([], reason, "f:0")


@pytest.mark.parametrize("name", ["text", "jsonl", "wholefile"])
def test_where_nothing_may_be_left_out_the_first_is_an_error(name):
    options = TaskOptions(format=name, max_record_bytes=LIMIT)
    with pytest.raises(RecordRefused) as caught:
        read_in_chunks(b"\xff\n1\n", [], options)
    assert caught.value.where == "f:0"


def test_a_record_that_cannot_be_read_is_kept_with_its_reason_and_no_traceback():
    options = TaskOptions(format="jsonl", skip_bad_records=2)
    _, (malformed, undecodable) = read_in_chunks(b'1\n{"a":\n"\xff"\n', [], options)
    assert (malformed.reason, malformed.record, malformed.traceback) == ("RecordMalformed", '{"a":', "")
    assert (undecodable.reason, undecodable.record, undecodable.base64) == ("RecordUndecodable", "Iv8i", True)
