"""Columns of keys: from a frame of the user's to the encoding of `mapreduce.keys`, and back.

Text, bytes, integers and booleans never become Python objects on the way, but that an integer's eight bytes do. Other
types go through the contract's own encoder. Neighbours: `batch_frames` (what may stand in a column), `batch_sums`,
`batch_reduce`.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from struct import iter_unpack
from typing import Any, Final

import polars as pl

from mapreduce import keys
from mapreduce.errors import UnsupportedKeyError, ValueEncodingError
from mapreduce.keys import KeyType

_SIGN: Final = 1 << 63
NATIVE: Final[dict[KeyType, Any]] = {"str": pl.String, "bytes": pl.Binary, "bool": pl.Boolean, "int": pl.Int64}
"""The types of keys that are encoded as columns, each with the type of its column."""


def native(series: pl.Series) -> pl.Series | None:
    """Return a column in the form that `NATIVE` tells, or None for one of another type. It has no null."""
    kind = series.dtype
    if kind in (pl.String, pl.Binary, pl.Boolean, pl.Int64):
        return series
    if kind.is_integer() and kind not in (pl.UInt64, pl.Int128, pl.UInt128):
        return series.cast(pl.Int64)
    return None


def only_keys(frame: pl.DataFrame) -> pl.DataFrame | None:
    """Return the keys in native form, or None for those of another type."""
    column = native(frame["key"])
    return None if column is None else column.to_frame()


def typed(frame: pl.DataFrame) -> pl.DataFrame | None:
    """Return keys and values in native form, or None where either is of another type, or a value is null."""
    keys_, values = native(frame["key"]), frame["value"]
    column = values.cast(pl.Float64) if values.dtype.is_float() else native(values)
    return None if keys_ is None or column is None or values.null_count() else pl.DataFrame([keys_, column])


def encoded(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the same rows with encoded keys."""
    return frame.with_columns(encode(frame["key"]))


def type_of(series: pl.Series) -> KeyType:
    """Return the key type of a column in native form."""
    return next(name for name, kind in NATIVE.items() if series.dtype == kind)


def encode(series: pl.Series) -> pl.Series:
    """Return the encoded keys of a column in native form, as Binary: the bytes that `keys.encode` gives."""
    if series.dtype == pl.String:
        return series.cast(pl.Binary)
    if series.dtype == pl.Binary:
        return series
    if series.dtype == pl.Boolean:
        encode_one = keys.encoder("bool")
        false, true = encode_one(False), encode_one(True)
        return pl.Series(series.name, [true if key else false for key in series.to_list()], dtype=pl.Binary)
    numbers = array("Q", (series.reinterpret(signed=False) ^ _SIGN).to_list())
    if sys.byteorder == "little":
        numbers.byteswap()
    return pl.Series(series.name, [key for (key,) in iter_unpack("8s", numbers.tobytes())], dtype=pl.Binary)


def decode(encoded: pl.Series, key_type: KeyType) -> pl.Series:
    """Return the keys of an encoded column, as `objects` takes them: tuples become structs."""
    if key_type == "str":
        return encoded.cast(pl.String)
    if key_type == "bytes":
        return encoded
    if key_type == "int":
        return (encoded.bin.reinterpret(dtype=pl.UInt64, endianness="big") ^ _SIGN).reinterpret(signed=True)
    return series_of(encoded.name, list(map(keys.decoder(key_type), encoded.to_list())))


def series_of(name: str, objects: list[Any]) -> pl.Series:
    """Return a column of objects that are all of one type, or None; tuples become structs.

    Raises `UnsupportedKeyError`, or `ValueEncodingError` for a column of another name than `key`, for objects of
    several types, and for those that no column holds.
    """
    try:
        return _series(name, objects)
    except UnsupportedKeyError as error:
        if name == "key":
            raise
        raise ValueEncodingError(str(error)) from error


def _series(name: str, objects: list[Any]) -> pl.Series:
    kinds = set(map(type, objects)) - {type(None)}
    if len(kinds) > 1:
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise UnsupportedKeyError(f"the column {name} would hold {names}: in a frame all are of one type")
    kind = next(iter(kinds), type(None))
    if kind is tuple:
        return _structs(name, objects)
    if kind not in _COLUMNS:
        raise UnsupportedKeyError(f"the column {name} would hold values of type {kind.__name__}: use reduce instead")
    if kind is int and any(value is not None and not keys.INT_MIN <= value <= keys.INT_MAX for value in objects):
        raise UnsupportedKeyError(f"the column {name} would hold an integer beyond 64 bits: use reduce instead")
    return pl.Series(name, objects, dtype=_COLUMNS[kind])


_COLUMNS: Final[dict[type, Any]] = {
    str: pl.String,
    bytes: pl.Binary,
    bool: pl.Boolean,
    int: pl.Int64,
    float: pl.Float64,
    type(None): pl.Null,
}


def of_dictionaries(given: Sequence[Any]) -> pl.DataFrame:
    """Return dictionaries with the same names as a frame; raises as `series_of` does, also for other names."""
    names = list(given[0])
    for each in given:
        if list(each) != names:
            raise UnsupportedKeyError(f"records with the names {', '.join(map(str, each))} and {', '.join(names)}")
    return pl.DataFrame([series_of(name, [each[name] for each in given]) for name in names])


def _structs(name: str, tuples: list[Any]) -> pl.Series:
    width = len(tuples[0])
    if not width or any(type(each) is not tuple or len(each) != width for each in tuples):
        raise UnsupportedKeyError(f"the column {name} would hold tuples of several lengths, or empty ones")
    fields = [_series(f"field_{at}", [each[at] for each in tuples]) for at in range(width)]
    return pl.DataFrame(fields).to_struct(name)


def encode_objects(found: list[Any], key_type: KeyType) -> list[bytes]:
    """Return the encoding of each key; raises `UnsupportedKeyError` for one of another type."""
    return [keys.encode(key, key_type) for key in found]


def objects(series: pl.Series) -> list[Any]:
    """Return a column as Python objects; structs become tuples of their fields."""
    found = series.to_list()
    return [_tuple(each) for each in found] if series.dtype == pl.Struct else found


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value.values())) if isinstance(value, dict) else value
