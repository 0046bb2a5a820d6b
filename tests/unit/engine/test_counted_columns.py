"""Columns of keys are counted exactly, however long texts are, in whatever pieces a column is, and by either way."""

from collections import Counter
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce_worker.engine import batch_sums, inlined, native
from tests.support import budget

TEXT = st.one_of(st.text(alphabet="aé\0\n漢", max_size=14), st.text(max_size=14), st.sampled_from(["a" * 12, "a" * 13]))
INTEGER = st.one_of(st.integers(-3, 3), st.sampled_from([-(2**63), 2**63 - 1]))
KEYS = st.one_of(
    st.tuples(st.just(pl.String), st.lists(TEXT, max_size=40)),
    st.tuples(st.just(pl.Binary), st.lists(TEXT.map(str.encode) | st.binary(max_size=14), max_size=40)),
    st.tuples(st.just(pl.Int64), st.lists(INTEGER, max_size=40)),
    st.tuples(st.just(pl.Boolean), st.lists(st.booleans(), max_size=40)),
)


def column(kind, keys, cuts):
    """Return the keys as a column of several pieces, of which each is a slice of a larger one."""
    whole = pl.Series("key", [*keys[:1], *keys, *keys[:1]], dtype=kind)[bool(keys) : len(keys) + bool(keys)]
    bounds = [0, *sorted(cut % (len(keys) + 1) for cut in cuts), len(keys)]
    return pl.concat([whole[begin:end] for begin, end in pairwise(bounds)], rechunk=False)


@pytest.mark.parametrize("as_written", [True, False])
@budget.examples(100)
@given(KEYS, st.lists(st.integers(0, 99), max_size=3), st.sampled_from([None, 1, 7]))
def test_every_key_has_its_number(as_written, keys, cuts, most):
    kind, given_keys = keys
    with pytest.MonkeyPatch.context() as patch:
        if not as_written:
            # As if this Polars laid text out in another way.
            patch.setattr(inlined, "_is_as_written", lambda: False)
        found = batch_sums.counted(column(kind, given_keys, cuts), most)
    assert found.schema == {"key": kind, "value": pl.Int64}
    assert len(found) == len(set(given_keys))
    assert dict(found.iter_rows()) == Counter(given_keys)


@budget.examples(60)
@given(KEYS, st.lists(st.integers(0, 99), max_size=3))
def test_every_key_has_its_sum_and_its_least_value(keys, cuts):
    kind, given_keys = keys
    rows = pl.DataFrame([column(kind, given_keys, cuts), pl.Series("value", range(len(given_keys)), dtype=pl.Int64)])
    values = {key: [at for at, other in enumerate(given_keys) if other == key] for key in given_keys}
    for expression, expected in ((pl.col("value").sum(), sum), (pl.col("value").min(), min)):
        found = native.grouped(rows, expression)
        assert found.schema == rows.schema
        assert len(found) == len(values)
        assert dict(found.iter_rows()) == {key: expected(each) for key, each in values.items()}


def test_this_polars_lays_short_text_out_as_numbers():
    texts = pl.Series("key", ["", "a", "ä", "twelve bytes", "a"])
    found = inlined.numbers(texts)
    assert found is not None
    assert found.to_list() == [
        0,
        1 | 0x61 << 32,
        2 | 0xA4C3 << 32,
        12 | int.from_bytes(b"twelve bytes", "little") << 32,
        1 | 0x61 << 32,
    ]
    assert inlined.texts(found, pl.String).to_list() == texts.to_list()
    assert inlined.texts(found[1:4], pl.Binary).to_list() == [b"a", "ä".encode(), b"twelve bytes"]


def test_numbers_outlive_the_column_that_they_were_made_of():
    texts = [f"{number}" for number in range(100_000)]
    found = inlined.numbers(pl.Series(texts))
    others = [pl.Series([f"other {number}" for number in range(100_000)]) for _ in range(3)]
    assert found is not None
    assert inlined.texts(found, pl.String).to_list() == texts
    assert len(others) == 3
