"""Where ranges of keys begin, by what maps tell of their keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import boundaries
from mapreduce.boundaries import ALL, NONE, KeyRange, choose, range_of

samples = st.lists(
    st.tuples(st.integers(0, 1000), st.lists(st.binary(max_size=2), max_size=8).map(lambda keys: tuple(sorted(keys)))),
    max_size=6,
)


@given(samples, st.integers(1, 12), st.lists(st.binary(max_size=3)))
def test_every_key_is_in_one_range_and_ranges_grow(told, partitions, keys):
    chosen = choose(told, partitions)
    assert len(chosen) < partitions
    assert list(chosen) == sorted(set(chosen))
    ranges = [range_of(chosen, number) for number in range(partitions)]
    for key in [*keys, *chosen, b""]:
        homes = [at for at, each in enumerate(ranges) if key >= each.low and (each.high is None or key < each.high)]
        assert len(homes) == 1
    known = {key for _, some in told for key in some}
    assert not known or all(any(key < first for key in known) for first in chosen)


@given(samples, st.integers(1, 12), st.randoms())
def test_the_order_in_which_maps_are_told_does_not_matter(told, partitions, chance):
    shuffled = list(told)
    chance.shuffle(shuffled)
    assert choose(shuffled, partitions) == choose(told, partitions)


def test_ranges_hold_about_equally_many_rows_and_a_map_counts_by_its_rows():
    keys = tuple(b"%03d" % number for number in range(100))
    assert choose([(1000, keys)], 4) == (b"025", b"050", b"075")
    assert choose([(10, (b"a", b"b")), (1000, (b"m", b"n", b"o", b"p"))], 4) == (b"n", b"o", b"p")


def test_a_key_with_very_many_rows_has_a_range_of_its_own():
    keys = (b"a", b"b", *[b"k"] * 12, b"x", b"y")
    assert choose([(1600, keys)], 4) == (b"k", b"x")
    assert choose([(1600, (b"k",) * 8)], 4) == ()


def test_nothing_told_is_one_range_and_empty_ones():
    assert choose([], 3) == choose([(0, ()), (5, ())], 3) == ()
    assert [range_of((), number) for number in range(3)] == [ALL, NONE, NONE]
    assert range_of((b"m",), 1) == KeyRange(b"m", None)


@pytest.mark.parametrize("maps", [1, 3, 32, 1000, 2500, 2501, 200_000])
@pytest.mark.parametrize("partitions", [1, 8, 10_000])
def test_a_job_tells_enough_keys_and_not_too_many(maps, partitions):
    asked = [boundaries.samples(maps, partitions, index) for index in range(maps)]
    assert max(asked) <= boundaries.MOST_OF_MAP
    assert min(boundaries.LEAST, boundaries.MOST_OF_MAP * maps) <= sum(asked) <= boundaries.MOST + maps
    assert asked[0] >= boundaries.LEAST_OF_MAP
