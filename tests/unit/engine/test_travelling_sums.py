"""The accumulator of a sum, as it travels, depends on the values alone and not on how they were divided."""

import math
from functools import reduce

from hypothesis import example, given
from hypothesis import strategies as st

import mapreduce as mr

SUM = mr.Sum()
NUMBERS = st.lists(
    st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([1e308, -1e308, 5e-324, 2**53 + 1]), min_size=1
)


def summed(numbers):
    return reduce(SUM.add, numbers[1:], SUM.start(numbers[0]))


@given(NUMBERS, st.data())
@example([2**53, 10, 0.5], None)
@example([1e308, 1e308, -1e308], None)
@example([-0.0], None)
def test_any_division_gives_the_same_accumulator_and_the_same_result(numbers, data):
    whole = summed(numbers)
    cut = data.draw(st.integers(1, len(numbers))) if data else 1
    pieces = [SUM.canonical(summed(piece)) for piece in (numbers[:cut], numbers[cut:]) if piece]
    divided = reduce(SUM.merge, pieces)
    assert repr(SUM.canonical(divided)) == repr(SUM.canonical(whole))
    assert repr(SUM.finish(SUM.canonical(whole))) == repr(SUM.finish(whole))
    assert repr(SUM.finish(divided)) == repr(SUM.finish(whole))


def test_accumulators_are_short():
    assert SUM.canonical(7) == 7
    assert SUM.canonical([0, 0.5]) == [0, 0.5]
    assert SUM.canonical([3, 0.5]) == [0, 3.5]
    assert SUM.canonical([0, 0.0]) == [0]
    assert SUM.canonical([5, math.inf, math.inf, 1.0]) == [0, math.inf]
    assert repr(SUM.canonical([5, math.inf, -math.inf])) == "[0, nan]"
