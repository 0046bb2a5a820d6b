"""Rows as columns: values keep their types, and what has no column of its own is packed."""

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import values
from mapreduce.errors import ValueEncodingError
from mapreduce_worker.engine import columns
from tests.support import budget

KEYS = [b"b", b"a", b"c"]


@pytest.mark.parametrize(
    "objects",
    [
        [-(2**63), 0, 2**63 - 1],
        [1.5, -0.0, float("inf")],
        ["", "a", "\U0001f600"],
        [b"", b"\xff", b"a"],
        [True, False, True],
    ],
)
def test_values_of_one_type_have_a_column_of_it(objects):
    rows = columns.of_lists(KEYS, objects)
    assert not rows.packed
    assert list(map(repr, rows.unpacked())) == list(map(repr, objects))
    assert rows.as_packed().packed
    assert list(map(repr, rows.as_packed().unpacked())) == list(map(repr, objects))


@pytest.mark.parametrize(
    "objects",
    [
        [True, 1, 0],
        [1, 1.0, 2],
        [2**63, 0, 0],
        [-(2**70), 0, 0],
        [0, 2**128, 0],
        [-(10**400), 0, 0],
        ["a", b"a", ""],
        [[1], [2], []],
        [None] * 3,
    ],
)
def test_values_of_several_types_are_packed(objects):
    rows = columns.of_lists(KEYS, objects)
    assert rows.packed
    assert list(map(repr, rows.unpacked())) == list(map(repr, objects))


def test_half_a_surrogate_pair_is_refused_in_the_words_of_values():
    with pytest.raises(
        ValueEncodingError,
        match=r"a value of type str holds an unpaired surrogate \('.ud800'\), which has no UTF-8 form; decode",
    ):
        columns.of_lists(KEYS, ["a", "\ud800", "b"])


def test_rows_of_different_types_are_joined_as_packed_ones():
    mixed = columns.joined([columns.of_lists(KEYS, [1, 2, 3]), columns.of_lists(KEYS, ["x", "y", "z"])])
    assert mixed.packed
    assert mixed.unpacked() == [1, 2, 3, "x", "y", "z"]


def test_packed_rows_among_more_of_one_type_get_its_column():
    typed = columns.of_lists(KEYS, ["x", "y", "z"])
    same = columns.of_packed(KEYS[:2], [values.encode("v"), values.encode("w")])
    other = columns.of_packed(KEYS[:2], [values.encode("v"), values.encode(1)])
    assert not columns.joined([same, typed]).packed
    assert columns.joined([same, typed]).unpacked() == ["v", "w", "x", "y", "z"]
    assert columns.joined([typed, other]).packed
    assert columns.joined([typed, other]).unpacked() == ["x", "y", "z", "v", 1]
    assert columns.joined([typed, same, same]).packed


@budget.examples(60)
@given(
    st.binary(max_size=9),
    st.lists(st.binary(min_size=8, max_size=8) | st.binary(max_size=10) | st.sampled_from([b"12345678a", b"12345678b"]))
    | st.lists(st.sampled_from([b"", b"\0", b"\0\0", b"a", b"a\0", b"a\0\0", b"b", b"\xff" * 8])),
)
def test_keys_that_are_sorted_as_numbers_are_in_the_order_of_bytes(begin, ends):
    keys = [begin + end for end in ends] or [begin]
    rows = columns.of_lists(keys, list(range(len(keys))))
    with mock.patch.object(columns, "BY_NUMBERS", 1):
        found = columns.in_order(rows)
    expected = sorted(range(len(keys)), key=keys.__getitem__)
    assert found.values == expected
    assert found.keys == [keys[at] for at in expected]


@budget.examples(20)
@given(
    st.lists(st.tuples(st.binary(max_size=3), st.integers(0, 4)), min_size=1),
    st.integers(1, 5),
    st.sampled_from([0, 99]),
)
def test_rows_are_divided_and_sorted_and_equal_keys_stay_in_order(rows, count, least):
    keys, numbers = [key for key, _ in rows], [number % count for _, number in rows]
    given = columns.partitions([numbers[:1], columns.partitions([numbers[1:]])])
    parts = list(columns.divided(columns.of_lists(keys, list(range(len(rows)))), given, count, least))
    expected = [
        sorted((key, at) for at, (key, number) in enumerate(zip(keys, numbers, strict=True)) if number == wanted)
        for wanted in range(count)
    ]
    assert [list(zip(part.keys, part.values, strict=True)) for part in parts] == expected


@budget.examples(40)
@given(
    st.lists(st.tuples(st.binary(max_size=9), st.integers(0, 4)), min_size=1),
    st.integers(1, 5),
    st.sampled_from([0, 99]),
    st.sampled_from([1, 2]),
    st.sampled_from([b"v", b"v" * 64, b"v" * 65]),
)
def test_rows_that_are_known_to_have_one_value_keep_it_wherever_they_go(rows, count, least, few, value):
    keys, numbers = [key for key, _ in rows], [number % count for _, number in rows]
    given = columns.joined([columns.of_one(keys[:1], value), columns.of_one(keys[1:], value)])
    if given.one is not None:
        assert given.size() == sum(map(len, keys)) + len(keys) * len(value)
    with mock.patch.object(columns, "BY_NUMBERS", 1), mock.patch.object(columns, "_FEW", few):
        parts = list(columns.divided(given, columns.partitions([numbers]), count, least))
    for wanted, part in enumerate(parts):
        assert part.keys == sorted(key for key, number in zip(keys, numbers, strict=True) if number == wanted)
        assert part.values == [value] * part.count
    for part in [given, given.cut(0, 1), *parts]:
        assert part.one == (value if len(value) <= columns.SHORT else None)
    assert columns.joined([given, columns.of_one(keys, b"w")]).one is None


@budget.examples(20)
@given(st.lists(st.text(max_size=5), min_size=1), st.integers(1, 4), st.integers(1, 20))
def test_a_piece_ends_where_it_has_enough_rows_or_bytes(texts, most_rows, most_bytes):
    rows = columns.of_lists([b"k"] * len(texts), texts)
    pieces = list(columns.pieces(rows, most_rows, most_bytes))
    assert [text for piece in pieces for text in piece.values] == texts
    assert rows.size() == sum(1 + len(text.encode()) for text in texts)
    for piece in pieces:
        assert piece.count == 1 or piece.cut(0, piece.count - 1).size() < most_bytes
        assert piece.count <= most_rows
    for piece in pieces[:-1]:
        assert piece.count == most_rows or piece.size() >= most_bytes
