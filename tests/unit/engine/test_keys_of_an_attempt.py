"""Keys of one attempt: what a dictionary would mix up is kept apart or refused, at the record where it happens."""

import enum
import math
from typing import NamedTuple

import pytest

import mapreduce as mr
from mapreduce_worker.engine.failure import UserTaskError, describe
from tests.support.engine_runs import add, collect, emitter, run_pairs

REDUCERS = pytest.mark.parametrize(
    ("reduce", "combine"), [(mr.Sum(), None), (collect, None), (add, add)], ids=["fold", "group", "combine"]
)


class Colour(enum.StrEnum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int


class Text(str):
    __slots__ = ()


def run(keys, reduce, combine=None):
    return run_pairs(emitter(reduce, combine), [[(key, 1)] for key in keys], splits=1)


def refused(keys, reduce, combine):
    with pytest.raises(UserTaskError) as caught:
        run(keys, reduce, combine)
    return describe(caught.value)


@REDUCERS
@pytest.mark.parametrize(
    "keys",
    [
        (1, True),
        (True, 1),
        (1, 1.0),
        (1.0, 1),
        (False, 0.0),
        ("a", b"a"),
        (("a", 1), ("a", True)),
        (("a", 1), ("a", 1.0)),
        (("a", 1.0), ("a", 1)),
        ((1,), (1, 1)),
        (("a",), "a"),
        ((("a", 1), 1), (("a", True), 1)),
    ],
    ids=repr,
)
def test_a_mixture_is_refused_though_the_keys_may_be_equal(keys, reduce, combine):
    info = refused([keys[0], keys[0], keys[1]], reduce, combine)
    assert (info.kind, info.reason, info.where) == ("user", "MixedKeys", "record:2")
    assert "the first key, at record:0" in info.message


@REDUCERS
@pytest.mark.parametrize(
    "key",
    [
        None,
        ["a"],
        {"a"},
        Text("a"),
        Colour.RED,
        Point(1, 2),
        object(),
        2**63,
        -(2**63) - 1,
        "\ud800",
        ("a", None),
        ("\udcff",),
    ],
    ids=lambda key: ascii(key)[:20],
)
def test_a_key_that_has_no_order_is_refused_where_it_is_emitted(key, reduce, combine):
    good = "red" if isinstance(key, str) else ("a",) if isinstance(key, tuple) else 1
    alone = refused([key], reduce, combine)
    assert (alone.reason, alone.where) == ("UnsupportedKey", "record:0")
    later = refused([good, good, key], reduce, combine)
    assert later.reason in ("UnsupportedKey", "MixedKeys")
    assert later.where == "record:2"


@REDUCERS
def test_a_str_subclass_is_refused_though_an_equal_str_is_there(reduce, combine):
    assert refused(["a", "a", Text("a")], reduce, combine).reason == "UnsupportedKey"


def test_every_nan_is_one_key_that_sorts_last_and_zero_has_no_sign():
    result = run([float("nan"), -0.0, 0.0, -math.nan, math.inf], mr.Sum())
    assert [(str(key), count) for key, count in result] == [("0.0", 2), ("inf", 1), ("nan", 2)]
    pairs = run([(float("nan"), 1), (float("nan"), 1), (-0.0, 1), (0.0, 1)], mr.Sum())
    assert [(str(key[0]), count) for key, count in pairs] == [("0.0", 2), ("nan", 2)]


def test_values_of_one_nan_key_keep_their_order():
    job = emitter(collect)
    nan = float("nan")
    ((_, group),) = run_pairs(job, [[(nan, 1), (float("nan"), 2), (nan, 3)]], splits=1)
    assert group == [1, 2, 3]


def test_keys_of_two_maps_of_different_types_are_refused_by_both_places():
    with pytest.raises(mr.errors.MixedKeyError, match=r"there are str \(at record:0\) and int \(at record:1\)"):
        run_pairs(emitter(mr.Sum()), [[("a", 1)], [(1, 1)]], splits=2)
