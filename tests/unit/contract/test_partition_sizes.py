"""The sizes of partitions, as a map output tells them in two bytes each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import partition_sizes
from tests.support import budget


@budget.examples(100)
@given(st.lists(st.integers(0, 1 << 41), max_size=5))
def test_a_size_is_told_exactly_or_at_most_a_thousandth_too_large(sizes):
    packed = partition_sizes.pack(sizes)
    assert len(packed) == 2 * len(sizes)
    for size, told in zip(sizes, partition_sizes.unpack(packed), strict=True):
        assert size <= told <= size + size / 1000
        assert told == size or size >= 2048


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 4094, 4095, 4096, (1 << 20) - 1, 1 << 20, 2047 << 31])
def test_a_size_at_an_edge_is_never_told_too_small(size):
    (told,) = partition_sizes.unpack(partition_sizes.pack([size]))
    assert size <= told <= size + size // 1000 + 1


def test_more_than_can_be_told_is_told_as_the_most():
    assert partition_sizes.unpack(partition_sizes.pack([1 << 60])) == [2047 << 31]


def test_half_a_size_is_left_out():
    assert partition_sizes.unpack(partition_sizes.pack([5, 6])[:3]) == [5]
