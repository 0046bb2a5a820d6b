"""How fast a phase goes, and how long its attempts take."""

from hypothesis import given
from hypothesis import strategies as st

from mapreduce_page.pace import Done, Durations, Pace, Rates
from mapreduce_page.totals import POINTS, Series


def test_the_rate_is_that_of_the_last_half_minute():
    pace = Pace()
    for second in range(101):
        pace.note(Done(second, tasks=min(60, second), records=10 * second))
    assert pace.now(100.0) == Rates(tasks=0.0, records=10.0)
    assert pace.now(130.0) == Rates()
    assert pace.overall() == Rates(tasks=0.6, records=10.0)


def test_in_the_first_half_minute_it_is_that_since_the_beginning():
    pace = Pace()
    assert pace.now(5.0) == Rates()
    pace.note(Done(10.0))
    pace.note(Done(12.0, size=100))
    assert pace.now(14.0).size == 25.0


@given(st.lists(st.integers(0, (1 << 31) - 1), min_size=1), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_right_to_one_hundredth(numbers, share):
    durations = Durations()
    for number in numbers:
        durations.add(number)
    exact = sorted(numbers)[max(1, round(len(numbers) * share)) - 1]
    assert abs(durations.quantile(share) - exact) <= exact / 100 + 1
    assert durations.longest == max(numbers)


def test_a_series_keeps_few_points_over_all_of_the_time_and_always_the_newest():
    series = Series()
    for moment in range(100_000):
        series.note(moment * 100, moment, 2 * moment, moment)
    told = series.told()
    assert POINTS // 3 < len(told.at) <= POINTS
    assert (told.at[0], told.at[-1], told.size[-1]) == (0, 9_999_900, 199_998)
    apart = [later - earlier for earlier, later in zip(told.at, told.at[1:], strict=False)]
    assert max(apart) <= 2 * sorted(apart)[len(apart) // 2]
