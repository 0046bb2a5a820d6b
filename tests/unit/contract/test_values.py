"""The codec of values."""

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


@pytest.mark.parametrize("value", [object(), lambda: 1, 1j, {2**64: 1}])
def test_what_cannot_be_carried_is_refused_with_its_type(value):
    with pytest.raises(ValueEncodingError, match=type(value).__name__):
        values.encode(value)
