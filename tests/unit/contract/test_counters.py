"""Counters of user code: what may be counted, and how counts are added up."""

import pytest

from mapreduce import counters
from mapreduce.counters import MAX_NAMES, CounterError, Counters


def test_a_name_that_was_not_counted_yet_is_nought_and_stays_absent():
    counted = Counters()
    assert counted["skipped"] == 0
    counted["seen"] += 2
    counted["seen"] -= 5
    assert counted.checked() == {"seen": -3}


@pytest.mark.parametrize("name", [7, "", "x" * 101, "\ud800"])
def test_what_is_no_name_is_refused_where_it_is_counted(name):
    with pytest.raises(CounterError, match=r"a counter's name|the counter's name"):
        Counters()[name] += 1


def test_the_fifty_first_name_is_refused_where_it_is_counted():
    counted = Counters({f"n{number}": 1 for number in range(MAX_NAMES)})
    counted["n7"] += 1
    with pytest.raises(CounterError, match="at most 50 counters"):
        counted["more"] += 1


@pytest.mark.parametrize("value", [1.0, True, "1", 2**63])
def test_what_is_no_number_of_64_bits_is_refused_at_the_end(value):
    counted = Counters()
    counted["seen"] = value
    with pytest.raises(CounterError, match="the counter 'seen'"):
        counted.checked()


def test_a_sum_is_over_all_attempts_and_in_the_order_of_the_names():
    assert list(counters.add([{"b": 1}, {}, {"a": 2, "b": -4}]).items()) == [("a", 2), ("b", -3)]


def test_fifty_names_are_the_most_of_a_whole_job():
    with pytest.raises(CounterError, match="51 names"):
        counters.add([{f"{half}{number}": 1 for number in range(size)} for half, size in (("a", 25), ("b", 26))])
