"""`make chaos` says how much memory the operator gains in an hour, and how far that may be chance."""

import random

import pytest

from bench.memory import Slope, slope

MOMENTS = [10.0 * number for number in range(90)]


def growing(rate, base=60.0, noise=None):
    """Return samples that grow by so many MiB an hour."""
    rest = noise or [0.0] * len(MOMENTS)
    return [(moment, base + rate * moment / 3600 + more) for moment, more in zip(MOMENTS, rest, strict=True)]


def wandering(seed):
    """Return what is left of samples each of which is much like the one before it."""
    chance, last, rest = random.Random(seed), 0.0, []
    for _ in MOMENTS:
        last = 0.9 * last + chance.gauss(0, 0.1)
        rest.append(last)
    return rest


def found(points):
    """Return the slope of one process, which has enough samples."""
    told = slope([points])
    assert told is not None
    return told


def test_steady_growth_is_found_exactly():
    assert found(growing(12)) == pytest.approx((12, 0), abs=1e-6)


def test_the_level_of_a_process_says_nothing():
    assert slope([growing(0, base=50), growing(0, base=90)]) == Slope(0, 0)


def test_too_few_samples_have_no_slope():
    assert slope([]) is None
    assert slope([[(0.0, 60.0)], [(10.0, 61.0)]]) is None
    assert slope([[(0.0, 60.0), (10.0, 61.0)]]) is None


def test_what_wanders_by_chance_lies_mostly_within_the_error_and_growth_outside():
    flat = [found(growing(0, noise=wandering(seed))) for seed in range(100)]
    assert sum(abs(one.value) < one.error for one in flat) >= 80
    leaks = [found(growing(20, noise=wandering(seed))) for seed in range(100)]
    assert sum(one.value > one.error for one in leaks) == 100
