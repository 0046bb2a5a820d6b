"""The engine gives what the naive reference gives, however the work and the memory are divided."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce.testing import reference
from tests.support import budget
from tests.support.engine_runs import WordCount, add, canonical, collect, emitter, run_pairs

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6)
INT64 = st.integers(-(2**63), 2**63 - 1)
KEYS = st.sampled_from(
    [
        st.sampled_from(["", "a", "b", "\x00", "ä", "\U0001f600"]) | TEXT,
        st.sampled_from([b"", b"\x00", b"a"]) | st.binary(max_size=4),
        st.booleans(),
        st.integers(-2, 2) | INT64,
        st.sampled_from([0.0, -0.0, float("nan"), float("inf"), 1.5]) | st.floats(),
        st.tuples(st.sampled_from(["a", "b\x00"]), st.integers(-1, 1)),
        st.tuples(st.floats(), st.tuples(st.booleans(), st.binary(max_size=2))),
    ]
)
VALUES = st.none() | st.booleans() | INT64 | st.integers(2**70, 2**71) | TEXT | st.lists(st.integers(0, 3), max_size=2)
NUMBERS = st.integers(-3, 3) | st.integers(-(2**80), 2**80) | st.floats() | st.booleans()


@st.composite
def records(draw: st.DrawFn, value: st.SearchStrategy[Any]) -> list[list[tuple[Any, Any]]]:
    """Draw records, each the pairs that it is mapped to; all keys have one type."""
    key = draw(draw(st.just(KEYS)))
    return draw(st.lists(st.lists(st.tuples(key, value), max_size=4), max_size=8))


SHAPES = st.fixed_dictionaries(
    {
        "splits": st.integers(2, 4),
        "partitions": st.integers(1, 7),
        "flush_bytes": st.sampled_from([1, 300, 1 << 20]),
        "memory": st.sampled_from([1, 2000, 1 << 26]),
        "frames": st.booleans(),
    }
)


@budget.examples(20)
@given(records(VALUES), SHAPES)
def test_values_come_grouped_and_in_the_order_of_their_emission(given, shape):
    job = emitter(collect)
    assert canonical(run_pairs(job, given, **shape)) == canonical(reference.run(job, given).pairs)


@budget.examples(20)
@given(records(NUMBERS), SHAPES)
def test_sums_are_exact(given, shape):
    job = emitter(mr.Sum())
    assert canonical(run_pairs(job, given, **shape)) == canonical(reference.run(job, given).pairs)


@budget.examples(12)
@given(records(INT64), SHAPES)
def test_a_combiner_that_keeps_its_contract_changes_nothing(given, shape):
    job = emitter(add, combine=add)
    assert canonical(run_pairs(job, given, **shape)) == canonical(reference.run(job, given).pairs)


@budget.examples(12)
@given(st.lists(st.text(alphabet="ab \x85\u2028\x0b", max_size=12), max_size=30), SHAPES)
def test_words_are_counted(lines, shape):
    assert run_pairs(WordCount, lines, **shape) == reference.run(WordCount, lines).pairs


def test_a_combiner_beside_a_built_in_reducer_works_on_plain_values():
    job = emitter(mr.Sum(), combine=add)
    assert run_pairs(job, [[("a", 1), ("b", 2)], [("a", 3)]]) == [("a", 4), ("b", 2)]


def test_a_built_in_reducer_of_the_users_own_is_folded_too():
    class Longest(mr.reducers.Reducer):
        def start(self, value):
            return value

        def merge(self, acc, other):
            return max(acc, other, key=lambda text: (len(text), text))

    job = emitter(Longest())
    given = [[("a", "x"), ("a", "xyz")], [("b", "q")], [("a", "xy")]]
    assert run_pairs(job, given, flush_bytes=1) == reference.run(job, given).pairs == [("a", "xyz"), ("b", "q")]


def test_a_map_may_return_none_or_a_list():
    job = emitter(mr.Sum())
    job.map = lambda self, record: [(record, 1)] if record else None
    assert run_pairs(job, ["a", "", "a"]) == [("a", 2)]


def test_no_records_give_no_output():
    assert run_pairs(WordCount, []) == []


@pytest.mark.parametrize("reduce", [mr.Sum(), collect])
def test_a_map_that_never_ends_its_record_is_bounded_in_memory(reduce, tmp_path):
    job = emitter(reduce, emit=lambda n: ((number % 3000, 1) for number in range(n)))
    given = [8_000]
    assert canonical(run_pairs(job, given, memory=200_000)) == canonical(reference.run(job, given).pairs)
