"""Keys, and values, of which the largest comes first."""

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

import mapreduce as mr
from mapreduce.errors import CombineError, MixedKeyError
from mapreduce.testing import reference
from mapreduce_worker.engine.failure import UserTaskError
from tests.support import budget
from tests.support.engine_runs import add, canonical, collect, emitter, job_with, run_pairs
from tests.support.kinds_of_keys import WIDE

shapes = st.fixed_dictionaries(
    {"splits": st.integers(1, 4), "partitions": st.integers(1, 4), "memory": st.sampled_from([3000, 512 << 20])}
)
orders = st.sampled_from([False, True, "descending"])


@pytest.mark.parametrize("kind", WIDE)
@budget.examples(20)
@given(data=st.data(), shape=shapes, descending=st.booleans(), sort_values=orders)
def test_keys_and_values_come_in_their_order_whatever_their_type(kind, data, shape, descending, sort_values):
    pair = st.tuples(WIDE[kind], WIDE[data.draw(st.sampled_from(sorted(WIDE)))])
    given = data.draw(st.lists(st.lists(pair, max_size=5), max_size=12))
    job = job_with(descending=descending, sort_values=sort_values)
    assert canonical(run_pairs(job, given, **shape)) == canonical(reference.run(job, given).pairs)


@pytest.mark.parametrize("reduce", [mr.Sum(), mr.Unique(), mr.First(), mr.Each()], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("frames", [False, True])
def test_every_kind_of_table_holds_descending_keys(reduce, frames):
    given = [[(f"k{number % 700}", number)] for number in range(2500)]
    job = job_with(reduce, descending=True)
    for memory in (20_000, 512 << 20):
        assert run_pairs(job, given, splits=3, memory=memory, frames=frames) == reference.run(job, given).pairs


def test_the_largest_key_is_the_first_of_the_output():
    assert run_pairs(job_with(mr.Sum(), descending=True), [[("a", 1), ("b", 2), ("ab", 3)]]) == [
        ("b", 2),
        ("ab", 3),
        ("a", 1),
    ]
    given = [[("k", 3), ("k", 1), ("k", 2), ("j", 9)]]
    assert run_pairs(job_with(sort_values="descending"), given) == [("j", [9]), ("k", [3, 2, 1])]


@pytest.mark.parametrize("memory", [1000, 512 << 20])
def test_a_combiner_is_called_with_descending_keys(memory):
    job = type("Job", (emitter(add, combine=add),), {"descending": True})
    given = [[(number % 5, 1)] for number in range(200)]
    assert run_pairs(job, given, splits=2, memory=memory, flush_bytes=2000) == [(key, 40) for key in (4, 3, 2, 1, 0)]


def test_a_combiner_must_keep_a_descending_key():
    job = type("Job", (emitter(add, combine=lambda self, key, values: [(True, 1)]),), {"descending": True})
    with pytest.raises(UserTaskError) as caught:
        run_pairs(job, [[(1, 1)]])
    assert isinstance(caught.value.__cause__, CombineError)


def test_a_partition_gets_descending_keys_as_they_are():
    seen = []

    def partition(self, key, n):
        seen.append(key)
        return 0

    members = {"descending": True, "partition": partition}
    run_pairs(type("Job", (emitter(collect),), members), [[("a", 1), ("b", 1)]], splits=1)
    assert sorted(set(seen)) == ["a", "b"]


def test_a_mixture_is_told_by_the_types_of_the_keys():
    with pytest.raises(UserTaskError, match="key 1 is int, but the first key, at record:0, is str"):
        run_pairs(job_with(descending=True), [[("a", 1), (1, 1)]])
    with pytest.raises(UserTaskError, match="'x' is str, and the first value, at record:0, is int"):
        run_pairs(job_with(sort_values="descending"), [[("a", 1), ("a", "x")]])
    with pytest.raises(MixedKeyError):
        run_pairs(job_with(descending=True), [[("a", 1)], [(1, 1)]], splits=2)


def batches(reduce=None, **members):
    def map_batch(self, batch):
        return batch.select(pl.col("value").alias("key"), pl.col("offset").alias("value"))

    return type("Batches", (mr.Job,), {"map_batch": map_batch, "reduce": reduce, "descending": True} | members)


@pytest.mark.parametrize("reduce", [mr.Sum(), mr.Each(), collect])
def test_batches_come_in_descending_order_too(reduce):
    lines = ["b", "a", "ab", "b", "", "c"]
    job = batches(reduce)
    assert run_pairs(job, lines, splits=2) == reference.run(job, lines).pairs


def test_reduce_batch_gets_the_largest_key_first():
    seen = []

    def reduce_batch(self, frame):
        seen.extend(frame["key"])
        return frame

    job = batches(reduce_batch=reduce_batch)
    lines = ["b", "a", "ab", "b"]
    assert run_pairs(job, lines, partitions=1) == reference.run(job, lines).pairs
    assert seen[:4] == ["b", "b", "ab", "a"]
