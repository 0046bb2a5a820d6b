"""How msgpack begins a list: lists of packed values are joined, and taken apart, without decoding a value.

Callers: `collect_reduce` and `native` (make lists), `text_lists` (decodes many at once as one). Format:
https://github.com/msgpack/msgpack/blob/master/spec.md (array format family).
"""

from __future__ import annotations

import struct
from typing import Final

_FEW, _SOME, _MANY = 0x90, 0xDC, 0xDD
"""The number of elements is in the same byte, in two more, in four more."""
_SHORT: Final = struct.Struct(">BH")
_LONG: Final = struct.Struct(">BI")
_SIZES: Final = {_SOME: _SHORT.size, _MANY: _LONG.size}
LARGEST: Final = _LONG.size
"""The bytes of the largest head."""


def head(count: int) -> bytes:
    """Return what stands before so many packed values."""
    if count < 16:
        return bytes((_FEW | count,))
    return _SHORT.pack(_SOME, count) if count < 1 << 16 else _LONG.pack(_MANY, count)


def count(packed: bytes) -> int | None:
    """Return how many values a packed list has; None if it is no list."""
    first = packed[0] if packed else 0
    if first & 0xF0 == _FEW:
        return first & 0x0F
    width = _SIZES.get(first)
    return None if width is None else int.from_bytes(packed[1:width], "big")


def size(packed: bytes) -> int:
    """Return the bytes of the head of a packed list."""
    return _SIZES.get(packed[0], 1)
