"""Short texts as numbers: text of up to twelve bytes stands whole in the 16 bytes that its column has for each row.

Arrow calls these 16 bytes a view: the length, then the text itself with zeros behind it where it is that short. So two
short texts are equal if their views are, as numbers of 128 bits, and numbers are sorted in a fifth of the time
that a hash table of texts takes. Nothing is copied: a column goes through Arrow's C interface and comes back as one of
another type, over the same memory, which its first owner frees when the last column lets it go.
Formats: https://arrow.apache.org/docs/format/Columnar.html (variable-size binary view layout), and CDataInterface,
CStreamInterface and PyCapsuleInterface beside it. Neighbours: `batch_sums` (counts by them), `native` (groups by them).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import polars as pl

LONGEST: Final = 12
"""Bytes of a text that stands in its view, at most."""
_SAMPLE: Final = ("", "a", "\u00fc", "twelve bytes", "a\0", "and one that is longer", "a")
_ARRAY, _SCHEMA, _STREAM = b"arrow_array", b"arrow_schema", b"arrow_array_stream"


class _Schema(ctypes.Structure):
    """The type of a column, in C."""

    _fields_ = (
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_void_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _Array(ctypes.Structure):
    """One piece of a column, in C."""

    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_get: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_release: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Stream(ctypes.Structure):
    """All pieces of a column, in C."""

    _fields_ = (
        ("get_schema", _get),
        ("get_next", _get),
        ("get_last_error", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_pointer: Final = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_capsule: Final = ctypes.pythonapi.PyCapsule_New
_capsule.restype, _capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


def numbers(texts: pl.Series) -> pl.Series | None:
    """Return the view of each text, or of bytes, as a number: of one no longer than `LONGEST` it tells all.

    None where this Polars lays text out in another way. The column has no null.
    """
    return _views(texts) if _is_as_written() else None


def padded(column: pl.Series, size: int) -> pl.Series | None:
    """Return bytes with zeros behind them, each of `size`, which is no more than `LONGEST`, and none is longer.

    None where this Polars lays bytes out in another way.
    """
    found = numbers(column)
    # What stands behind a short text in its view are zeros: only its length is another.
    return None if found is None else texts((found & -(1 << 32)) | size, pl.Binary)


def numbers_of_short(column: pl.Series) -> pl.Series | None:
    """Return the numbers of texts, or bytes, that are all short; None for any other column."""
    if column.dtype not in (pl.String, pl.Binary) or not (sizes(column) <= LONGEST).all():
        return None
    return numbers(column)


def sizes(column: pl.Series) -> pl.Series:
    """Return how many bytes each text has, or each of what is bytes."""
    return column.str.len_bytes() if column.dtype == pl.String else column.bin.size()


def texts(numbers: pl.Series, kind: Any) -> pl.Series:
    """Return the texts, or with the type Binary the bytes, of which these are the views; all of them are short."""
    return _again(numbers.rechunk(), kind, 3)


def _views(texts: pl.Series) -> pl.Series:
    return _again(texts, pl.Int128, 2)


def _again(column: pl.Series, kind: Any, buffers: int) -> pl.Series:
    """Return a column of another type over the same memory: buffers are validity, which it has not, and values.

    One of texts has a third, with the sizes of those that hold long texts, of which there is none.
    """
    empty = pl.Series(column.name, [], dtype=kind)
    pieces = [pl.Series(column.name, _Piece(piece, empty, buffers)) for piece in _pieces(column)]
    return pl.concat(pieces) if pieces else empty


def _pieces(column: pl.Series) -> Iterator[_Array]:
    """Yield the pieces of a column; each is to be released by who takes it."""
    held = column.__arrow_c_stream__()
    address = _pointer(held, _STREAM)
    stream = _Stream.from_address(address)
    while True:
        piece = _Array()
        if stream.get_next(address, ctypes.addressof(piece)):
            raise RuntimeError("Polars gave no Arrow array of a column")
        if not piece.release:
            return
        yield piece


class _Piece:
    """What Polars takes a column from: see Arrow's PyCapsule interface."""

    def __init__(self, array: _Array, like: pl.Series, buffers: int) -> None:
        self._array, self._schema = array, _Schema()
        self._like = like
        # In a list of our own: who releases the array knows the first one.
        self._buffers = (ctypes.c_void_p * 3)(None, array.buffers[1], None)
        array.buffers = ctypes.cast(self._buffers, ctypes.POINTER(ctypes.c_void_p))
        array.n_buffers, array.null_count = buffers, 0

    def __arrow_c_array__(self, _: object = None) -> tuple[object, object]:
        held = self._like.__arrow_c_stream__()
        address = _pointer(held, _STREAM)
        if _Stream.from_address(address).get_schema(address, ctypes.addressof(self._schema)):
            raise RuntimeError("Polars gave no Arrow schema of a column")
        return (
            _capsule(ctypes.addressof(self._schema), _SCHEMA, None),
            _capsule(ctypes.addressof(self._array), _ARRAY, None),
        )

    def __del__(self) -> None:
        for each in (self._array, self._schema):
            # What Polars has taken it has marked.
            if each.release:
                _release(each.release)(ctypes.addressof(each))


@cache
def _is_as_written() -> bool:
    """Tell whether views are what this module takes them for."""
    column = pl.Series(_SAMPLE, dtype=pl.String)
    try:
        found = _views(pl.concat([column[:2], column[2:]]))
    except (pl.exceptions.PolarsError, AttributeError, RuntimeError, TypeError):
        return False
    expected = [len(text.encode()) | int.from_bytes(text.encode(), "little") << 32 for text in _SAMPLE]
    short = [at for at, text in enumerate(_SAMPLE) if len(text.encode()) <= LONGEST]
    if found.dtype != pl.Int128 or [found[at] for at in short] != [expected[at] for at in short]:
        return False
    return texts(found.gather(short), pl.String).to_list() == [_SAMPLE[at] for at in short]
