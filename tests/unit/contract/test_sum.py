"""`Sum`: exact, and independent of how the values are divided among accumulators."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce import values

numbers = st.lists(st.one_of(st.integers(), st.floats(width=64), st.booleans()), min_size=1, max_size=30)


def fold(reducer, numbers):
    acc = reducer.start(numbers[0])
    for value in numbers[1:]:
        acc = reducer.add(acc, value)
    return acc


@given(numbers, st.data())
def test_the_sum_does_not_depend_on_where_the_values_were_divided(numbers, data):
    at = data.draw(st.integers(0, len(numbers)))
    reducer = mr.Sum()
    whole = reducer.finish(fold(reducer, numbers))
    parts = [values.decode(values.encode(fold(reducer, part))) for part in (numbers[:at], numbers[at:]) if part]
    acc = parts[0] if len(parts) == 1 else reducer.merge(*parts)
    assert repr(reducer.finish(acc)) == repr(whole)


@given(st.lists(st.integers(), min_size=1))
def test_integers_never_wrap(numbers):
    assert mr.Sum().finish(fold(mr.Sum(), numbers)) == sum(numbers)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300), min_size=1))
def test_floats_are_rounded_once(numbers):
    assert mr.Sum().finish(fold(mr.Sum(), numbers)) == float(sum(Fraction(value) for value in numbers))


def test_a_sum_that_overflows_on_the_way_but_not_in_the_end_is_exact():
    assert mr.Sum().finish(fold(mr.Sum(), [1e308, 1e308, -1e308, 1, 2.5])) == 1e308
    assert mr.Sum().finish(fold(mr.Sum(), [1.7e308, 1.7e308, -1.7e308, -1.7e308])) == 0.0


def test_infinities_of_both_signs_make_nan():
    assert mr.Sum().finish(fold(mr.Sum(), [math.inf, 1.0])) == math.inf
    assert math.isnan(mr.Sum().finish(fold(mr.Sum(), [math.inf, -math.inf])))


def test_what_is_no_number_is_refused():
    with pytest.raises(TypeError, match="Sum adds numbers, not str"):
        mr.Sum().start("1")
