"""`mr.Unique()` in the engine: folded where the values come from, and still what the reference gives."""

from datetime import UTC, datetime, timedelta, timezone
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import given

import mapreduce as mr
from mapreduce.ids import AttemptId, TaskId
from mapreduce.testing import reference
from mapreduce_worker.engine import blocks, distinct_table, pump, text_keys
from mapreduce_worker.engine.failure import UserTaskError, describe
from mapreduce_worker.engine.local import ListBatch
from mapreduce_worker.engine.map_run import MapRun
from mapreduce_worker.engine.options import TaskOptions
from tests.support import budget
from tests.support.engine_runs import canonical, emitter, map_file, nothing, rows_of, run_pairs, write_input

noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
nan = float("nan")
# Alike in Python and not in the codec, or the other way round.
ALIKE = [0, False, 0.0, -0.0, "", b"", None, [], (), {}, 1, True, 1.0, [1], (1,), [1.0], "1", b"1", nan, -nan, [nan]]
ALIKE += [noon, noon.astimezone(timezone(timedelta(hours=2))), noon.isoformat(), 2**64, 2**70, {"a": 1}, {"a": True}]
values = st.sampled_from(ALIKE) | st.integers(-2, 2) | st.text("aä", max_size=2)
records = st.lists(st.lists(st.tuples(st.text("ab", max_size=1), values), max_size=8), max_size=10)
shapes = st.fixed_dictionaries(
    {"splits": st.integers(1, 4), "partitions": st.integers(1, 3), "memory": st.sampled_from([1, 3000, 512 << 20])}
)


@budget.examples(60)
@given(records, shapes)
def test_distinct_values_are_those_of_the_reference(given, shape):
    job = emitter(mr.Unique())
    assert canonical(run_pairs(job, given, **shape)) == canonical(reference.run(job, given).pairs)


some_keys = st.lists(st.text("abcä\n", max_size=1) | st.just("k" * 70), max_size=8)
runs = st.lists(st.tuples(some_keys, values).map(lambda run: [(key, run[1]) for key in run[0]]), max_size=10)


@budget.examples(60)
@given(runs, shapes, st.sampled_from([0, 3]), st.sampled_from([0, 2, 99]), st.sampled_from([1, 1000]))
def test_keys_that_share_a_value_are_those_of_the_reference(given, shape, few, patience, many):
    """However many keys are worth rows of their own, and whether Polars has them and merges them."""
    job = emitter(mr.Unique())
    with (
        mock.patch.multiple(distinct_table, FEW=few, PATIENCE=patience),
        mock.patch.object(blocks, "NATIVE_ROWS", many),
        mock.patch.object(text_keys, "MANY", many),
        mock.patch.multiple(pump, FIRST=2, ENOUGH=3),
    ):
        found = run_pairs(job, given, **shape)
    assert canonical(found) == canonical(reference.run(job, given).pairs)


def test_a_value_that_comes_again_stays_where_it_came_first():
    keys = [f"{number}" for number in range(distinct_table.FEW)]
    given = [[(key, value) for key in keys] for value in ("b", "a", "b", "c", "a")]
    assert run_pairs(emitter(mr.Unique()), given, splits=1) == [(key, ["b", "a", "c"]) for key in sorted(keys)]


def test_objects_that_are_equal_are_one_value(tmp_path):
    spilled = []

    class Watched(MapRun):
        def _spill_rows(self, encoded, rows):
            spilled.append(len(encoded))
            super()._spill_rows(encoded, rows)

    run = Watched(emitter(mr.Unique()), TaskOptions(), tmp_path / "out", nothing)
    records = [[(f"{record}", "".join(["na", "me"]))] for record in range(300)]
    run.run(iter([ListBatch(records, 0)]), AttemptId(TaskId(0, "map", 0), 1, 0))
    assert spilled == [300]


def test_keys_of_one_value_are_counted_as_memory(tmp_path):
    spilled = []

    class Watched(MapRun):
        def _spill_rows(self, encoded, rows):
            spilled.append(len(encoded))
            super()._spill_rows(encoded, rows)

    memory = 3 * 100 * distinct_table.PLACE
    run = Watched(emitter(mr.Unique()), TaskOptions(memory=memory), tmp_path / "out", nothing)
    run.run(iter([ListBatch([[(b"%03d" % n, 1)] for n in range(350)], 0)]), AttemptId(TaskId(0, "map", 0), 1, 0))
    assert spilled == [100, 100, 100, 50]
    assert sorted(key for part in rows_of(tmp_path / "out") for key, _ in part) == [b"%03d" % n for n in range(350)]


@pytest.mark.parametrize(("value", "most"), [("v", 5000), ("v" * 100, 1000)])
def test_text_keys_of_one_value_are_counted_as_memory(tmp_path, value, most):
    spilled = []

    class Watched(MapRun):
        def _hand_over(self, rows):
            spilled.append(rows.count)
            super()._hand_over(rows)

    run = Watched(emitter(mr.Unique()), TaskOptions(memory=600_000), tmp_path / "out", nothing)
    records = [[(f"{number % 9000:05}", value) for number in range(at, at + 500)] for at in range(0, 18_000, 500)]
    run.run(iter([ListBatch(records, 0)]), AttemptId(TaskId(0, "map", 0), 1, 0))
    assert len(spilled) > 2
    assert max(spilled) < most
    found = [row for part in rows_of(tmp_path / "out") for row in part]
    assert sorted(found) == [(b"%05d" % number, [value]) for number in range(9000)]


