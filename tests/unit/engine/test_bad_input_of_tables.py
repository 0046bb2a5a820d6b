"""Bad input ends alike for batches and for single records: refused early, with file and offset, in bounded memory."""

import gzip
import io
import itertools

import polars as pl
import pytest

import mapreduce as mr
from mapreduce.plan import FileRange, ListedFile, Split
from mapreduce.spec import MIB
from mapreduce_worker.engine import batches, failure, map_output, map_task, ranges
from mapreduce_worker.engine.failure import InputDamaged, RecordRefused, UserTaskError
from mapreduce_worker.engine.options import TaskOptions
from tests.support.batch_jobs import mapping
from tests.support.engine_runs import attempt, emitter, nothing, one_split, write_input
from tests.support.parquet_files import written

READERS = {"batches": batches.windows, "records": map_task.batches}
FORMATS = {"text": b"ok\n", "csv": b"a\nok\n"}
reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS)
table = pytest.mark.parametrize("given", FORMATS)


def endless(given, size=MIB):
    """Return the split of a file of 3 GB whose last line begins at once, its chunks, and the number of those taken."""
    head, taken = FORMATS[given], itertools.count()
    part = FileRange(ListedFile("f", "f", 3 << 30, ""), 0, 3 << 30)

    def chunks():
        yield head
        for _ in range((3 << 30) // size):
            next(taken)
            yield b"x" * size

    return Split(0, (part,)), lambda *_: (0, chunks()), taken


@reader
@table
def test_a_line_of_three_gigabytes_is_refused_when_it_is_too_long(read, given):
    split, source, taken = endless(given)
    with pytest.raises(RecordRefused, match="longer than 2097152 bytes, which is the limit") as told:
        list(read(split, source, TaskOptions(format=given, max_record_bytes=2 * MIB)))
    assert told.value.where == f"f:{len(FORMATS[given])}"
    assert failure.describe(told.value).reason == "RecordTooLong"
    assert next(taken) <= 4


@reader
@table
def test_a_line_that_does_not_end_is_no_record_to_skip_either(read, given, monkeypatch):
    monkeypatch.setattr("mapreduce_worker.engine.long_lines.BEYOND", 4 * MIB)
    split, source, taken = endless(given)
    refused = []
    with pytest.raises(RecordRefused, match="not skipped either"):
        list(
            read(
                split,
                source,
                TaskOptions(format=given, max_record_bytes=MIB, skip_bad_records=9),
                lambda *found: refused.append(found[2]),
            )
        )
    assert refused == [len(FORMATS[given])]
    assert next(taken) <= 8


@table
def test_a_range_of_a_file_of_three_gigabytes_is_refused_as_early(tmp_path, given):
    """As a slot on the gateway's disk reads it: the file has a hole."""
    file = write_input(tmp_path, FORMATS[given], "a")
    with (tmp_path / "a").open("r+b") as sparse:
        sparse.truncate(3 << 30)
    file = ranges.list_files(tmp_path, ["a"])[0]
    options = TaskOptions(format=given, max_record_bytes=MIB)
    with pytest.raises(RecordRefused) as told:
        list(batches.windows(one_split(file), lambda part, _: ranges.read_range(tmp_path, part), options))
    assert told.value.where == f"a:{len(FORMATS[given])}"


@table
def test_of_a_file_that_expands_a_thousandfold_a_batch_holds_no_more_than_its_window(given):
    line = b"x" * 1023 + b"\n"
    packed = gzip.compress(FORMATS[given] + line * (32 << 10))
    assert len(packed) < MIB // 16
    split = Split(0, (FileRange(ListedFile("f.gz", "f.gz", len(packed), ""), 0, len(packed)),))
    chunks = [packed[at : at + 1000] for at in range(0, len(packed), 1000)]
    left = iter(chunks)
    found = batches.windows(split, lambda *_: (0, left), TaskOptions(format=given), window=MIB)
    first = next(found)
    assert first.frame.height <= MIB // len(line) + 2
    # Two windows of 32 at most: of the file nothing more was asked for.
    assert len(list(left)) > len(chunks) * 3 // 4


@reader
@table
def test_a_compressed_line_without_an_end_is_refused_before_it_is_held(read, given):
    packed = gzip.compress(FORMATS[given] + bytes(64 * MIB))
    split = Split(0, (FileRange(ListedFile("f.gz", "f.gz", len(packed), ""), 0, len(packed)),))
    left = iter([packed[at : at + 100] for at in range(0, len(packed), 100)])
    with pytest.raises(RecordRefused) as told:
        list(read(split, lambda *_: (0, left), TaskOptions(format=given, max_record_bytes=MIB)))
    assert told.value.where == f"f.gz:{len(FORMATS[given])}"
    assert len(list(left)) > len(packed) // 100 * 3 // 4


JOBS = {
    "batches": mapping(lambda batch: batch.select(key="a", value="offset"), reduce=mr.Sum()),
    "records": emitter(mr.Sum(), emit=lambda record: [(record["a"], 1)]),
}


@pytest.mark.parametrize(
    ("job", "behind"), [(JOBS["batches"], ", row 0 of what map_batch returned"), (JOBS["records"], "")], ids=JOBS
)
def test_a_key_beyond_64_bits_is_refused_with_its_place_and_a_value_is_carried(job, behind, tmp_path):
    numbers = pl.Series("a", [2**63 - 1, 2**63], dtype=pl.UInt64)
    file = write_input(tmp_path, written(numbers.to_frame(), rows=1), "a.parquet")

    def run(job_class):
        return map_task.run_map(
            job_class,
            one_split(file),
            lambda part, _: ranges.read_range(tmp_path, part),
            options=TaskOptions(format="parquet"),
            attempt=attempt("map"),
            out=tmp_path / "map.out",
            progress=nothing,
        )

    with pytest.raises(UserTaskError, match="9223372036854775808 does not fit in 64 bits") as told:
        run(job)
    assert told.value.where == f"a.parquet:1{behind}"
    assert failure.describe(told.value).reason == "UnsupportedKey"
    run(mapping(lambda batch: batch.select(key=pl.lit("sum"), value="a"), reduce=mr.Sum()))
    index = map_output.read_index(tmp_path / "map.out")
    found = [rows for each in map_output.segments_of(tmp_path / "map.out", index) for rows in map_output.read(each)]
    assert [(rows.keys, rows.unpacked()) for rows in found] == [([b"sum"], [2**64 - 1])]


WRONG = {
    "a date as key": (lambda batch: batch.select(key=pl.lit(1).cast(pl.Date), value="b"), "has the type Date"),
    "text to be added up": (lambda batch: batch.select(key="a", value="b"), "Sum adds numbers, not str"),
    "a column that is not there": (lambda batch: batch.select(key="c", value="b"), 'unable to find column "c"'),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_column_of_the_wrong_type_is_told_with_the_first_and_the_last_row(what, tmp_path):
    make, message = WRONG[what]
    file = write_input(tmp_path, b"a,b\nx,1\ny,2\n", "a.csv")
    with pytest.raises(UserTaskError, match=message) as told:
        map_task.run_map(
            mapping(make, reduce=mr.Sum()),
            one_split(file),
            lambda part, _: ranges.read_range(tmp_path, part),
            options=TaskOptions(format="csv"),
            attempt=attempt("map"),
            out=tmp_path / "map.out",
            progress=nothing,
        )
    assert told.value.where.startswith("a.csv:4")


@reader
def test_a_parquet_file_that_is_cut_short_is_told_in_the_same_words(read):
    content = written(pl.DataFrame({"a": [1, 2]}))[:-5]
    split = Split(0, (FileRange(ListedFile("f", "f", len(content), ""), 0, len(content)),))
    with pytest.raises(InputDamaged, match="f is cut short or damaged: it does not end with PAR1") as told:
        list(read(split, lambda *_: (0, iter([content])), TaskOptions(format="parquet")))
    assert told.value.where == f"f:{len(content) - 4}"


@pytest.mark.parametrize("name", ["*", "^a.*$", "a.b", ""])
def test_columns_of_batches_may_have_any_name(name):
    out = io.BytesIO()
    pl.DataFrame({name: [1], "b": [2]}).write_parquet(out)
    content = out.getvalue()
    split = Split(0, (FileRange(ListedFile("f", "f", len(content), ""), 0, len(content)),))
    (window,) = batches.windows(split, lambda *_: (0, iter([content])), TaskOptions(format="parquet"))
    assert window.frame.rows(named=True) == [{name: 1, "b": 2, "file": "f", "offset": 0}]
