"""map_batch: its frames become the rows that a map of single records would yield; faults are told with their place."""

import math
from collections import Counter
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce.testing import reference
from mapreduce_worker.engine import batch_sums, batches, map_part, ranges
from mapreduce_worker.engine.batch_sums import Sums
from mapreduce_worker.engine.failure import RecordRefused, UserTaskError, describe
from mapreduce_worker.engine.options import TaskOptions
from tests.support import budget
from tests.support.batch_jobs import WORDS, lines, mapping, word_keys, words
from tests.support.engine_runs import (
    add,
    canonical,
    collect,
    map_file,
    nothing,
    one_split,
    rows_of,
    run_pairs,
    write_input,
)

LINES = st.lists(st.text(alphabet="ab \x85\u2028ä", max_size=12), max_size=30)
SHAPES = st.fixed_dictionaries(
    {
        "splits": st.integers(2, 4),
        "partitions": st.integers(1, 5),
        "flush_bytes": st.sampled_from([1, 300, 1 << 20]),
        "memory": st.sampled_from([1, 2000, 1 << 26]),
    }
)
LENGTH = pl.col("value").str.len_bytes()
KEYS = {
    "str": pl.col("value").str.slice(0, 1),
    "categorical": pl.col("value").str.slice(0, 1).cast(pl.Categorical),
    "bytes": pl.col("value").str.slice(0, 1).cast(pl.Binary),
    "bool": LENGTH > 3,
    "int": LENGTH.cast(pl.Int64) - 3,
    "u8": LENGTH.cast(pl.UInt8),
    "float": pl.when(LENGTH > 3).then(pl.lit(math.nan)).otherwise((LENGTH % 2).cast(pl.Float64) * -0.0),
    "f32": LENGTH.cast(pl.Float32) / 3,
    "tuple": pl.struct(pl.col("value").str.slice(0, 1).alias("a"), LENGTH.alias("b")),
}
VALUES = {
    "int": pl.col("offset"),
    "large": pl.lit(2**62) - pl.col("offset"),
    "unsigned": pl.lit(2**64 - 1, dtype=pl.UInt64),
    "bool": LENGTH > 2,
    "float": LENGTH.cast(pl.Float64) / 7,
    "str": pl.col("value"),
    "null": pl.when(LENGTH > 2).then(LENGTH),
    "list": pl.col("value").str.split(" "),
    "date": pl.lit(date(2026, 1, 2)),
    "decimal": pl.lit(Decimal("1.50")),
}
REDUCERS = {"sum": mr.Sum(), "max": mr.Max(), "unique": mr.Unique(), "own": collect}
NUMBERS = ("int", "large", "unsigned", "bool", "float")


@budget.examples(30)
@given(LINES, SHAPES, st.sampled_from(sorted(KEYS)), st.sampled_from(sorted(VALUES)), st.sampled_from(sorted(REDUCERS)))
def test_every_column_of_keys_and_values_gives_what_the_reference_gives(given_lines, shape, key, value, reducer):
    if (reducer == "sum" and value not in NUMBERS) or (reducer == "max" and value in ("null", "list")):
        reducer = "own"
    job = mapping(
        lambda batch: batch.select(KEYS[key].alias("key"), VALUES[value].alias("value")), reduce=REDUCERS[reducer]
    )
    assert canonical(run_pairs(job, given_lines, **shape)) == canonical(reference.run(job, given_lines).pairs)


@budget.examples(12)
@given(LINES, SHAPES)
def test_words_are_counted_as_by_a_map_of_single_lines(given_lines, shape):
    def single(self, line):
        return line.split(" ")

    wanted = reference.run(type("Single", (mr.Job,), {"map": single, "reduce": mr.Count()}), given_lines).pairs
    for job in (mapping(word_keys, reduce=mr.Count()), mapping(words, reduce=mr.Sum()), mapping(words, reduce=add)):
        assert run_pairs(job, given_lines, **shape) == wanted
    assert run_pairs(mapping(words, reduce=add, combine=add), given_lines, **shape) == wanted


