"""Accumulators that Polars merges are those that the reducer's own `merge` makes, to the bit; others it leaves."""

import math
from copy import deepcopy
from functools import reduce
from itertools import groupby
from operator import itemgetter
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce import values as codec
from mapreduce_worker.engine import blocks, columns, folding, native
from mapreduce_worker.engine.columns import Columns
from tests.support import budget
from tests.support.engine_runs import unblamed

EDGES = [-(2**63), 2**63 - 1, 2**62, -(2**62), 0, 1, -1]
INTS = st.sampled_from(EDGES) | st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
FLOATS = st.sampled_from([math.nan, 0.0, -0.0, math.inf, -math.inf, 1.5]) | st.floats()
TEXTS = st.text(max_size=3) | st.sampled_from(["", "a", "\x00", "\U0001f600", "\uffff"])
BYTES = st.binary(max_size=3) | st.sampled_from([b"", b"\x00", b"\xff"])
CHOSEN = [INTS, TEXTS, BYTES, st.booleans(), FLOATS, st.lists(INTS, max_size=2), INTS | FLOATS]
CASES: list[Any] = [(reducer, accs) for reducer in (mr.Min, mr.Max, mr.First) for accs in CHOSEN]
CASES += [(mr.Sum, INTS), (mr.Count, INTS), (mr.Sum, st.integers(-(2**70), 2**70))]
CASES += [(mr.Sum, INTS | st.lists(INTS, min_size=1, max_size=1))]
COUNTS = st.integers(1, 3) | st.sampled_from([2**62, 2**63 - 1])
MEANS = st.tuples(COUNTS, INTS).map(list)
SETS = [st.lists(values, min_size=1, max_size=3, unique=True) for values in (TEXTS, BYTES, INTS, st.booleans())]
CASES += [(mr.Mean, MEANS), (mr.Mean, MEANS | st.tuples(COUNTS, st.integers(2**63, 2**64)).map(list))]
CASES += [(mr.Mean, MEANS | st.tuples(COUNTS, st.tuples(INTS, FLOATS).map(list)).map(list))]
CASES += [(mr.Unique, values) for values in (*SETS, SETS[0] | SETS[2])]
KEYS = st.sampled_from([b"", b"a", b"b", b"\x00", b"\xff\xff"])


@st.composite
def reducers_and_rows(draw):
    reducer, accs = draw(st.sampled_from(CASES))
    return reducer(), draw(st.lists(st.tuples(KEYS, accs), min_size=1, max_size=12))


def expected(reducer, rows):
    """Merge with the reducer's own code, one after the other."""
    ordered = deepcopy(sorted(rows, key=itemgetter(0)))
    return [
        (key, codec.encode(reducer.canonical(reduce(reducer.merge, map(itemgetter(1), group)))))
        for key, group in groupby(ordered, itemgetter(0))
    ]


def columns_of(rows):
    return columns.of_lists([key for key, _ in rows], [acc for _, acc in rows])


def packed(rows):
    found = rows.as_packed()
    return list(zip(found.keys, found.values, strict=True))


@budget.examples(150)
@given(reducers_and_rows())
@example((mr.Sum(), [(b"a", 2**62), (b"a", 2**62)]))
@example((mr.Sum(), [(b"a", -(2**62)), (b"a", -(2**62)), (b"a", -1)]))
@example((mr.Count(), [(b"a", 2**63 - 1), (b"b", 0), (b"a", 2**63 - 1)]))
@example((mr.Mean(), [(b"a", [1, 2**62]), (b"a", [1, 2**62])]))
@example((mr.Mean(), [(b"a", [2**62, 1]), (b"a", [2**62, 1])]))
@example((mr.Max(), [(b"a", math.nan), (b"a", 1.0), (b"b", -0.0), (b"b", 0.0)]))
@example((mr.Unique(), [(b"a", [1, 2]), (b"b", ["", "x"]), (b"a", [2**63, 1])]))
def test_polars_merges_as_the_reducer_does_or_not_at_all(given):
    reducer, rows = given
    found = native.folded(columns_of(rows).frame, reducer)
    assert found is None or packed(Columns(found)) == expected(reducer, rows)


