"""What a reducer yields becomes values where it keeps its keys, else pairs; the output is the same."""

from itertools import islice

import pytest

import mapreduce as mr
from mapreduce.keys import encode
from mapreduce.testing import reference
from mapreduce_worker.engine import blocks, merge, part
from mapreduce_worker.engine.failure import UserTaskError
from tests.support.engine_runs import as_many, canonical, emitter, reduce_segments, run_pairs, write_segment


def each(self, key, group):
    for value in group:
        yield key, value


def loud_from(first):
    """Return a reduce that yields its key, and from a key on the one after it."""

    def reduce(self, key, group):
        for value in group:
            yield (key if key < first else key + 1), value

    return reduce


def test_the_part_of_a_reducer_that_keeps_its_keys_holds_values_of_one_type(tmp_path):
    segment = write_segment(tmp_path / "m", [(b"a", 1), (b"a", 2), (b"b", 3)])
    with as_many():
        reduce_segments(emitter(each), [segment], tmp_path)
    (block,) = part.read(tmp_path / "part.out")
    assert part.read_summary(tmp_path / "part.out").own
    assert (block.packed, block.keys, block.values) == (False, [b"a", b"a", b"b"], [1, 2, 3])


@pytest.mark.parametrize(
    "values", [[1, 2.5, "x"], [[1], [2]], ["a", "é", "b"], [b"x", b""], [None, 1], [2**70, 1], [{"a": (1,)}, 2]]
)
def test_values_of_any_types_are_those_of_the_reference(values):
    given = [[(f"k{number % 3}", value) for number, value in enumerate(values * 3)]]
    job = emitter(each)
    expected = canonical(reference.run(job, given).pairs)
    assert canonical(run_pairs(job, given)) == expected
    assert canonical(run_pairs(job, given, frames=True)) == expected


def test_with_the_first_other_key_what_was_written_becomes_pairs_too(tmp_path, monkeypatch):
    monkeypatch.setattr("mapreduce_worker.engine.results.MAX_ROWS", 4)
    segment = write_segment(tmp_path / "m", [(encode(key), "x" * key) for key in range(11) for _ in range(2)])
    before = {path.name for path in tmp_path.iterdir()}
    for first in (0, 1, 5, 10, 11):
        made = reduce_segments(emitter(loud_from(first)), [segment], tmp_path, key_type="int")
        assert part.verify(tmp_path / "part.out", deep=True) == made
        assert part.read_summary(tmp_path / "part.out").own == (first == 11)
        expected = [(key if key < first else key + 1, "x" * key) for key in range(11) for _ in range(2)]
        assert list(merge.pairs([tmp_path / "part.out"])) == expected
        assert {path.name for path in tmp_path.iterdir()} == before | {"part.out"}


@pytest.mark.parametrize("frames", [False, True])
def test_parts_of_values_and_parts_of_pairs_make_one_output(tmp_path, frames):
    def rename_one(self, key, group):
        yield ("z" if key == "b" else key), list(group)

    given = [[(key, number) for number, key in enumerate("abcabd")]]
    job = emitter(rename_one)
    expected = reference.run(job, given).pairs
    assert expected == [("a", [0, 3]), ("z", [1, 4]), ("c", [2]), ("d", [5])]
    for partitions in (1, 2, 5):
        assert run_pairs(job, given, partitions=partitions, frames=frames) == expected


def test_a_key_that_is_equal_but_of_another_type_is_written_as_it_was_yielded():
    def as_truth(self, key, group):
        yield bool(key), sum(group)

    given = [[(1, 5), (0, 6)]]
    assert list(map(repr, run_pairs(emitter(as_truth), given))) == ["(False, 6)", "(True, 5)"]


def test_values_that_were_not_read_are_gone_with_the_next_key():
    def late(self, key, group):
        first = next(group)
        left = list(self.last) if hasattr(self, "last") else []
        self.last = group
        yield key, [first, *left]

    given = [[(key, number) for key in "abc" for number in range(3)]]
    found = run_pairs(emitter(late), given, partitions=1)
    assert found == run_pairs(emitter(late), given, partitions=1, frames=True)
    assert found == [("a", [0]), ("b", [0]), ("c", [0])]


def test_some_values_of_a_key_in_many_blocks_may_be_read(tmp_path):
    rows = [(b"%03d" % (number // 100), number) for number in range(1000)]
    segments = [write_segment(tmp_path / f"m{at}", rows[at::7]) for at in range(7)]

    def some(self, key, group):
        yield key, len(list(islice(group, int(key))))

    reduce_segments(emitter(some), segments, tmp_path, memory=1)
    assert [count for _, count in merge.pairs([tmp_path / "part.out"])] == list(range(10))


def test_values_that_are_handed_on_by_a_generator_which_ends_early_are_not_lost(tmp_path):
    rows = [(b"%03d" % (number // 100), number) for number in range(1000)]
    segments = [write_segment(tmp_path / f"m{at}", rows[at::7]) for at in range(7)]

    def after_first(self, key, group):
        def handed_on():
            yield from group

        for _ in handed_on():
            break
        yield key, len(list(group))

    reduce_segments(emitter(after_first), segments, tmp_path, memory=1)
    expected = [(b"%03d" % number, 99) for number in range(10)]
    assert list(merge.pairs([tmp_path / "part.out"])) == expected
    assert reference.run(emitter(after_first), [rows]).pairs == expected


BAD = ["\ud800", [{"a": "\ud800"}], object(), 1 << 20_000]


@pytest.mark.parametrize("bad", BAD, ids=["surrogate", "within", "object", "huge"])
def test_a_value_that_cannot_be_written_is_told_with_its_key(tmp_path, bad):
    def reduce(self, key, group):
        yield key, 1
        yield key, bad if key == b"b" else "x"

    segment = write_segment(tmp_path / "m", [(b"a", 1), (b"b", 2), (b"c", 3)])
    with pytest.raises(UserTaskError) as told:
        reduce_segments(emitter(reduce), [segment], tmp_path)
    assert told.value.where == "key b'b', partition 3"


@pytest.mark.parametrize("found", ["ab", 5, [1], [(1, 2, 3)], ["ab"], [b"ab"]])
def test_what_is_no_pair_is_told_with_its_key(tmp_path, found):
    segment = write_segment(tmp_path / "m", [(b"a", 1)])
    with pytest.raises(UserTaskError, match="pair") as told:
        reduce_segments(emitter(lambda self, key, group: found), [segment], tmp_path)
    assert told.value.where == "key b'a', partition 3"


def test_collected_values_come_as_one_list_each():
    given = [[("a", 1), ("b", "x"), ("a", [2, {"c": 3}])]]
    job = type("Gather", (mr.Job,), {"map": lambda self, record: record, "reduce": mr.Collect()})
    assert run_pairs(job, given) == reference.run(job, given).pairs == [("a", [1, [2, {"c": 3}]]), ("b", ["x"])]


def test_blocks_of_results_are_bounded_by_bytes(tmp_path):
    segment = write_segment(tmp_path / "m", [(b"%d" % number, number) for number in range(8)])
    reduce_segments(emitter(lambda self, key, group: [(key, "x" * (1 << 19))]), [segment], tmp_path)
    counts = [block.count for block in part.read(tmp_path / "part.out")]
    assert counts == [2, 2, 2, 2]
    assert blocks.MAX_BYTES == 1 << 20
