"""Packed lists of text, as `mr.Unique()` and others give them: decoded many at once, where all of them are that.

Callers: `fold_reduce` (lists of text have a place in the output as they are), `render` (and become JSON at once).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from mapreduce_worker.engine import list_heads
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.columns import Columns

if TYPE_CHECKING:
    import polars

_SOME: Final = 512
"""Lists that are there at once: fewer than wake the garbage collector (700), which would go through all of them."""
_FEW: Final = 8
"""Values are few if each is there so many times, in the mean."""
_PIECE: Final = 1 << 20
"""Bytes of a list that become JSON at once, at least, where it does so in pieces."""
_TEXT: Final = range(0xA0, 0xC0)
"""How msgpack begins short text: with its length in the same byte; and text whose length has one, two, four more."""
_LENGTHS: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_decode_one: Final = msgspec.msgpack.Decoder(list[str]).decode
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[list[str]]).decode
_encode_lines: Final = msgspec.json.Encoder().encode_lines


def decoded(packed: polars.Series) -> Iterator[list[list[str]]]:
    """Yield packed values, some at a time; raises `msgspec.MsgspecError` where one is no list of text."""
    for at in range(0, len(packed), _SOME):
        some = packed.slice(at, _SOME).to_list()
        yield _decode(list_heads.head(len(some)) + b"".join(some))


def are_all(packed: polars.Series) -> bool:
    """Tell whether each packed value is a list of text."""
    try:
        for _ in decoded(packed):
            pass
    except msgspec.MsgspecError:
        return False
    return True


def are_few(rows: Rows) -> bool:
    """Tell whether many rows have few different values, each a list of text: that takes hardly any time."""
    if not (isinstance(rows, Columns) and rows.packed):
        return False
    values = rows.value_series
    different = values.unique() if rows.one is None else values[:1]
    return len(different) * _FEW <= rows.count and are_all(different)


def as_json(rows: Columns) -> list[str] | None:
    """Return each packed value of rows as JSON, as both output formats write it; None if one is no list of text."""
    texts: list[str] = []
    try:
        for lists in decoded(rows.value_series):
            # No line of JSON holds another end of line.
            texts += _encode_lines(lists).decode().split("\n")[:-1]
    except msgspec.MsgspecError:
        return None
    return texts


def in_pieces(packed: bytes) -> Iterator[bytes] | None:
    """Return one packed value as JSON, in pieces, of which none is large unless a text is; None if it is no list of
    text. Taking them raises `msgspec.MsgspecError` for text that is none.
    """
    bounds = _bounds(packed)
    return None if bounds is None else _pieces(packed, bounds)


def _pieces(packed: bytes, bounds: list[tuple[int, int, int]]) -> Iterator[bytes]:
    before = b"["
    for start, end, count in bounds:
        yield before + _encode(_decode_one(list_heads.head(count) + packed[start:end]))[1:-1]
        before = b","
    yield b"]" if bounds else b"[]"


def _bounds(packed: bytes) -> list[tuple[int, int, int]] | None:
    """Return where pieces of a packed list begin and end, and how many texts they have; None if it has something else.

    No text is looked at, but its length.
    """
    left = list_heads.count(packed)
    if left is None:
        return None
    at = start = list_heads.size(packed)
    bounds: list[tuple[int, int, int]] = []
    whole, count = len(packed), 0
    while left and at < whole:
        first = packed[at]
        if first in _TEXT:
            at += first - 0x9F
        elif width := _LENGTHS.get(first):
            at += 1 + width + int.from_bytes(packed[at + 1 : at + 1 + width], "big")
        else:
            return None
        left -= 1
        count += 1
        if at - start >= _PIECE:
            bounds.append((start, at, count))
            start, count = at, 0
    if count:
        bounds.append((start, at, count))
    return bounds if not left and at == whole else None
