"""The codec of values."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from functools import partial
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import values
from mapreduce.errors import ValueEncodingError

plain = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.binary(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=3),
    ),
    max_leaves=10,
)


@given(plain)
def test_a_value_comes_back_with_integers_of_more_than_64_bits(value):
    assert values.decode(values.encode(value)) == value


def test_an_integer_that_could_not_be_written_out_is_refused():
    assert values.decode(values.encode([2**13_999])) == [2**13_999]
    for large in (2**14_000, [{"x": -(10**5000)}]):
        with pytest.raises(ValueEncodingError, match=r"bits is too large"):
            values.encode(large)
    with pytest.raises(ValueEncodingError):
        values.encode_all([1, 2**20_000])


def test_tuples_come_back_as_lists():
    assert values.decode(values.encode((1, ("a", 2**80)))) == [1, ["a", 2**80]]


def test_a_tuple_that_is_a_key_stays_one_beside_what_is_replaced_on_the_way():
    zoned = datetime(2020, 1, 2, tzinfo=UTC)
    text = "2020-01-02T00:00:00+00:00"
    given = [{("a", (1, 2)): 2**80}, {frozenset([1]): zoned}, {(zoned, 2): 3}]
    assert values.decode(values.encode(given)) == [{("a", (1, 2)): 2**80}, {(1,): text}, {(text, 2): 3}]


@dataclass
class Point:
    x: int


class Colour(Enum):
    RED = "red"


class Huge(Enum):
    ONE = 2**70


@pytest.mark.parametrize("value", [{2**64: 1}, {("a", -(2**64)): 1}, Point(2**64), {"a": [Point(2**64)]}, Huge.ONE])
def test_a_large_integer_where_none_can_be_carried_is_refused_in_words_that_say_so(value):
    with pytest.raises(ValueEncodingError, match=rf"{type(value).__name__} holds an integer of more than 64 bits"):
        values.encode(value)


@pytest.mark.parametrize("value", [object(), lambda: 1, 1j])
def test_what_cannot_be_carried_is_refused_with_its_type(value):
    with pytest.raises(ValueEncodingError, match=type(value).__name__):
        values.encode(value)


@pytest.mark.parametrize("value", [msgspec.msgpack.Ext(5, b"x"), msgspec.msgpack.Ext(-1, b"x"), msgspec.Raw(b"\xc1")])
def test_what_would_not_come_back_is_refused_where_it_is_given(value):
    for held in (value, [value], {"a": (1, value)}):
        with pytest.raises(ValueEncodingError, match="cannot be carried and read again"):
            values.encode(held)


def test_times_come_back_as_text_and_those_with_a_zone_in_utc():
    east = timezone(timedelta(hours=2))
    for year in (1950, 2020, 2600):
        time = datetime(year, 1, 2, 3, 4, 5, 6, tzinfo=east)
        text = f"{year}-01-02T01:04:05.000006+00:00"
        assert values.decode(values.encode(time)) == text
        assert values.decode(values.encode([{"at": (time, 2**80)}])) == [{"at": [text, 2**80]}]
    assert values.decode(values.encode(datetime(2020, 1, 2))) == "2020-01-02T00:00:00"  # noqa: DTZ001 - without a zone


ZONED = datetime(2020, 1, 2, tzinfo=UTC)
NUMBER = UUID(int=7)


@pytest.mark.parametrize(
    "value",
    [
        {NUMBER: 1, str(NUMBER): 2},
        {ZONED: 1, "2020-01-02T00:00:00+00:00": 2},
        {ZONED.replace(tzinfo=None): 1, "2020-01-02T00:00:00": 2},
        {(1, ZONED): 1, (1, "2020-01-02T00:00:00+00:00"): 2},
        {(1, 2): 2**80, frozenset([1, 2]): 2},
        {Colour.RED: 1, "red": 2},
        [{"a": ({b"x": 1, NUMBER: "a", str(NUMBER): "b"},)}],
        {str(number): number for number in range(20)} | {NUMBER: 1, str(NUMBER): 2},
    ],
)
def test_a_dictionary_whose_keys_become_equal_is_refused(value):
    with pytest.raises(ValueEncodingError, match=f"type {type(value).__name__} two keys of a dictionary become equal"):
        values.encode(value)


@given(st.dictionaries(st.one_of(st.text("ab", max_size=2), st.binary(max_size=2), st.integers(), st.floats()), plain))
def test_a_dictionary_whose_keys_stay_apart_is_taken(value):
    if all(type(key) is not int or -(2**63) <= key < 2**64 for key in value):
        assert len(values.decode(values.encode(value))) == len(value)


def test_a_dictionary_of_times_and_their_texts_is_taken():
    east = ZONED.astimezone(timezone(timedelta(hours=2)))
    assert values.decode(values.encode({ZONED: ZONED, "2020-01-02T02:00:00+02:00": east})) == {
        "2020-01-02T00:00:00+00:00": "2020-01-02T00:00:00+00:00",
        "2020-01-02T02:00:00+02:00": "2020-01-02T00:00:00+00:00",
    }


def within(calls, function):
    """Call a function within so many calls of this one."""
    return within(calls - 1, function) if calls else function()


def nested(depth, kind):
    value = 1
    for _ in range(depth):
        value = kind(value)
    return value


@pytest.mark.parametrize(
    "kind",
    [
        lambda value: [value],
        lambda value: {"k": value},
        lambda value: (0x9191, value),
        lambda value: [{"k": 1}, value],
    ],
    ids=["lists", "dictionaries", "tuples", "among others"],
)
@pytest.mark.parametrize("calls", [0, 300])
def test_a_value_may_be_256_deep_and_no_more_however_deep_its_caller_is(kind, calls):
    within(calls, lambda: values.encode(nested(255, kind)))
    for depth in (257, 700, 5000):
        with pytest.raises(ValueEncodingError, match="more than 256 lists or dictionaries are within each other"):
            within(calls, partial(values.encode, nested(depth, kind)))


def test_a_list_of_deep_values_is_carried_whatever_is_carried_with_it():
    deep = [nested(256, lambda inner: [inner])]
    assert values.encode_all([deep, 2**80]) == [*values.encode_all([deep]), values.encode(2**80)]


def test_a_value_of_very_many_lists_is_not_a_deep_one():
    given = [[{"k": [number]}] for number in range(1000)]
    assert values.decode(values.encode(given)) == given


def test_a_value_that_holds_itself_is_refused():
    given: list[object] = [1]
    given.append(given)
    with pytest.raises(ValueEncodingError, match="are within each other"):
        values.encode(given)
