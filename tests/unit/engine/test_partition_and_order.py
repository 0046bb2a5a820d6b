"""The user's `partition`, and values that reach `reduce` in their order."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

import mapreduce as mr
from mapreduce.errors import MixedKeyError
from mapreduce.testing import reference
from mapreduce_worker.engine import failure, local, map_output
from mapreduce_worker.engine.failure import UserTaskError
from tests.support import budget
from tests.support.engine_runs import (
    add,
    canonical,
    collect,
    emitter,
    job_with,
    map_file,
    rows_of,
    run_pairs,
    write_input,
)
from tests.support.kinds_of_keys import WIDE

shapes = st.fixed_dictionaries(
    {"splits": st.integers(1, 4), "partitions": st.integers(1, 4), "memory": st.sampled_from([3000, 512 << 20])}
)


@pytest.mark.parametrize("kind", WIDE)
@budget.examples(20)
@given(data=st.data(), shape=shapes)
def test_values_come_in_their_order_whatever_their_type_and_the_keys(kind, data, shape):
    pair = st.tuples(WIDE[data.draw(st.sampled_from(sorted(WIDE)))], WIDE[kind])
    given = data.draw(st.lists(st.lists(pair, max_size=5), max_size=12))
    job = job_with(sort_values=True)
    assert canonical(run_pairs(job, given, **shape)) == canonical(reference.run(job, given).pairs)


def test_values_are_sorted_across_maps_and_runs(tmp_path):
    given = [[(f"k{number % 3}", number * 7919 % 1000)] for number in range(3000)]
    for key, values in run_pairs(job_with(sort_values=True), given, splits=4, memory=20_000):
        assert values == sorted(values), key


def test_a_built_in_reducer_gets_sorted_values_too():
    given = [[("k", 3), ("k", 1)], [("k", 2), ("k", 2), ("j", 9)]]
    assert run_pairs(job_with(mr.First(), sort_values=True), given) == [("j", 9), ("k", 1)]
    assert run_pairs(job_with(mr.Collect(), sort_values=True), given) == [("j", [9]), ("k", [1, 2, 2, 3])]
    assert run_pairs(job_with(mr.Sum(), sort_values=True), given) == [("j", 9), ("k", 8)]


def test_the_key_of_a_sorted_pair_decides_where_it_goes_and_nothing_else(tmp_path):
    file = write_input(tmp_path, b"\n".join(b"%d %d" % (number % 50, number) for number in range(2000)))

    def emit(line):
        key, value = line.split()
        return [(key, int(value))]

    plain, ordered = (emitter(collect, emit=emit), type("S", (emitter(collect, emit=emit),), {"sort_values": True}))
    made = [map_file(job, tmp_path, file, partitions=5)[0] for job in (plain, ordered)]
    assert [one.key_type for one in made] == ["str", "str by int"]
    assert [one.rows for one in made] == [2000, 2000]
    sizes = [segment.rows for segment in map_output.read_index(tmp_path / "map.out").segments]
    map_file(plain, tmp_path, file, partitions=5)
    assert sizes == [len(part) for part in rows_of(tmp_path / "map.out")]


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([("a", 1), ("b", "x")], "all values have one type, but 'x' is str, and the first value, at record:0, is int"),
        ([("a", 1), (2, 1)], "key 2 is int, but the first key, at record:0, is str"),
        ([("a", 1), ("b", [1])], "with sort_values a value must be what a key may be .* not list"),
        ([("a", 1), ("b", 2**63)], "with sort_values a value must be what a key may be: .* 64 bits"),
    ],
)
def test_values_that_have_no_order_are_laid_to_their_record(pairs, says):
    with pytest.raises(UserTaskError, match=says) as caught:
        run_pairs(job_with(sort_values=True), [[pair] for pair in pairs], splits=1)
    assert caught.value.where == "record:1"


def test_values_of_two_types_in_two_maps_are_told_with_both_places():
    with pytest.raises(
        MixedKeyError, match=r"all values must have one type, but there are int \(at record:0\) and str \(at record:1\)"
    ):
        run_pairs(job_with(sort_values=True), [[("a", 1)], [("b", "x")]], splits=2)


class ByLength(mr.Job):
    """Sends words where their length says."""

    def map(self, line):
        return [(word, 1) for word in line.split()]

    def partition(self, key, n):
        return min(len(key), n) - 1

    reduce = mr.Sum()


@pytest.mark.parametrize(
    "members", [{}, {"reduce": add}, {"reduce": add, "combine": add}, {"reduce": add, "sort_values": True}]
)
def test_keys_go_where_the_partition_says_and_the_output_is_the_same(tmp_path, members):
    job = type("Job", (ByLength,), members)
    lines = ["a bb ccc", "dddd a", "bb ee f"] * 50
    file = write_input(tmp_path, "\n".join(lines).encode())
    map_file(job, tmp_path, file, partitions=3)
    kinds = [{len(key.split(b"\0")[0]) for key, _ in rows} for rows in rows_of(tmp_path / "map.out")]
    assert kinds == [{1}, {2}, {3, 4}]
    expected = reference.run(job, lines).pairs
    for memory in (3000, 512 << 20):
        assert run_pairs(job, lines, partitions=3, splits=3, memory=memory, flush_bytes=2000) == expected


def test_a_partition_of_counted_keys_is_asked_too():
    counted = type("Counted", (ByLength,), {"map": lambda _, line: line.split(), "reduce": mr.Count()})
    assert run_pairs(counted, ["a bb", "a"], partitions=2) == [("a", 2), ("bb", 1)]


def test_a_partition_gets_the_key_as_the_reduce_does():
    seen = set()

    class Seeing(ByLength):
        def map(self, record):
            return [(record, 1)]

        def partition(self, key, n):
            seen.add((repr(key), n))
            return 0

    run_pairs(Seeing, [(-0.0, ("a",))], partitions=4)
    assert seen == {("(0.0, ('a',))", 4)}


@pytest.mark.parametrize("number", [-1, 3, 1.0, True, None, "1"])
def test_a_partition_out_of_range_is_told_with_its_key(number):
    class Wrong(ByLength):
        def partition(self, key, n):
            return number

    says = rf"partition gave {number!r} for the key 'a': it must be an int from 0 to 2"
    with pytest.raises(UserTaskError, match=says) as caught:
        run_pairs(Wrong, ["a"], partitions=3)
    info = failure.describe(caught.value)
    assert (info.kind, info.reason, info.where) == ("user", "UserCodeFailed", "key 'a', partition")


def test_what_a_partition_raises_has_a_traceback():
    class Wrong(ByLength):
        def partition(self, key, n):
            return {}[key]

    with pytest.raises(UserTaskError, match="KeyError: 'a'") as caught:
        run_pairs(Wrong, ["a"])
    assert "return {}[key]" in failure.describe(caught.value).traceback


@pytest.mark.parametrize("memory", [1000, 512 << 20])
def test_a_combiner_may_not_count_and_sees_no_record(memory):
    class Counts(ByLength):
        def combine(self, key, values):
            self.counters["asked"] += 1
            yield key, sum(values)

    class Looks(ByLength):
        def combine(self, key, values):
            yield key, self.input.offset

    with pytest.raises(UserTaskError, match="combine changed a counter"):
        run_pairs(Counts, ["a b c d"] * 20, memory=memory)
    with pytest.raises(UserTaskError, match="is known while map runs"):
        run_pairs(Looks, ["a b c d"] * 20, memory=memory)


@pytest.mark.parametrize("memory", [1000, 512 << 20])
def test_a_partition_may_not_count_and_sees_no_record(memory):
    class Counts(ByLength):
        def partition(self, key, n):
            self.counters["asked"] += 1
            return 0

    class Looks(ByLength):
        def partition(self, key, n):
            return self.input.offset

    with pytest.raises(UserTaskError, match="partition changed a counter"):
        run_pairs(Counts, ["a b c d"] * 20, memory=memory)
    with pytest.raises(UserTaskError, match="is known while map runs"):
        run_pairs(Looks, ["a b c d"] * 20, memory=memory)
    assert local.run_job(ByLength, ["a"]).counters == {}
