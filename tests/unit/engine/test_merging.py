"""Merging sorted rows gives what sorting all of them gives, with few sources open at once."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce_worker.engine import blocks, columns, folding, map_output, merging
from tests.support import budget
from tests.support.engine_runs import unblamed, write_segment

SORTED = st.lists(st.sampled_from([b"", b"a", b"ab", b"b", b"\xff"]), max_size=12).map(sorted)


def blocks_of(source, keys, size):
    """Yield the keys in blocks of `size` rows; the value tells source and position."""
    rows = [(key, f"{source}.{position}") for position, key in enumerate(keys)]
    for at in range(0, len(rows), size):
        piece = rows[at : at + size]
        yield blocks.of_objects([key for key, _ in piece], [value for _, value in piece])


def flat(rows):
    return [row for block in rows for row in zip(block.keys, block.unpacked(), strict=True)]


def sorted_rows(sources):
    rows = [(key, f"{n}.{position}") for n, keys in enumerate(sources) for position, key in enumerate(keys)]
    return sorted(rows, key=lambda row: row[0])


@budget.examples(100)
@given(
    st.lists(st.tuples(SORTED, st.integers(1, 4)), max_size=5),
    st.sampled_from([1, 3, 1000]),
    st.sampled_from([2, 100]),
    st.sampled_from([0, 1, 300, 10_000]),
)
def test_a_merge_is_a_stable_sort_however_much_it_may_hold(sources, native_rows, most_rows, memory):
    with mock.patch.multiple(blocks, NATIVE_ROWS=native_rows, MAX_ROWS=most_rows):
        merged = list(merging.merge([blocks_of(n, keys, size) for n, (keys, size) in enumerate(sources)], memory))
        assert flat(merged) == sorted_rows([keys for keys, _ in sources])
        again = list(blocks.cut(merged))
    assert flat(again) == flat(merged)
    assert [rows.count for rows in again[:-1]] == [most_rows] * (len(again) - 1)


@budget.examples(12)
@given(st.lists(SORTED, min_size=1, max_size=9), st.integers(2, 4))
def test_an_external_sort_is_a_sort(sources, limit):
    with TemporaryDirectory() as folder:
        root = Path(folder)
        made = iter(range(100))
        runs = [[write_segment(root / f"run-{n}", flat(blocks_of(n, keys, 3)))] for n, keys in enumerate(sources)]
        left = merging.narrow(runs, limit, lambda: root / f"merged-{next(made)}", lambda rows: rows)
        assert len(left) <= limit
        assert flat(merging.merge([map_output.read(run[0]) for run in left])) == sorted_rows(sources)
        used = {segment.path.name for run in left for segment in run}
        assert {path.name for path in root.glob("merged-*")} <= used


def test_a_merge_reads_no_further_than_it_must():
    read = []

    def source(name, *keys):
        for key in keys:
            read.append(name + key.decode())
            yield blocks.of_objects([key], [0])

    merged = merging.merge([source("x", b"a", b"c", b"e"), source("y", b"b", b"d")])
    assert next(merged).keys == [b"a"]
    assert read == ["xa", "yb", "xc"]


def test_a_merge_holds_as_many_blocks_as_its_memory_has_room_for():
    read = []

    def source(name):
        for number in range(100):
            read.append(name)
            yield blocks.of_packed([b"%03d" % number], [b"x" * 97])

    merged = merging.merge([source("x"), source("y")], 10_000)
    next(merged)
    # An eighth of the memory, which is half of that for each; what was taken is read again.
    assert read.count("x") == 14
    assert read.count("y") == 7


@pytest.mark.parametrize("native_rows", [1, 1000])
def test_integers_and_other_values_merge(native_rows, monkeypatch):
    monkeypatch.setattr(blocks, "NATIVE_ROWS", native_rows)
    left = blocks.of_objects([b"a", b"c"], [1, 2])
    right = blocks.of_objects([b"a", b"b"], ["x", 2**70])
    assert flat(merging.merge([iter([left]), iter([right])])) == [(b"a", 1), (b"a", "x"), (b"b", 2**70), (b"c", 2)]


def test_few_rows_as_lists_and_many_as_columns_merge():
    few = blocks.of_objects([b"a", b"c"], [1, 2])
    words = columns.of_lists([b"a", b"b"], ["x", "y"])
    numbers = columns.of_lists([b"b", b"d"], [3, 4])
    assert flat(merging.merge([iter([few]), iter([numbers])])) == [(b"a", 1), (b"b", 3), (b"c", 2), (b"d", 4)]
    assert flat(merging.merge([iter([words]), iter([numbers]), iter([few])])) == [
        *[(b"a", "x"), (b"a", 1), (b"b", "y"), (b"b", 3), (b"c", 2), (b"d", 4)]
    ]


def test_equal_keys_fold_across_blocks():
    rows = [blocks.of_objects([b"a", b"b"], [1, 2]), blocks.of_objects([b"b"], [2**63]), blocks.of_objects([b"b"], [3])]
    assert flat(folding.folded(rows, mr.Sum(), unblamed)) == [(b"a", 1), (b"b", 2**63 + 5)]


def test_the_number_of_open_sources_follows_the_memory():
    assert merging.fan_in(1) == 2
    assert merging.fan_in(64 << 20) == 10
    assert merging.fan_in(1 << 40) == merging.MAX_FAN_IN


@budget.examples(40)
@given(st.sets(st.binary(max_size=20), max_size=30), st.booleans(), st.sampled_from([1, 1000]))
def test_rows_are_sorted_by_the_bytes_of_their_keys(keys, numbers, native_rows):
    given_keys = list(keys)
    objects = [number if numbers else f"{number}" for number in range(len(keys))]
    with mock.patch.object(blocks, "NATIVE_ROWS", native_rows):
        ordered = blocks.in_order(given_keys, objects)
    assert list(zip(*ordered, strict=True)) == sorted(zip(given_keys, objects, strict=True))
