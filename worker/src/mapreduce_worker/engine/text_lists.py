"""Packed lists of text, as `mr.Unique()` and others give them: decoded many at once, where all of them are that.

Callers: `fold_reduce` (lists of text have a place in the output as they are), `render` (and become JSON at once).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from mapreduce_worker.engine.columns import Columns

_SOME: Final = 512
"""Lists that are there at once: fewer than wake the garbage collector (700), which would go through all of them."""
_HEAD: Final = struct.Struct(">BI")
_LIST_OF_MANY: Final = 0xDD
"""How msgpack begins a list, before the number of its elements in four bytes."""
_decode: Final = msgspec.msgpack.Decoder(list[list[str]]).decode
_encode_lines: Final = msgspec.json.Encoder().encode_lines


def decoded(rows: Columns) -> Iterator[list[list[str]]]:
    """Yield the packed values of rows, some at a time; raises `msgspec.MsgspecError` where one is no list of text."""
    packed = rows.value_series
    for at in range(0, rows.count, _SOME):
        some = packed.slice(at, _SOME).to_list()
        yield _decode(_HEAD.pack(_LIST_OF_MANY, len(some)) + b"".join(some))


def are_all(rows: Columns) -> bool:
    """Tell whether each packed value of rows is a list of text."""
    try:
        for _ in decoded(rows):
            pass
    except msgspec.MsgspecError:
        return False
    return True


def as_json(rows: Columns) -> list[str] | None:
    """Return each packed value of rows as JSON, as both output formats write it; None if one is no list of text."""
    texts: list[str] = []
    try:
        for lists in decoded(rows):
            # No line of JSON holds another end of line.
            texts += _encode_lines(lists).decode().split("\n")[:-1]
    except msgspec.MsgspecError:
        return None
    return texts
