"""Columns become the same text as their rows one by one, to the byte."""

import math
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import jsonl, keys, tsv, values
from mapreduce.errors import CorruptionError
from mapreduce_worker.engine import columns, render
from mapreduce_worker.engine.blocks import Block
from tests.support import budget

LINE = {"tsv": tsv.line, "jsonl": jsonl.line}
INTS = st.sampled_from([-(2**63), 2**63 - 1, 0, -1]) | st.integers(-(2**63), 2**63 - 1)
FLOATS = st.sampled_from([math.nan, 0.0, -0.0, math.inf, -math.inf, 1e16, 1e-7, 5e-324, 1e22, 0.1]) | st.floats()
TEXTS = st.text(alphabet='ab\t\n\r\\"\x00\x1f\x7f\x85\u2028äé\U0001f600', max_size=5) | st.text(max_size=4)
BYTES = st.binary(max_size=4)
SCALARS = [INTS, FLOATS, TEXTS, BYTES, st.booleans()]
OTHERS = st.none() | INTS | TEXTS | st.lists(FLOATS, max_size=2) | st.integers(2**64, 2**66)
LISTS = st.lists(TEXTS, max_size=4) | st.lists(TEXTS | st.none() | BYTES | st.lists(TEXTS, max_size=1), max_size=2)
TUPLES = st.tuples(TEXTS, st.tuples(INTS, FLOATS))


def text(made, style, key_type, *, own):
    return b"".join(render.pieces(made, style, key_type, own=own))


@st.composite
def rows(draw):
    key = draw(st.sampled_from([*SCALARS, TUPLES]))
    value = draw(st.sampled_from([*SCALARS, OTHERS, LISTS, st.dictionaries(TEXTS, BYTES, max_size=2)]))
    return draw(st.lists(st.tuples(key, value), min_size=1, max_size=8))


@budget.examples(150)
@given(rows(), st.sampled_from(["tsv", "jsonl"]))
def test_lines_of_columns_are_those_of_single_records(given, style):
    key_type = keys.type_of(given[0][0])
    encoded = [keys.encode(key) for key, _ in given]
    decode = keys.decoder(key_type)
    arrived = [(decode(keys.encode(key)), values.decode(values.encode(value))) for key, value in given]
    expected = b"".join(LINE[style](*pair) for pair in arrived)
    made = columns.of_lists(encoded, [value for _, value in given])
    assert text(made, style, key_type, own=True) == expected
    assert text(made.as_packed(), style, key_type, own=True) == expected
    for bound in ("_LARGE", "_LONG"):
        with mock.patch.object(render, bound, 0):
            assert text(made, style, key_type, own=True) == expected
    few = Block(encoded, [values.encode(value) for _, value in given])
    assert text(few, style, key_type, own=True) == expected
    pairs = columns.of_packed(encoded, [values.encode(pair) for pair in arrived])
    assert text(pairs, style, key_type, own=False) == expected


@pytest.mark.parametrize("style", ["tsv", "jsonl"])
def test_each_character_in_a_list_is_what_single_records_make_of_it(style):
    """All but halves of surrogate pairs, which no value holds; some thousands of lists, so that they come in pieces."""
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    lists = [["".join(map(chr, points[at : at + 512])), ""] for at in range(0, len(points), 512)]
    lists += [[chr(point)] for point in range(0x3000)]
    made = columns.of_lists([b"k"] * len(lists), lists)
    assert text(made, style, "str", own=True) == b"".join(LINE[style]("k", each) for each in lists)


@pytest.mark.parametrize(("key", "key_type"), [(b"\xff", "str"), (b"abc", "int"), (b"a", "")])
@pytest.mark.parametrize("style", ["tsv", "jsonl"])
def test_rows_whose_keys_are_none_are_damage(key, key_type, style):
    made = columns.of_lists([b"ab" * 4, key], [1, 2])
    with pytest.raises(CorruptionError, match="no records"):
        text(made, style, key_type, own=True)


def test_values_that_are_no_msgpack_are_damage():
    for made in (columns.of_packed([b"k"], [b"\xc1"]), Block([b"k"], [b"\xc1"])):
        for own in (True, False):
            with pytest.raises(CorruptionError, match="no records"):
                text(made, "tsv", "str", own=own)
