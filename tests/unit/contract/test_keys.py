"""The encoding of keys: golden vectors, order, and what is refused."""

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import keys
from mapreduce.errors import UnsupportedKeyError
from mapreduce.partitioning import partition

NAN = math.nan

# (key, its type, its encoding, its partition of eight): fixed for ever, since stored map outputs
# and every reader in another language rely on them.
GOLDEN = [
    ("", "str", "", 2),
    ("a", "str", "61", 7),
    ("word", "str", "776f7264", 5),
    ("naïve", "str", "6e61c3af7665", 0),
    ("日本", "str", "e697a5e69cac", 0),
    (b"\0\xff", "bytes", "00ff", 3),
    (True, "bool", "01", 3),
    (False, "bool", "00", 3),
    (0, "int", "8000000000000000", 6),
    (-1, "int", "7fffffffffffffff", 1),
    (2**63 - 1, "int", "ffffffffffffffff", 3),
    (-(2**63), "int", "0000000000000000", 1),
    (0.0, "float", "8000000000000000", 6),
    (-0.0, "float", "8000000000000000", 6),
    (-1.5, "float", "4007ffffffffffff", 4),
    (math.inf, "float", "fff0000000000000", 5),
    (NAN, "float", "fff8000000000000", 4),
    (("a", 1), "tuple[str,int]", "6100008000000000000001", 5),
    (("a\0b", b"x"), "tuple[str,bytes]", "6100ff620000780000", 1),
    ((("x",), 2.5), "tuple[tuple[str],float]", "780000c004000000000000", 7),
]

texts = st.text(st.characters(exclude_categories=["Cs"]))
ints = st.integers(keys.INT_MIN, keys.INT_MAX)
floats = st.floats(allow_nan=False)
SAME_TYPE_PAIRS = st.one_of(
    *(
        st.tuples(one, one)
        for one in (
            texts,
            st.binary(),
            st.booleans(),
            ints,
            floats,
            st.tuples(texts, ints),
            st.tuples(st.binary(), texts, floats),
            st.tuples(st.tuples(texts, st.booleans()), texts),
        )
    )
)


@pytest.mark.parametrize(("key", "key_type", "encoding", "of_eight"), GOLDEN)
def test_each_golden_key_has_its_type_its_encoding_and_its_partition(key, key_type, encoding, of_eight):
    encoded = keys.encode(key)
    assert (keys.type_of(key), encoded.hex(), partition(encoded, 8)) == (key_type, encoding, of_eight)


@given(SAME_TYPE_PAIRS)
def test_encoded_keys_compare_as_the_keys_do(pair):
    left, right = pair
    assert (keys.encode(left) < keys.encode(right)) == (left < right)
    assert (keys.encode(left) == keys.encode(right)) == (left == right)


@given(SAME_TYPE_PAIRS)
def test_a_key_comes_back_with_its_value_and_its_type(pair):
    for key in pair:
        back = keys.decode(keys.encode(key), keys.type_of(key))
        assert back == key
        assert keys.type_of(back) == keys.type_of(key)


def test_nan_is_one_key_that_sorts_after_infinity_and_minus_zero_is_zero():
    odd_nan = -NAN
    assert keys.encode(NAN) == keys.encode(odd_nan) > keys.encode(math.inf)
    assert math.copysign(1, keys.decode(keys.encode(-0.0), "float")) == 1


@pytest.mark.parametrize(
    "key", [None, 2**63, -(2**63) - 1, [1], {"a"}, 1j, ("a", None), "\ud800", type("Word", (str,), {})("x")]
)
def test_what_has_no_place_in_the_order_is_refused_with_a_hint(key):
    with pytest.raises(UnsupportedKeyError, match="key"):
        keys.encode(key)


def nested(depth, innermost="x"):
    key = innermost
    for _ in range(depth):
        key = (key,)
    return key


def within(calls, function):
    """Call a function within so many calls of this one."""
    return within(calls - 1, function) if calls else function()


@pytest.mark.parametrize("calls", [0, 300])
def test_tuples_may_be_256_deep_as_values_may_and_no_more_however_deep_the_caller_is(calls):
    key = nested(256)
    for typed in (str, keys.descending):
        key_type = typed(keys.type_of(key))
        assert within(calls, lambda name=key_type: keys.decode(keys.encode(key, name), name)) == key
    for depth in (257, 330, 5000):
        with pytest.raises(UnsupportedKeyError, match="in a key more than 256 tuples are within each other; yield"):
            within(calls, partial(keys.encode, nested(depth)))


def test_what_is_no_key_is_told_however_deep_it_is():
    given: list[object] = []
    for _ in range(5000):
        given = [given]
    with pytest.raises(UnsupportedKeyError, match="not list: a list of very many within each other"):
        keys.encode(given)


def test_true_one_and_one_point_zero_are_three_types():
    assert [keys.type_of(key) for key in (True, 1, 1.0)] == ["bool", "int", "float"]
    with pytest.raises(UnsupportedKeyError, match="is bool, not int"):
        keys.encode(True, "int")


def test_text_that_is_no_key_type_is_refused():
    with pytest.raises(ValueError, match="not a key type"):
        keys.decoder("complex")(b"")


@given(SAME_TYPE_PAIRS)
def test_the_first_element_of_a_tuple_is_found_in_its_encoding(pair):
    first, second = pair
    for key in ((first, second), (first,), (first, ("x", 1)), ((first, 2), b"\0")):
        encoded = keys.encode(key)
        assert keys.first_of(encoded, keys.type_of(key)) == keys.encode(key[0])


def descending(key):
    return keys.encode(key, keys.descending(keys.type_of(key)))


@given(SAME_TYPE_PAIRS)
def test_descending_keys_compare_the_other_way_round_and_come_back(pair):
    left, right = pair
    assert (descending(left) > descending(right)) == (left < right)
    assert (descending(left) == descending(right)) == (left == right)
    key_type = keys.descending(keys.type_of(left))
    assert keys.decode(descending(left), key_type) == left
    assert keys.plain(key_type) == keys.type_of(left)


@given(SAME_TYPE_PAIRS, SAME_TYPE_PAIRS, st.booleans(), st.booleans())
def test_elements_of_a_tuple_may_stand_in_different_orders(keys_, values_, keys_descend, values_descend):
    def type_of(key, descend):
        return keys.descending(keys.type_of(key)) if descend else keys.type_of(key)

    whole = f"tuple[{type_of(keys_[0], keys_descend)},{type_of(values_[0], values_descend)}]"
    encode = keys.encoder(whole)
    for key in keys_:
        for value in values_:
            encoded = encode((key, value))
            assert keys.decode(encoded, whole) == (key, value)
            assert keys.first_of(encoded, whole) == keys.encode(key, type_of(key, keys_descend))
            first = keys.first_in(encoded, whole)
            assert encoded.startswith(first)
            for other in keys_:
                assert encode((other, value)).startswith(first) == (other == key)
    if keys_[0] < keys_[1]:
        assert (encode((keys_[0], values_[0])) > encode((keys_[1], values_[0]))) == keys_descend


def test_the_descending_encoding_is_fixed():
    assert [descending(key).hex() for key in ("a", b"", 0, True, ("a", 1))] == [
        "9effff",
        "ffff",
        "7fffffffffffffff",
        "fe",
        "9effff7ffffffffffffffe",
    ]