def test_sums_beyond_64_bits_are_exact_whatever_is_added_up_first():
    largest = 2**63 - 1
    given_lines = ["a"] * 5 + ["b"]
    for amount in (largest, -largest - 1, largest // 3):
        value = pl.lit(amount, dtype=pl.Int64)
        job = mapping(partial(pl.DataFrame.select, key="value", value=value), reduce=mr.Sum())
        for splits in (1, 2, 6):
            assert run_pairs(job, given_lines, splits=splits) == [("a", 5 * amount), ("b", amount)]


def test_sums_of_several_frames_that_together_leave_64_bits_are_exact(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "WINDOW", 2)
    job = mapping(lambda batch: batch.select(key="value", value=pl.lit(2**62)), reduce=mr.Sum())
    map_file(job, tmp_path, write_input(tmp_path, b"a\na\na\nb\n"), partitions=1)
    assert rows_of(tmp_path / "map.out") == [[(b"a", 3 * 2**62), (b"b", 2**62)]]


def test_frames_that_change_from_integers_to_floats_are_added_up_exactly(tmp_path, monkeypatch):
    def halves(batch):
        amount = pl.lit(1) if batch["offset"][0] == 0 else pl.lit(0.5)
        return batch.select(key="value", value=amount)

    monkeypatch.setattr(batches, "WINDOW", 4)
    made, records = map_file(
        mapping(halves, reduce=mr.Sum()), tmp_path, write_input(tmp_path, b"a\na\na\nb\n"), partitions=1
    )
    assert rows_of(tmp_path / "map.out") == [[(b"a", [0, 2.5]), (b"b", [0, 0.5])]]
    assert (made.key_type, made.key_at, records) == ("str", "input.txt:0", 4)


def test_spills_of_sums_change_neither_rows_nor_checksum(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "WINDOW", 64)
    file = write_input(tmp_path, b"".join(b"a b%d c%d\n" % (n % 7, n) for n in range(300)))
    job = mapping(words, reduce=mr.Sum())
    roomy, _ = map_file(job, tmp_path, file)
    rows = rows_of(tmp_path / "map.out")
    for memory, flush in ((1, 1 << 20), (3000, 1 << 20), (1 << 20, 1)):
        tight, _ = map_file(job, tmp_path, file, memory=memory, flush_bytes=flush)
        assert (tight.checksum, rows_of(tmp_path / "map.out")) == (roomy.checksum, rows)


def test_a_count_and_a_map_of_single_lines_write_the_same_rows(tmp_path):
    file = write_input(tmp_path, "to be ä\nto be\n".encode() * 50)

    def single(self, line):
        return line.split(" ")

    wanted, _ = map_file(type("Single", (mr.Job,), {"map": single, "reduce": mr.Count()}), tmp_path, file)
    found, records = map_file(mapping(word_keys, reduce=mr.Count()), tmp_path, file)
    assert (found.checksum, found.rows, found.key_type, records) == (wanted.checksum, 3, "str", wanted.records)


def test_values_are_sorted_and_keys_go_where_partition_says():
    def last(self, key, n):
        return n - 1

    def in_order(self, key, values):
        yield key, list(values)

    job = mapping(lines, reduce=in_order, sort_values=True, partition=last)
    assert run_pairs(job, ["b", "a2", "a1", "a0"]) == [("a", [1, 2, 3]), ("b", [0])]


def test_without_a_reduce_rows_are_the_output_in_the_order_of_the_input():
    job = mapping(lambda batch: batch.select(key="offset", value="value").filter(pl.col("value") != ""))
    given_lines = [f"line {number}" * (number % 3) for number in range(100)]
    wanted = [(number, line) for number, line in enumerate(given_lines) if line]
    assert run_pairs(job, given_lines, splits=3) == wanted == reference.run(job, given_lines).pairs


NOTHING = [lambda _: None, lambda batch: words(batch).clear(), lambda batch: words(batch).filter(pl.lit(False))]


@pytest.mark.parametrize("make", NOTHING)
def test_none_and_a_frame_without_rows_are_nothing(make):
    for reduce in (mr.Sum(), collect, None):
        assert run_pairs(mapping(make, reduce=reduce), ["a", "b"]) == []


WRONG = {
    "lazy": (lambda batch: words(batch).lazy(), "LazyFrame: end it with .collect()"),
    "series": (lambda batch: batch["value"], "must return a polars.DataFrame or None, not Series"),
    "pairs": (lambda _: [("a", 1)], "must return a polars.DataFrame or None, not list"),
    "missing": (lambda batch: batch.select(key="value"), "the columns key and value; it has key"),
    "extra": (lambda batch: batch.with_columns(key="value"), "it has value, file, offset, key: end it with .select"),
    "none": (lambda _: pl.DataFrame(), "it has none"),
    "date": (lambda batch: batch.select(key=pl.lit(date(2026, 1, 1)), value="value"), "has the type Date"),
    "list": (lambda batch: batch.select(key=pl.col("value").str.split(" "), value="value"), "List(String)"),
    "nulls": (
        lambda batch: batch.select(key=pl.col("value").replace("b", None), value="value"),
        "1 null, the first in row 1",
    ),
    "unsigned": (
        lambda batch: batch.select(key=pl.lit(2**63, dtype=pl.UInt64), value="value"),
        "does not fit in 64 bits",
    ),
    "raises": (lambda batch: batch.select("nowhere"), "nowhere"),
    "text": (lambda batch: batch.select(key="value", value="value"), "Sum adds numbers, not str"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_frame_is_told_with_file_and_offsets(what, tmp_path):
    make, message = WRONG[what]
    file = write_input(tmp_path, b"a\nb\nc\n")
    with pytest.raises(UserTaskError) as told:
        map_file(mapping(make, reduce=mr.Sum()), tmp_path, file)
    assert message in str(told.value)
    assert told.value.where.startswith("input.txt:0")
    assert describe(told.value).kind == "user"
    assert not (tmp_path / "map.out").exists()


def test_a_batch_that_fails_says_its_first_and_its_last_record(tmp_path):
    with pytest.raises(UserTaskError) as told:
        map_file(mapping(lambda _: 1 / 0, reduce=mr.Sum()), tmp_path, write_input(tmp_path, b"a\nb\nc\n"))
    assert told.value.where == "input.txt:0 to input.txt:4"
    assert "ZeroDivisionError" in str(told.value)


def third_row(column, dtype, good, bad):
    """Return what makes a frame of four rows a batch, of which the last column of the third is bad."""
    other = {"key": "value", "value": "key"}[column]
    made = pl.DataFrame([pl.Series(column, [good, good, bad, good], dtype=dtype), pl.Series(other, ["x"] * 4)])
    return lambda _: made.select("key", "value")


ROWS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a value that is no integer": (third_row("value", pl.Object, 1, "x"), {"reduce": mr.Sum()}, "Sum adds numbers"),
    "a value of another kind": (third_row("value", pl.Object, 1, "x"), {"reduce": mr.Max()}, "Max compares values"),
    "a value that cannot be carried": (third_row("value", pl.Object, 1, object()), {"reduce": collect}, "carried"),
    "a key beyond 64 bits": (third_row("key", pl.UInt64, 1, 2**63), {"reduce": mr.First()}, "fit in 64 bits"),
    "keys alone": (lambda _: third_row("key", pl.UInt64, 1, 2**63)(_).select("key"), {"reduce": mr.Count()}, "64 bits"),
    "values in their order": (
        third_row("value", pl.Object, 1, "x"),
        {"reduce": collect, "sort_values": True},
        "is str",
    ),
}


@pytest.mark.parametrize("what", ROWS)
def test_what_is_wrong_with_one_row_is_told_with_its_number_and_all_records_of_the_batch(what, tmp_path):
    make, members, message = ROWS[what]
    file = write_input(tmp_path, b"a\nb\nc\n")
    with pytest.raises(UserTaskError, match=message) as told:
        map_file(mapping(make, **members), tmp_path, file)
    assert told.value.where == "input.txt:0 to input.txt:4, row 2 of what map_batch returned"


def test_so_it_is_without_a_reduce(tmp_path):
    job = mapping(third_row("value", pl.Object, 1, object()))
    split, source = one_split(write_input(tmp_path, b"a\nb\n")), partial(ranges.read_range, tmp_path)
    with pytest.raises(UserTaskError, match="carried") as told:
        map_part.run_map(
            job, split, lambda part, _: source(part), options=TaskOptions(), out=tmp_path / "out", progress=nothing
        )
    assert told.value.where == "input.txt:0 to input.txt:2, row 2 of what map_batch returned"


def test_a_batch_may_be_changed_in_place(tmp_path):
    def changing(batch):
        made = words(batch)
        batch.extend(batch.clone())
        batch.drop_in_place("file")
        return made if "c" not in batch["value"] else made.select("nowhere")

    job = mapping(changing, reduce=mr.Sum())
    _, records = map_file(job, tmp_path, write_input(tmp_path, b"a\nb\n"), partitions=1)
    assert (rows_of(tmp_path / "map.out"), records) == ([[(b"a", 1), (b"b", 1)]], 2)
    with pytest.raises(UserTaskError) as told:
        map_file(job, tmp_path, write_input(tmp_path, b"a\nc\n"))
    assert told.value.where == "input.txt:0 to input.txt:2"


def test_counts_take_keys_alone(tmp_path):
    with pytest.raises(UserTaskError, match=r"takes keys alone"):
        map_file(mapping(words, reduce=mr.Count()), tmp_path, write_input(tmp_path, b"a\n"))


def test_keys_of_two_types_are_refused_though_each_frame_has_one(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "WINDOW", 2)

    def changing(batch):
        return batch.select(key="value" if batch["offset"][0] == 0 else "offset", value=pl.lit(1))

    with pytest.raises(UserTaskError, match=r"key 2 is int, but the first key, at input.txt:0, is str"):
        map_file(mapping(changing, reduce=mr.Sum()), tmp_path, write_input(tmp_path, b"a\nb\n"))


def test_the_columns_say_where_a_record_comes_from_and_the_input_does_not(tmp_path):
    job = mapping(lambda batch: batch.select(key="value", value="offset"), reduce=mr.Max())

    def asks(self, batch):
        return self.input.file

    with pytest.raises(UserTaskError, match=r"self.input.file is known while map runs on a record"):
        map_file(type("Asks", (job,), {"map_batch": asks}), tmp_path, write_input(tmp_path, b"a\n"))


def test_records_that_cannot_be_read_are_left_out_and_a_batch_that_raises_is_not(tmp_path):
    file = write_input(tmp_path, b"a\n\xff\nb\n")
    made, records = map_file(mapping(words, reduce=mr.Sum()), tmp_path, file, skip=1)
    assert (made.rows, records) == (2, 2)
    assert [(bad.file, bad.offset) for bad in made.bad] == [("input.txt", 2)]
    with pytest.raises(UserTaskError):
        map_file(mapping(lambda _: 1 / 0, reduce=mr.Sum()), tmp_path, file, skip=5)
    with pytest.raises(RecordRefused):
        map_file(mapping(words, reduce=mr.Sum()), tmp_path, file)


def test_records_of_bytes_come_as_bytes(tmp_path):
    file = write_input(tmp_path, b"\xff\r\na\n")
    job = mapping(lambda batch: batch.select(key="value", value=pl.lit(1)), reduce=mr.Sum())
    map_file(job, tmp_path, file, errors="bytes", partitions=1)
    assert rows_of(tmp_path / "map.out") == [[(b"a", 1), (b"\xff", 1)]]


def test_progress_counts_records(tmp_path):
    told = []
    file = write_input(tmp_path, b"a\n" * 10)
    map_file(mapping(words, reduce=mr.Sum()), tmp_path, file, progress=lambda *done: told.append(done))
    assert told[-1] == (10, 20)


def test_what_is_added_up_keeps_no_text_of_a_whole_batch():
    text = " ".join(f"a-word-that-is-longer-than-a-view-{number % 10}" for number in range(50_000))
    frame = pl.DataFrame({"value": [text]}).select(WORDS.alias("key"))
    found = batch_sums.counted(frame["key"])
    assert found is not None
    assert (found.height, found["value"].sum()) == (10, 50_000)
    assert found.estimated_size() < 2000


@pytest.mark.parametrize("uncounted", [1, 300, 1 << 20])
def test_keys_are_counted_alike_however_many_columns_wait_for_it(uncounted):
    sums, wanted = Sums(1 << 20, uncounted), Counter[str]()
    for start in range(12):
        words_of_a_batch = [f"word {number % 7}" for number in range(start, start + 10)]
        wanted.update(words_of_a_batch)
        sums.count(pl.Series("key", words_of_a_batch))
    rows = sums.take()
    assert dict(zip(rows.keys, rows.values, strict=True)) == {word.encode(): times for word, times in wanted.items()}
    assert not sums.take().count
