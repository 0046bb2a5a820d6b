"""Pairs that nobody folds or combines: as they were when they were yielded, however often memory is emptied."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mapreduce import values
from mapreduce_worker.engine import map_output
from mapreduce_worker.engine.failure import UserTaskError
from mapreduce_worker.engine.pair_table import PairTable
from mapreduce_worker.engine.tables import KeyGuard
from tests.support import budget
from tests.support.engine_runs import as_many, collect, emitter, map_file, run_pairs, write_input

scalars = st.integers() | st.text("aé", max_size=3) | st.binary(max_size=3) | st.floats(allow_nan=False) | st.none()
nested = st.lists(scalars, max_size=2) | st.dictionaries(st.text("ab", max_size=1), scalars, max_size=1)


def held(pairs, memory=1 << 20):
    """Return the rows that a table hands over, as it did so."""
    spilled: list[list[tuple[bytes, bytes]]] = []

    def spill(encoded, rows):
        assert list(rows.keys) == encoded
        spilled.append(list(zip(encoded, rows.as_packed().values, strict=True)))

    table = PairTable(KeyGuard(lambda: "here"), memory, spill)
    table.consume(lambda record: record, [pairs])
    table.empty()
    table.empty()
    return spilled


@budget.examples(100)
@given(pairs=st.lists(st.tuples(st.text("aé", max_size=2), scalars | nested), max_size=20), memory=st.integers(1, 2000))
def test_every_pair_comes_out_once_and_in_its_order(pairs, memory):
    expected = [(key.encode(), values.encode(value)) for key, value in pairs]
    for limit in (memory, 1 << 20):
        assert [row for rows in held(pairs, limit) for row in rows] == expected


def test_memory_bounds_what_is_held_by_keys_and_values():
    pairs = [("k" * 1000, "v" * 1000)] * 100
    assert [len(rows) for rows in held(pairs, 10_000)] == [5] * 20
    assert len(held(pairs)) == 1


def test_a_value_that_is_changed_after_it_was_yielded_travels_as_it_was():
    def emit(record):
        value = [record]
        yield "k", 7
        yield "k", value
        value.clear()
        yield "k", "end"

    assert run_pairs(emitter(collect, emit=emit), [1, 2], splits=1) == [("k", [7, [1], "end", 7, [2], "end"])]


@pytest.mark.parametrize(
    ("cast", "packed", "expected"),
    [
        (int, False, [1, 2]),
        (float, False, [1.0, 2.0]),
        (str, False, ["1", "2"]),
        (list, True, [["1"], ["2"]]),
    ],
)
def test_values_of_one_type_are_a_column_in_the_output(tmp_path, cast, packed, expected):
    file = write_input(tmp_path, b"b 2\na 1\n")
    out = tmp_path / "map.out"
    with as_many():
        map_file(emitter(collect, emit=lambda line: [(line[0], cast(line[2]))]), tmp_path, file, partitions=1)
    (block,) = map_output.read(map_output.segment_file(out, map_output.read_index(out), 0))
    assert (block.packed, block.unpacked()) == (packed, expected)


@pytest.mark.parametrize("pair", [("\ud800", 1), ("k", "\ud800"), ("k", ["\ud800"]), ("k", object()), (2**63, 1)])
def test_what_cannot_be_carried_is_found_at_its_own_record(pair):
    good = (1, 1) if type(pair[0]) is int else ("a", "b")
    with pytest.raises(UserTaskError) as caught:
        run_pairs(emitter(collect), [[good], [good, pair], [good]], splits=1)
    assert caught.value.where == "record:1"
