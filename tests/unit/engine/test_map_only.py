"""A job without reduce: what its map yields is the output, in the order of the input."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

import mapreduce as mr
from mapreduce.errors import CorruptionError
from mapreduce.plan import split_files
from mapreduce.testing import reference
from mapreduce_worker.engine import failure, local, map_part, merge, part, ranges
from mapreduce_worker.engine.failure import UserTaskError
from mapreduce_worker.engine.options import TaskOptions
from tests.support import budget
from tests.support.engine_runs import canonical, emitter, nothing, run_pairs, write_input

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


class Words(mr.Job):
    """Converts: every word with its line's place."""

    def map(self, line):
        self.counters["lines"] += 1
        for word in line.split():
            yield word, self.input.offset


def parts_of(folder, file, split_size, job=Words):
    """Map every split of a file; return the parts and what was reported of them."""
    made, paths = [], []
    for split in split_files([file], split_size):
        paths.append(folder / f"part-{split.index}")
        options = TaskOptions()
        source = lambda piece, _: ranges.read_range(folder, piece)  # noqa: E731 - one line, used once
        made.append(map_part.run_map(job, split, source, options=options, out=paths[-1], progress=nothing))
    return paths, made


@budget.examples()
@given(st.lists(st.lists(st.tuples(anything, anything), max_size=4), max_size=20), st.integers(1, 5))
def test_keys_of_any_type_come_in_the_order_of_the_input(records, splits):
    job = emitter(None)
    assert canonical(run_pairs(job, records, splits=splits)) == canonical(reference.run(job, records).pairs)


@pytest.mark.parametrize("split_size", [1, 7, 100, 1000, 10**6])
def test_the_output_does_not_depend_on_where_the_input_was_divided(tmp_path, split_size):
    lines = [f"b{number} a{number % 7}" for number in range(200)]
    file = write_input(tmp_path, "\n".join(lines).encode())
    paths, made = parts_of(tmp_path, file, split_size)
    merge.merge_parts(paths, tmp_path / "out", nothing)
    offset, expected = 0, []
    for line in lines:
        expected += [f"{word}\t{offset}\n" for word in line.split()]
        offset += len(line) + 1
    assert (tmp_path / "out").read_text() == "".join(expected)
    assert sum(one.records for one in made) == sum(one.counters.get("lines", 0) for one in made) == 200
    assert [part.verify(path, deep=True).checksum for path in paths] == [one.checksum for one in made]


def test_a_part_that_is_run_again_is_the_same(tmp_path):
    file = write_input(tmp_path, b"b a\nc\n" * 5000)
    assert parts_of(tmp_path, file, 10**6)[1] == parts_of(tmp_path, file, 10**6)[1]


@pytest.mark.parametrize(
    ("pairs", "reason", "message"),
    [
        (["ab", 7], "UserCodeFailed", "map must yield pairs"),
        ([("k", object())], "ValueNotEncodable", "a value of type object cannot be carried"),
        ([("k", ["\ud800"])], "ValueNotEncodable", "a value of type list holds an unpaired surrogate"),
        ([("\ud800", 1)], "ValueNotEncodable", "a value of type str holds an unpaired surrogate"),
        ([("k", 2**20_000)], "ValueNotEncodable", "a value of type int cannot be carried"),
        ([("k", {1: {}}), (1,)], "UserCodeFailed", "map must yield pairs"),
    ],
)
def test_what_has_no_place_in_the_output_is_laid_to_its_record(pairs, reason, message):
    with pytest.raises(UserTaskError, match=message) as caught:
        run_pairs(emitter(None), [[("a", 1)], pairs], splits=1)
    assert (caught.value.where, failure.describe(caught.value).reason) == ("record:1", reason)


def test_nothing_stays_of_a_part_that_failed(tmp_path):
    class Fails(Words):
        def teardown(self):
            raise ValueError("late")

    file = write_input(tmp_path, b"a\n")
    with pytest.raises(UserTaskError, match="late"):
        parts_of(tmp_path, file, 100, Fails)
    assert [path.name for path in tmp_path.iterdir()] == ["input.txt"]


def test_a_part_of_a_map_and_one_of_a_reduce_are_not_joined(tmp_path):
    paths, _ = parts_of(tmp_path, write_input(tmp_path, b"a\n"), 100)
    with (tmp_path / "reduced").open("wb") as file:
        writer = part.Writer(file, "str")
        writer.add(next(part.read(paths[0])))
        writer.finish()
    with pytest.raises(CorruptionError, match="keys of different types"):
        list(merge.pairs([*paths, tmp_path / "reduced"]))


def test_counters_of_a_map_only_job_are_added_up():
    made = local.run_job(Words, ["a b", "", "c"], splits=3)
    assert made == ([("a", 0), ("b", 0), ("c", 2)], {"lines": 3})
