"""The built-in reducers in the engine: as the reference, with little memory, wherever the input is divided."""

import tracemalloc
from collections.abc import Iterable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

import mapreduce as mr
from mapreduce.ids import AttemptId, TaskId
from mapreduce.testing import reference
from mapreduce_worker.engine.failure import UserTaskError
from mapreduce_worker.engine.local import ListBatch
from mapreduce_worker.engine.map_run import MapRun
from mapreduce_worker.engine.options import TaskOptions
from tests.support import budget
from tests.support.engine_runs import canonical, collect, emitter, map_file, nothing, rows_of, run_pairs, write_input
from tests.support.kinds_of_keys import FEW

REDUCERS = {
    "Count": mr.Count(),
    "Min": mr.Min(),
    "Max": mr.Max(),
    "Mean": mr.Mean(),
    "Top": mr.Top(2),
    "Unique": mr.Unique(),
    "Collect": mr.Collect(),
    "First": mr.First(),
    "Each": mr.Each(),
}
numbers = st.integers(-5, 5) | st.sampled_from([0.5, -0.0, float("inf"), float("nan"), 2**70, True])
shapes = st.fixed_dictionaries(
    {"splits": st.integers(1, 4), "partitions": st.integers(1, 3), "memory": st.sampled_from([3000, 512 << 20])}
)


def records_of(data, keys, name):
    item = keys if name == "Count" else st.tuples(keys, numbers)
    return data.draw(st.lists(st.lists(item, max_size=8), max_size=12))


@pytest.mark.parametrize("name", REDUCERS)
@pytest.mark.parametrize("kind", FEW)
@budget.examples(15)
@given(data=st.data(), shape=shapes)
def test_every_reducer_and_type_of_key_is_as_the_reference(name, kind, data, shape):
    job = emitter(REDUCERS[name])
    given = records_of(data, FEW[kind], name)
    assert canonical(run_pairs(job, given, **shape)) == canonical(reference.run(job, given).pairs)


plain = (
    st.integers()
    | st.text("a\ud7ff\0", max_size=40)
    | st.binary(max_size=300)
    | st.floats()
    | st.none()
    | st.booleans()
)
nested = st.lists(plain, max_size=2) | st.dictionaries(st.text(max_size=1), plain, max_size=1)


@pytest.mark.parametrize("kind", FEW)
@pytest.mark.parametrize("sort_values", [False, True])
@budget.examples(25)
@given(data=st.data(), shape=shapes)
def test_each_gives_whatever_a_value_is(kind, sort_values, data, shape):
    found = st.integers(-(2**63), 2**63 - 1) if sort_values else plain | nested
    given = data.draw(st.lists(st.lists(st.tuples(FEW[kind], found), max_size=8), max_size=12))
    job = type("Job", (emitter(mr.Each()),), {"sort_values": sort_values})
    assert canonical(run_pairs(job, given, **shape)) == canonical(reference.run(job, given).pairs)


@pytest.mark.parametrize("name", ["Count", "Min", "Mean", "Top", "First", "Unique"])
def test_the_map_output_does_not_depend_on_memory(tmp_path, name):
    text = "\n".join(f"{number % 700} {number * 7919 % 1000 / 8}" for number in range(12_000))
    file = write_input(tmp_path, text.encode())

    def emit(line):
        word, number = line.split()
        return [word] if name == "Count" else [(word, float(number))]

    job = emitter(REDUCERS[name], emit=emit)
    made = [map_file(job, tmp_path, file, memory=memory)[0] for memory in (40_000, 1 << 30)]
    assert made[0].checksum == made[1].checksum
    assert sum(map(len, rows_of(tmp_path / "map.out"))) == made[0].rows == 700


class Lists(mr.Job):
    """A list of keys a record, as `str.split` gives it."""

    def map(self, line):
        return line.split()

    reduce = mr.Count()


class Yields(Lists):
    def map(self, line):
        yield from line.split()


class Tuples(Lists):
    def map(self, line):
        return tuple(line.split()) or None


@pytest.mark.parametrize("job", [Lists, Yields, Tuples])
@pytest.mark.parametrize("memory", [20_000, 512 << 20])
def test_keys_are_counted_however_they_are_given(job, memory):
    lines = [f"w{number} ü{number % 9} the the" for number in range(3000)] + ["", "the"]
    found = run_pairs(job, lines, splits=3, partitions=3, memory=memory)
    assert found == reference.run(job, lines).pairs
    assert ("the", 6001) in found


