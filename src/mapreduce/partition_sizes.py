"""What a map output tells of where its rows go: the bytes for each partition, and keys that have very many.

A size takes two bytes: 11 bits of a number and 5 of how often it is doubled. So it is exact below 2 KiB, and at
most a thousandth too much above. Neighbours: `protocol.sessions` (`MapOutput` carries both), `history` (has the sums).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Annotated, Final

import msgspec

from mapreduce.ids import Amount
from mapreduce.spec import MAX_REDUCERS

MOST_HEAVY: Final = 4
"""Heavy keys that one map output names."""
KEY_CHARACTERS: Final = 64
"""Characters of a heavy key that are told."""
_BITS: Final = 11
_LARGEST: Final = (1 << 16) - 1


class HeavyKey(msgspec.Struct, frozen=True, array_like=True):
    """A key that has a large part of the rows, as it is printed and cut short; rows and bytes are estimates."""

    partition: Annotated[int, msgspec.Meta(ge=0, lt=MAX_REDUCERS)]
    key: Annotated[str, msgspec.Meta(max_length=KEY_CHARACTERS)]
    rows: Amount
    size: Amount


PackedSizes = Annotated[bytes, msgspec.Meta(max_length=2 * MAX_REDUCERS)]
"""What `pack` returns."""
HeavyKeys = Annotated[tuple[HeavyKey, ...], msgspec.Meta(max_length=MOST_HEAVY)]
"""What one map output names."""


def pack(sizes: Iterable[int]) -> bytes:
    """Return the sizes of all partitions in their order, in two bytes each."""
    codes = [_code(size) for size in sizes]
    return struct.pack(f"<{len(codes)}H", *codes)


def unpack(packed: bytes) -> list[int]:
    """Return the sizes that `pack` was given, or a little more; of an odd number of bytes the last is left out."""
    codes = struct.unpack_from(f"<{len(packed) // 2}H", packed)
    return [(code & (1 << _BITS) - 1) << (code >> _BITS) for code in codes]


def _code(size: int) -> int:
    doubled = max(0, size.bit_length() - _BITS)
    number = -(-size >> doubled)
    if number >> _BITS:
        number, doubled = number >> 1, doubled + 1
    return min(_LARGEST, doubled << _BITS | number)
