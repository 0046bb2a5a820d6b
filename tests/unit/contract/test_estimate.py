"""How long something may still take is told from how it grew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce_page.estimate import SETTLED, WINDOW, Estimator
from tests.support import budget


def watched(*samples: tuple[float, float]) -> Estimator:
    """Return an estimator that has seen how much was done, and when."""
    estimator = Estimator()
    for now, done in samples:
        estimator.note(now, done)
    return estimator


def test_what_grows_evenly_is_done_when_it_is_done() -> None:
    assert watched((0, 0), (5, 10), (10, 20)).left(10, 100) == pytest.approx(40)


def test_at_first_nothing_is_known_and_at_the_end_nothing_is_left() -> None:
    estimator = watched((0, 0))
    assert estimator.left(60, 10) is None
    estimator.note(60, 10)
    assert estimator.left(60, 10) == 0
    assert watched((0, 0), (SETTLED / 2, 5)).left(SETTLED / 2, 10) is None
    assert Estimator().left(0, 10) is None


def test_who_comes_later_counts_from_there() -> None:
    assert watched((100, 50), (110, 60)).left(110, 100) == pytest.approx(40)


def test_a_change_of_speed_is_seen_within_the_window() -> None:
    quick = [(float(at), at * 10.0) for at in range(31)]
    slow = [(30.0 + at, 300.0 + at) for at in range(1, 121)]
    assert watched(*quick, *slow).left(150, 600) == pytest.approx(180, rel=0.05)


def test_a_long_time_is_told_as_well_as_a_short_one() -> None:
    assert watched(*((float(at), float(at)) for at in range(5000))).left(4999, 10_000) == pytest.approx(5001)


def test_few_long_tasks_do_not_seem_to_stand_still_between_two_ends() -> None:
    estimator = watched((0, 0), (300, 2), (600, 4))
    assert estimator.left(600 + WINDOW * 3, 8) == pytest.approx(690, rel=0.2)


def test_what_stands_still_for_long_is_said_to_be_unknown() -> None:
    assert watched((0, 0), (10, 5)).left(60, 10) is None


def test_what_was_lost_is_left_again_and_is_no_speed() -> None:
    assert watched((0, 0), (5, 10), (10, 5), (20, 15)).left(20, 20) == pytest.approx(5 * 20 / 20)


@budget.examples(200)
@given(st.lists(st.tuples(st.floats(0, 50), st.floats(-20, 50)), max_size=400), st.floats(0, 1000))
def test_it_never_says_less_than_nothing(steps: list[tuple[float, float]], total: float) -> None:
    estimator, now, done = Estimator(), 0.0, 0.0
    for pause, more in steps:
        now, done = now + pause, max(0.0, done + more)
        estimator.note(now, done)
        left = estimator.left(now, total)
        assert left is None or left >= 0
