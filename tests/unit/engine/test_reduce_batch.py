"""reduce_batch gets whole keys in their order, and what it returns is written in the order of the keys."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce import keys
from mapreduce.testing import reference
from mapreduce_worker.engine import batch_reduce, merge
from mapreduce_worker.engine.failure import UserTaskError, describe
from tests.support import budget
from tests.support.batch_jobs import add_up, mapping, words
from tests.support.engine_runs import canonical, emitter, reduce_segments, run_pairs, write_segment

INT64 = st.integers(-(2**63), 2**63 - 1)
KEYS = st.sampled_from(
    [
        st.text(alphabet="ab\x00ä", max_size=3),
        st.binary(max_size=2),
        st.booleans(),
        INT64,
        st.floats(),
        st.tuples(st.text(alphabet="ab", max_size=2), st.integers(-1, 1)),
    ]
)
VALUES = st.sampled_from(
    [INT64, st.none() | INT64, st.text(max_size=3), st.binary(max_size=2), st.booleans(), st.floats()]
)
RECORDS = st.tuples(KEYS, VALUES).flatmap(lambda kinds: st.lists(st.lists(st.tuples(*kinds), max_size=4), max_size=8))
SHAPES = st.fixed_dictionaries(
    {"splits": st.integers(2, 4), "partitions": st.integers(1, 5), "memory": st.sampled_from([1, 2000, 1 << 26])}
)


def job(make, **members):
    def reduce_batch(self, frame):
        return make(frame)

    return type("Reducing", (emitter(None),), {"reduce_batch": reduce_batch, **members})


@budget.examples(20)
@given(RECORDS, SHAPES, st.sampled_from([1, 40, 1 << 24]))
def test_whole_keys_come_in_their_order_however_many_are_in_a_frame(given_records, shape, batch):
    def with_counts(frame):
        return frame.with_columns(pl.col("value"), pl.len().over("key").alias("n")).select(
            "key", pl.struct("value", "n").alias("value")
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_reduce, "BATCH", batch)
        found = run_pairs(job(with_counts), given_records, **shape)
    assert canonical(found) == canonical(reference.run(job(with_counts), given_records).pairs)


def test_a_frame_is_as_many_keys_as_fit_and_at_least_one(monkeypatch, tmp_path):
    seen = []

    def look(frame):
        seen.append(frame["key"].to_list())

    monkeypatch.setattr(batch_reduce, "BATCH", 3 * (batch_reduce.ROW + 1))
    rows = [(b"a", 1), (b"b", 1), (b"b", 1), (b"c", 1), *[(b"d", 1)] * 5, (b"e", 1)]
    reduce_segments(job(look), [write_segment(tmp_path / "s", rows)], tmp_path, key_type="str")
    assert seen == [["a", "b", "b"], ["c"], ["d"] * 5, ["e"]]


def test_where_a_frame_ends_depends_on_the_rows_and_not_on_segments(monkeypatch, tmp_path):
    monkeypatch.setattr(batch_reduce, "BATCH", 100)
    rows = [(f"k{number // 3:03}".encode(), number) for number in range(60)]
    seen = []
    for count in (1, 3):
        looks: list[Any] = []
        segments = [
            write_segment(tmp_path / f"s{at}", rows[at * 60 // count : (at + 1) * 60 // count]) for at in range(count)
        ]
        reduce_segments(job(lambda frame, looks=looks: looks.append(frame.rows())), segments, tmp_path, key_type="str")
        seen.append(looks)
    assert seen[0] == seen[1]
    assert len(seen[0]) > 5


def test_rows_are_written_in_the_order_of_their_keys_and_else_as_they_stand(tmp_path):
    def backwards(frame):
        return pl.concat([frame, frame.with_columns(pl.col("value") + 10)]).reverse()

    segment = write_segment(tmp_path / "s", [(b"a", 1), (b"b", 2)])
    reduce_segments(job(backwards), [segment], tmp_path, key_type="str")
    assert list(merge.pairs([tmp_path / "part.out"])) == [("a", 11), ("a", 1), ("b", 12), ("b", 2)]


def test_map_batch_and_reduce_batch_are_a_job_and_so_is_a_map_of_records_with_reduce_batch():
    lines = ["to be or", "not to be"]
    wanted = [("be", 2), ("not", 1), ("or", 1), ("to", 2)]
    assert mr.testing.run(mapping(words, reduce_batch=add_up), lines) == wanted

    def single(self, line):
        return [(word, 1) for word in line.split()]

    assert mr.testing.run(type("Single", (mr.Job,), {"map": single, "reduce_batch": add_up}), lines) == wanted


def test_values_are_sorted_and_combined_before_they_come():
    def listed(frame):
        return frame.group_by("key", maintain_order=True).agg("value")

    records = [[("a", 3), ("b", 1)], [("a", 1)], [("a", 2)]]
    assert run_pairs(job(listed, sort_values=True), records) == [("a", [1, 2, 3]), ("b", [1])]

    def combine(self, key, group):
        yield key, sum(group)

    add = type("Adding", (emitter(None, combine=combine),), {"reduce_batch": add_up})
    assert run_pairs(add, records) == [("a", 6), ("b", 1)]


def test_no_row_is_no_call():
    def never(frame):
        raise AssertionError(frame)

    assert run_pairs(job(never), [[], []]) == []
    assert run_pairs(job(lambda frame: frame.clear()), [[("a", 1)]]) == []
    assert run_pairs(job(lambda _: None), [[("a", 1)]]) == []


WRONG = {
    "lazy": (lambda frame: frame.lazy(), "LazyFrame"),
    "columns": (lambda frame: frame.rename({"value": "sum"}), "it has key, sum"),
    "other key": (lambda frame: frame.with_columns(pl.col("key") + "!"), "the key 'a!', which it was not given"),
    "other type": (lambda frame: frame.with_columns(pl.lit(1).alias("key")), "is int, not str"),
    "null": (lambda frame: frame.with_columns(pl.lit(None, dtype=pl.String).alias("key")), "2 nulls"),
    "raises": (lambda frame: frame.select("nowhere"), "nowhere"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_frame_is_told_with_its_keys(what, tmp_path):
    make, message = WRONG[what]
    segment = write_segment(tmp_path / "s", [(b"a", 1), (b"b", 1)])
    with pytest.raises(UserTaskError) as told:
        reduce_segments(job(make), [segment], tmp_path, key_type="str")
    assert message in str(told.value)
    assert told.value.where == "keys 'a' to 'b', partition 3"


@pytest.mark.parametrize("values", [[1, "a"], [1, 1.5], [[1]], [2**63]])
def test_values_that_no_column_holds_are_refused_with_their_key(values, tmp_path):
    segment = write_segment(tmp_path / "s", [(b"a", value) for value in values])
    with pytest.raises(UserTaskError, match=r"use reduce|of one type") as told:
        reduce_segments(job(lambda frame: frame), [segment], tmp_path, key_type="str")
    assert told.value.where == "key 'a', partition 3"
    assert describe(told.value).reason == "ValueNotEncodable"


def test_a_key_with_more_values_than_a_frame_may_hold_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(batch_reduce, "KEY", 50)
    encoded = keys.encode("much")
    segment = write_segment(tmp_path / "s", [(encoded, 1)] * 1000)
    with pytest.raises(UserTaskError, match=r"too much for one frame: define\s+def reduce") as told:
        reduce_segments(job(lambda frame: frame), [segment], tmp_path, key_type="str", memory=400)
    assert told.value.where == "key 'much', partition 3"
