"""A built-in reducer as `combine`: its accumulators are the values of the user's own reduce."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce.testing import reference
from mapreduce_worker.engine.failure import UserTaskError
from tests.support import budget
from tests.support.engine_runs import add, canonical, collect, emitter, map_file, rows_of, run_pairs, write_input

NUMBERS = st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63), 2**70])
TEXTS = st.text(max_size=2)
SHAPES = st.fixed_dictionaries(
    {
        "splits": st.integers(2, 4),
        "partitions": st.integers(1, 3),
        "flush_bytes": st.sampled_from([1, 300, 1 << 20]),
        "memory": st.sampled_from([1, 2000, 1 << 26]),
        "frames": st.booleans(),
    }
)


def best(choose: Any) -> Any:
    def reduce(self, key, group):
        yield key, choose(group)

    return reduce


CASES = [
    (mr.Sum(), add, NUMBERS),
    (mr.Min(), best(min), NUMBERS),
    (mr.Max(), best(max), TEXTS),
    (mr.First(), best(next), NUMBERS | TEXTS),
]


@st.composite
def jobs_and_records(draw: st.DrawFn) -> Any:
    combine, reduce, value = draw(st.sampled_from(CASES))
    pairs = st.lists(st.tuples(st.sampled_from("abc"), value), max_size=4)
    return emitter(reduce, combine=combine), draw(st.lists(pairs, max_size=6))


@budget.examples(25)
@given(jobs_and_records(), SHAPES)
def test_combining_changes_nothing(given, shape):
    job, records = given
    assert canonical(run_pairs(job, records, **shape)) == canonical(reference.run(job, records).pairs)


@pytest.mark.parametrize("memory", [1, 1 << 26])
def test_one_row_a_key_leaves_a_map_however_often_it_spills(memory, tmp_path):
    job = emitter(collect, combine=mr.Sum(), emit=lambda line: [(word, 2) for word in line.split()])
    file = write_input(tmp_path, b"b a\na b a\n")
    map_file(job, tmp_path, file, partitions=1, flush_bytes=memory, memory=memory)
    assert rows_of(tmp_path / "map.out") == [[(b"a", 6), (b"b", 4)]]


def test_sums_of_floats_are_no_values_of_a_reduce():
    job = emitter(add, combine=mr.Sum())
    with pytest.raises(UserTaskError, match=r"combine = mr.Sum\(\) adds integers, not float: 0.5; .*leave combine"):
        run_pairs(job, [[("a", 1), ("a", 0.5)]])
    assert run_pairs(emitter(mr.Sum()), [[("a", 1), ("a", 0.5)]]) == [("a", 1.5)]
