"""Keys are encoded as columns to the bytes that the contract gives to each."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import keys
from mapreduce.errors import UserError
from mapreduce_worker.engine import key_columns
from tests.support import budget

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6)
NATIVE = st.sampled_from([("str", TEXT), ("bytes", st.binary(max_size=4)), ("bool", st.booleans()), ("int", INT64)])
ANY = st.sampled_from(
    [
        ("float", st.floats(allow_nan=False)),
        ("tuple[str,int]", st.tuples(TEXT, INT64)),
        ("tuple[float,tuple[bool,bytes]]", st.tuples(st.just(1.5), st.tuples(st.booleans(), st.binary(max_size=2)))),
    ]
)
GOLDEN: dict[str, list[tuple[Any, str]]] = {
    "str": [("", ""), ("a\x00", "6100"), ("ä", "c3a4")],
    "bytes": [(b"\xff\x00", "ff00")],
    "bool": [(False, "00"), (True, "01")],
    "int": [(-(2**63), "00" * 8), (-1, "7f" + "ff" * 7), (0, "80" + "00" * 7), (2**63 - 1, "ff" * 8)],
}


@pytest.mark.parametrize("key_type", GOLDEN)
def test_encoded_columns_are_what_they_always_were(key_type):
    objects, wanted = [key for key, _ in GOLDEN[key_type]], [bytes.fromhex(text) for _, text in GOLDEN[key_type]]
    column = key_columns.native(pl.Series("key", objects, dtype=key_columns.NATIVE[key_type]))
    assert column is not None
    assert key_columns.encode(column).to_list() == wanted == [keys.encode(key) for key in objects]


@budget.examples(80)
@given(NATIVE.flatmap(lambda kind: st.tuples(st.just(kind[0]), st.lists(kind[1], max_size=6))))
def test_a_column_is_encoded_and_decoded_as_the_contract_does_it(drawn):
    key_type, objects = drawn
    column = pl.Series("key", objects, dtype=key_columns.NATIVE[key_type])
    encoded = key_columns.encode(column)
    assert encoded.to_list() == [keys.encode(key) for key in objects]
    assert key_columns.type_of(column) == key_type
    assert key_columns.decode(encoded, key_type).to_list() == objects


@budget.examples(40)
@given(ANY.flatmap(lambda kind: st.tuples(st.just(kind[0]), st.lists(kind[1], min_size=1, max_size=6))))
def test_other_keys_come_back_as_they_were(drawn):
    key_type, objects = drawn
    encoded = pl.Series("key", [keys.encode(key) for key in objects], dtype=pl.Binary)
    assert key_columns.objects(key_columns.decode(encoded, key_type)) == objects


@pytest.mark.parametrize("kind", [pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32])
def test_smaller_integers_are_keys_of_64_bits(kind):
    column = key_columns.native(pl.Series("key", [0, 1, 100], dtype=kind))
    assert column is not None
    assert key_columns.encode(column).to_list() == [keys.encode(key) for key in (0, 1, 100)]


@pytest.mark.parametrize("objects", [[1, "a"], [1, 1.0], [True, 1], [[1]], [{}], [(1,), (1, 2)], [()], [2**63]])
def test_what_no_column_holds_is_refused(objects):
    with pytest.raises(UserError):
        key_columns.series_of("value", objects)