@budget.examples(60)
@given(reducers_and_rows(), st.integers(1, 5), st.sampled_from([0, 100, 2000, 1 << 20]), st.sampled_from([1, 1000]))
def test_rows_are_folded_however_they_come(given, step, limit, native_rows):
    reducer, rows = given
    with mock.patch.object(blocks, "NATIVE_ROWS", native_rows):
        pieces = [rows[at : at + step] for at in range(0, len(rows), step)]
        made = [blocks.of_objects([key for key, _ in piece], [acc for _, acc in piece]) for piece in pieces]
        assert packed(folding.fold(blocks.joined(made), reducer, unblamed)) == expected(reducer, rows)
        in_order = blocks.sorted_rows(blocks.joined(made))
        cuts = [in_order.cut(at, min(at + step, len(rows))) for at in range(0, len(rows), step)]
        folded = [row for some in folding.folded(cuts, reducer, unblamed) for row in packed(some)]
        assert folded == expected(reducer, rows)
        held = folding.Folding(reducer, limit, unblamed)
        assert [row for some in through(held, made, reducer) for row in packed(some)] == expected(reducer, rows)


def through(held, made, reducer):
    """Do what a reduce does with what is held, and with what it does not hold any more."""
    for at, rows in enumerate(made):
        if not held.add(rows):
            rest = blocks.sorted_rows(blocks.joined([held.take(), *made[at + 1 :]]))
            return list(folding.folded([rest], reducer, unblamed))
    return list(held.finish())


LONG = b"a key of more than twelve bytes"


@budget.examples(60)
@given(
    st.lists(st.lists(st.sampled_from(["x", "y", "long " * 20]), min_size=1, max_size=2, unique=True), min_size=1),
    st.sampled_from([[b"a", b"a\0", b""], [b"a", LONG], [b"a"]]),
    st.booleans(),
)
@example([["x"], ["y"], ["x"]], [b"a", b"b"], True)
def test_runs_of_one_list_become_the_list_of_each_key(lists, keys, once):
    rows = [(key, values[:1] if once else values) for values in lists for key in keys * 9]
    found = native.folded(columns_of(rows).frame, mr.Unique())
    assert found is not None
    assert packed(Columns(found)) == expected(mr.Unique(), rows)


@pytest.mark.parametrize(
    ("numbers", "exact"),
    [
        ([2**62, 2**62 - 1], False),
        ([2**62, 2**62], False),
        ([-(2**62), -(2**62) + 1], False),
        ([-(2**62) + 1, -(2**62) + 1], True),
        ([2**63 - 1], True),
        ([-(2**63)], False),
        ([2**62, -(2**62)], False),
        ([(2**63 - 1) // 7] * 7, True),
        ([(2**63 - 1) // 7 + 1] * 7, False),
    ],
)
def test_sums_that_might_leave_64_bits_are_not_for_polars(numbers, exact):
    frame = columns_of([(b"k", number) for number in numbers]).frame
    found = native.folded(frame, mr.Sum())
    # The bound is the largest number times the rows, whatever their sum is.
    assert (found is not None) == exact
    assert packed(folding.fold(Columns(frame), mr.Sum(), unblamed)) == [(b"k", codec.encode(sum(numbers)))]


@pytest.mark.parametrize("reducer", [mr.Top(2), mr.Collect()])
def test_other_reducers_are_left_to_python(reducer):
    assert native.folded(columns_of([(b"k", 1)]).frame, reducer) is None


def test_a_class_that_derives_from_a_reducer_merges_by_its_own_code():
    class Odd(mr.Sum):
        def merge(self, acc, other):
            return super().merge(acc, other) + 1

    rows = columns_of([(b"k", 1), (b"k", 2)])
    assert native.folded(rows.frame, Odd()) is None
    assert packed(folding.fold(rows, Odd(), unblamed)) == [(b"k", codec.encode(4))]