def test_one_record_with_more_keys_than_memory_is_counted():
    class Many(Lists):
        def map(self, record):
            return (f"{number % 10_000}" for number in range(record))

    found = dict(run_pairs(Many, [30_000], splits=1, memory=67_000))
    assert len(found) == 10_000
    assert set(found.values()) == {3}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["a", "b", 1], "key 1 is int, but the first key, at record:0, is str"),
        ([1, 2, True], "key True is bool, but the first key, at record:0, is int"),
        ([1, 1.0], "key 1.0 is float"),
        (["a", "\ud800"], "unpaired surrogate"),
        ([1, 2**63], "does not fit in 64 bits"),
        (["a", ["b"]], "must be str, bytes, bool"),
        ([("a", 1), ("a", "b")], r"is tuple\[str,str\]"),
        (["a", type("Text", (str,), {})("a")], "not Text"),
    ],
)
def test_a_wrong_key_is_laid_to_its_own_record(keys, says):
    given = [[keys[0]], [keys[0]], keys]
    with pytest.raises(UserTaskError, match=says) as caught:
        run_pairs(emitter(mr.Count()), given, splits=1)
    assert caught.value.where == "record:2"


@pytest.mark.parametrize("given", ["a word", b"ab", 7])
def test_what_is_no_list_of_keys_is_refused(given):
    class Wrong(Lists):
        def map(self, record):
            return record

    with pytest.raises(UserTaskError, match=r"it yields keys, or returns a list of them") as caught:
        run_pairs(Wrong, [["a"], given], splits=1)
    assert caught.value.where == "record:1"


MIXTURE = [[("k", 1)], *([(f"{number}", 0)] for number in range(20)), [("k", "x")]]
"""Between two values that cannot be compared, records that fill a table of little memory."""
NOT_COMPARED = (
    "key 'k': {} compares values of one kind, not a number and str: 1 and 'x'; let all values of a key be of one kind"
)
MEETINGS = {
    "in a table": ({"splits": 1}, "record:21"),
    "in spills": ({"splits": 1, "memory": 3000}, "key 'k', map"),
    "in a reduce": ({"splits": 2}, "key 'k', partition 0"),
    "in a reduce with little memory": ({"splits": 2, "memory": 3000}, "key 'k', partition 0"),
}


@pytest.mark.parametrize("frames", [False, True], ids=["rows", "frames"])
@pytest.mark.parametrize("meeting", MEETINGS)
@pytest.mark.parametrize("reducer", [mr.Min(), mr.Max(), mr.Top(3)], ids=lambda reducer: type(reducer).__name__)
def test_values_that_cannot_be_compared_are_told_with_their_key_wherever_they_meet(reducer, meeting, frames):
    shape, where = MEETINGS[meeting]
    with pytest.raises(UserTaskError) as caught:
        run_pairs(emitter(reducer), MIXTURE, frames=frames, partitions=1, **shape)
    assert str(caught.value) == NOT_COMPARED.format(type(reducer).__name__)
    assert caught.value.where == where


@pytest.mark.parametrize("memory", [3000, 512 << 20])
@pytest.mark.parametrize("reducer", [mr.Min(), mr.Max()], ids=lambda reducer: type(reducer).__name__)
def test_values_that_a_combiner_cannot_compare_end_its_map_whatever_memory_it_has(reducer, memory):
    with pytest.raises(UserTaskError) as caught:
        run_pairs(emitter(collect, combine=reducer), MIXTURE, splits=1, memory=memory)
    assert str(caught.value) == NOT_COMPARED.format(type(reducer).__name__)


@pytest.mark.parametrize("reducer", [mr.First(), mr.Max(), mr.Top(3)])
def test_long_values_are_counted_as_memory(tmp_path, reducer):
    spills = []

    class Watched(MapRun):
        def _spill(self, rows):
            spills.append(len(rows[0]))
            super()._spill(rows)

    options = TaskOptions(memory=6 << 20)
    run = Watched(emitter(reducer), options, tmp_path / "out", nothing)
    records = [[(f"k{number}", "x" * 300_000)] for number in range(40)]
    run.run(iter([ListBatch(records, 0)]), AttemptId(TaskId(0, "map", 0), 1, 0))
    assert len(spills) >= 8
    assert max(spills) <= 4


class OneList(mr.Job):
    def map(self, record):
        return record

    reduce = mr.Count()


class OneGenerator(mr.Job):
    def map(self, record):
        yield from record

    reduce = mr.Count()


def peak_of(run):
    """Return the most that Python's memory held beyond what was there before."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["Sum", "Mean", "Count of lists", "Count of generators"])
def test_long_keys_are_counted_as_memory(tmp_path, name):
    def key(number):
        return f"{number:08}" + "x" * 100_000

    def pairs(number):
        return [(key(number), 1)]

    many = 260
    job: type[mr.Job]
    records: Iterable[Any]
    if name == "Count of lists":
        job, records = OneList, ([key(number)] for number in range(many))
    elif name == "Count of generators":
        job, records = OneGenerator, ((key(number + at) for at in range(20)) for number in range(0, many, 20))
    else:
        job, records = emitter(mr.Sum() if name == "Sum" else mr.Mean()), map(pairs, range(many))
    run = MapRun(job, TaskOptions(memory=12 << 20), tmp_path / "out", nothing)
    batches = (ListBatch([record], 0) for record in records)
    peak = peak_of(lambda: run.run(batches, AttemptId(TaskId(0, "map", 0), 1, 0)))
    assert peak < 12 << 20  # The keys are 26 MB.
    assert sum(map(len, rows_of(tmp_path / "out"))) == many
