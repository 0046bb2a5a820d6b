"""The built-in reducers beside Sum: equal to a naive computation, however the values are divided."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce import values
from mapreduce.ordering import rank

numbers = st.integers() | st.floats() | st.booleans()
nested = st.recursive(
    st.none() | numbers | st.text() | st.binary(), lambda inner: st.lists(inner, max_size=3), max_leaves=4
)
of_one_kind = st.one_of(
    *(st.lists(kind, min_size=1, max_size=12) for kind in (numbers, st.text(), st.binary(), st.none())),
    st.lists(st.lists(nested, max_size=3), min_size=1, max_size=12),
)


def distinct(given):
    found: dict[bytes, object] = {}
    for item in given:
        found.setdefault(values.encode(item), item)
    return list(found.values())


naive = {
    "Min": (mr.Min(), lambda given: min(given, key=rank)),
    "Max": (mr.Max(), lambda given: max(given, key=rank)),
    "Top": (mr.Top(3), lambda given: sorted(given, key=rank, reverse=True)[:3]),
    "Top1": (mr.Top(1), lambda given: [max(given, key=rank)]),
    "First": (mr.First(), lambda given: given[0]),
    "Count": (mr.Count(), len),
    "Unique": (mr.Unique(), distinct),
}


def divided(data, reducer, items):
    """Fold the values in pieces, carry and merge the accumulators in some grouping that keeps their order."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(items)), max_size=4)))
    pieces = [items[start:end] for start, end in zip([0, *cuts], [*cuts, len(items)], strict=True)]
    accs = [fold(reducer, piece) for piece in pieces if piece]
    while len(accs) > 1:
        at = data.draw(st.integers(0, len(accs) - 2))
        left, right = (carried(reducer.canonical(acc)) for acc in accs[at : at + 2])
        accs[at : at + 2] = [reducer.merge(left, right)]
    return reducer.canonical(accs[0])


def fold(reducer, items):
    acc = reducer.start(items[0])
    for item in items[1:]:
        acc = reducer.add(acc, item)
    return acc


def carried(value):
    return values.decode(values.encode(value))


@pytest.mark.parametrize("name", naive)
@given(of_one_kind, st.data())
def test_any_division_gives_what_the_naive_computation_gives(name, items, data):
    reducer, expected = naive[name]
    acc = divided(data, reducer, items)
    assert repr(carried(acc)) == repr(carried(reducer.canonical(fold(reducer, items))))
    assert repr(carried(reducer.finish(acc))) == repr(carried(expected(items)))
    ((_, result),) = reducer("k", iter(items))
    assert repr(carried(result)) == repr(carried(expected(items)))


@given(st.lists(numbers, min_size=1, max_size=12), st.data())
def test_a_mean_does_not_depend_on_the_division(items, data):
    reducer = mr.Mean()
    acc = divided(data, reducer, items)
    assert repr(acc) == repr(reducer.canonical(fold(reducer, items)))
    assert repr(reducer.finish(acc)) == repr(reducer.finish(fold(reducer, items)))


@given(st.lists(st.integers() | st.floats(-1e300, 1e300), min_size=1, max_size=12))
def test_a_mean_is_exact_and_rounded_once(items):
    ((_, mean),) = mr.Mean()("k", items)
    exact = sum(map(Fraction, items), Fraction(0)) / len(items)
    assert type(mean) is float
    assert mean == (float(exact) if abs(exact) < 2**1023 else math.copysign(math.inf, exact))


def test_the_mean_of_what_has_none_is_what_the_sum_says():
    assert math.isnan(mr.Mean().finish(fold(mr.Mean(), [1, math.nan])))
    assert mr.Mean().finish(fold(mr.Mean(), [1, -math.inf])) == -math.inf
    assert mr.Mean().finish(fold(mr.Mean(), [10**400, 2 * 10**400])) == math.inf
    assert mr.Mean().finish(fold(mr.Mean(), [1.7e308, 1.7e308])) == 1.7e308


def test_nan_sorts_last():
    items = [math.nan, 2, math.inf]
    assert math.isnan(mr.Max().finish(fold(mr.Max(), items)))
    assert mr.Min().finish(fold(mr.Min(), items)) == 2
    assert repr(mr.Top(2).finish(fold(mr.Top(2), items))) == "[nan, inf]"


def test_of_equal_values_the_first_is_kept():
    assert repr(fold(mr.Max(), [1, True, 1.0])) == "1"
    assert repr(fold(mr.Min(), [0.0, -0.0, 0])) == "0.0"
    assert repr(fold(mr.Top(2), [True, 1.0, 1])) == "[True, 1.0]"


@pytest.mark.parametrize("reducer", [mr.Min(), mr.Max(), mr.Top(2)])
@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([1, "a"], "compares values of one kind, not a number and str: 1 and 'a'"),
        (["a", None], "not str and None"),
        ([{}], r"a dict has no order: \{\}"),
        ([[1, {}]], "a dict has no order"),
    ],
)
def test_what_cannot_be_compared_is_refused(reducer, items, says):
    with pytest.raises(TypeError, match=says):
        fold(reducer, items)


def test_inside_lists_kinds_may_meet():
    assert fold(mr.Max(), [[1, None], [1, "a"], [1, 2]]) == [1, "a"]


def test_what_is_no_number_has_no_mean():
    with pytest.raises(TypeError, match="Mean takes numbers, not str: '1'"):
        mr.Mean().start("1")


@pytest.mark.parametrize("n", [0, -1, 2.0, True, None])
def test_top_keeps_at_least_one(n):
    with pytest.raises(ValueError, match="1 or more"):
        mr.Top(n)


def test_unique_keeps_the_first_of_each_and_tells_types_apart():
    items = [1, "a", 1.0, True, 1, "a", [1], [1], float("nan"), float("nan")]
    ((_, found),) = mr.Unique()("k", iter(items))
    assert repr(found) == "[1, 'a', 1.0, True, [1], nan]"


@given(st.lists(nested))
def test_collect_keeps_all_in_order(items):
    assert list(mr.Collect()("k", iter(items))) == [("k", items)]


@pytest.mark.parametrize("reducer", [mr.First(), mr.Min(), mr.Top(2), mr.Unique()])
def test_a_value_that_user_code_changes_later_is_not_changed(reducer):
    item = ["a", "b"]
    acc = reducer.start(item)
    item[0] = "z"
    assert reducer.finish(acc) in (["a", "b"], [["a", "b"]])


def test_long_values_weigh_what_they_are_long():
    assert mr.First().weigh("x" * 1000) == 1000
    assert mr.Max().weigh(7) == 0
    assert mr.Top(2).weigh(["x" * 1000, b"y" * 500]) >= 1500
    assert mr.Min().weigh(["x" * 1000]) >= 1000
    assert mr.Unique().weigh(mr.Unique().start("x" * 1000)) >= 1000