@pytest.mark.parametrize("before", [0, 50, 5000])
@pytest.mark.parametrize("key", ["\ud800", 7, None])
def test_a_key_that_cannot_be_carried_is_told_with_its_record_in_a_run(key, before):
    given = [[(f"{number}", "v") for number in range(before + 1)], [("l", "v"), (key, "v")], [("m", "v"), (key, "v")]]
    with pytest.raises(UserTaskError) as caught:
        run_pairs(emitter(mr.Unique()), given, splits=1)
    assert describe(caught.value).where == "record:1"


@pytest.mark.parametrize("fault", [ValueError("bad"), SystemExit("bad")])
def test_a_key_that_cannot_be_carried_comes_before_what_map_raises_after_it(fault):
    def emit(record):
        yield from record
        raise fault

    given = [[(f"{number}", "v") for number in range(50)] + [("\ud800", "v")]]
    with pytest.raises(UserTaskError) as caught:
        run_pairs(emitter(mr.Unique(), emit=emit), given, splits=1)
    assert describe(caught.value).reason == "UnsupportedKey"


def test_a_key_is_looked_at_before_a_value_that_comes_later():
    given = [[("k", "v")], [("\ud800", "v")], [("l", "\ud800")]]
    with pytest.raises(UserTaskError) as caught:
        run_pairs(emitter(mr.Unique()), given, splits=1)
    assert (describe(caught.value).reason, describe(caught.value).where) == ("UnsupportedKey", "record:1")


def test_each_of_the_values_that_are_nearly_alike_is_told_apart():
    job = emitter(mr.Unique())
    given = [[("k", value), ("k", value)] for value in [*ALIKE, *ALIKE]]
    found = run_pairs(job, given)
    assert canonical(found) == canonical(reference.run(job, given).pairs)
    assert len(found[0][1]) < len(ALIKE)


@pytest.mark.parametrize("second", ["b", "é", 7, b"7", 2.5, ["x"], {"x": 1}])
@pytest.mark.parametrize("keys", [300, 3000])
def test_lists_of_text_from_one_map_meet_others_from_the_next(second, keys):
    given = [[(f"{number}", "a") for number in range(3000)], [(f"{number}", second) for number in range(keys)]]
    job = emitter(mr.Unique())
    assert canonical(run_pairs(job, given)) == canonical(reference.run(job, given).pairs)


def test_a_value_that_a_key_has_already_does_not_travel(tmp_path):
    file = write_input(tmp_path, b"".join(b"%d %d\n" % (number % 7, number % 3) for number in range(2100)))
    job = emitter(mr.Unique(), emit=lambda line: [tuple(line.split())])
    made, _ = map_file(job, tmp_path, file)
    assert made.rows == 7
    assert all(sorted(found) == ["0", "1", "2"] for part in rows_of(tmp_path / "map.out") for _, found in part)


@pytest.mark.parametrize("value", ["\ud800", 2**14_001, object(), {1, "\udcff"}])
def test_a_value_that_cannot_be_carried_is_told_with_its_record(value):
    with pytest.raises(UserTaskError) as caught:
        run_pairs(emitter(mr.Unique()), [[("k", 1)], [("k", value)], [("k", 2)]], splits=1)
    info = describe(caught.value)
    assert (info.reason, info.where) == ("ValueNotEncodable", "record:1")


@pytest.mark.parametrize("sorts", [True, False])
def test_beside_a_combiner_or_in_order_values_are_made_distinct_at_the_end(sorts):
    def combine(self, key, group):
        for value in group:
            yield key, value

    job = emitter(mr.Unique(), combine=None if sorts else combine)
    job.sort_values = sorts
    given = [[("k", 3), ("k", 1)], [("k", 3), ("k", 2)]]
    assert run_pairs(job, given) == [("k", [1, 2, 3] if sorts else [3, 1, 2])]


def test_a_class_of_ones_own_that_derives_from_it_gets_all_values():
    class Several(mr.Unique):
        def __call__(self, key, group):
            found = list(group)
            yield key, sorted(value for value in set(found) if found.count(value) > 1)

    job = emitter(Several())
    given = [[("k", 3), ("k", 1), ("k", 2)], [("k", 3), ("k", 2)]]
    assert run_pairs(job, given) == reference.run(job, given).pairs == [("k", [2, 3])]


def test_long_values_are_counted_as_memory(tmp_path):
    spills = []

    class Watched(MapRun):
        def _spill_rows(self, encoded, rows):
            spills.append(sum(map(len, rows.unpacked())))
            super()._spill_rows(encoded, rows)

    run = Watched(emitter(mr.Unique()), TaskOptions(memory=6 << 20), tmp_path / "out", nothing)
    records = [[("k", f"{number}" + "x" * 300_000), ("k", "y")] for number in range(40)]
    run.run(iter([ListBatch(records, 0)]), AttemptId(TaskId(0, "map", 0), 1, 0))
    assert len(spills) >= 5
    assert max(spills) <= 8
    ((_, found),) = [row for part in rows_of(tmp_path / "out") for row in part]
    assert len(found) == 41
