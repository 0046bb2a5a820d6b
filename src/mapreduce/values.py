"""The codec of values between map and reduce: msgpack, with integers of up to 4,200 digits.

Every mode passes values through it, `--sequential` too, so that a tuple that comes back as a
list does so everywhere. Times become ISO text, those with a zone in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from mapreduce.errors import ValueEncodingError

_BIG_INT = 1
MAX_INT_BITS = 14_000
"""A larger integer is refused: Python does not write more than 4,300 digits, and so it could not be put out."""
SCALARS: Final = frozenset({str, int, float, bool, type(None), bytes})
"""Types of values that come back as they are."""
_TIMES: Final = (b"\xd6\xff", b"\xd7\xff", b"\xc7\x0c\xff")
"""How msgpack begins a time with a zone; other values may hold these bytes too."""
_encoder = msgspec.msgpack.Encoder()

encode_quickly: Final = _encoder.encode
"""Encodes one of `SCALARS` as `encode` does; if it raises `OverflowError` or `UnicodeEncodeError`, `encode` knows."""


def encode(value: object) -> bytes:
    """Encode one value; raises `ValueEncodingError` for what msgpack cannot hold, or would not come back."""
    packed = encode_plain(value)
    if type(value) in SCALARS:
        return packed
    try:
        decoded = decode(packed)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise ValueEncodingError(
            f"a value of type {type(value).__name__} cannot be carried to reduce and read there: {error}"
        ) from error
    return encode_plain(_without_times(decoded)) if any(mark in packed for mark in _TIMES) else packed


def encode_plain(value: object) -> bytes:
    """Encode, as `encode` does, a value that is known to hold str, numbers, bytes and None alone."""
    try:
        try:
            return _encoder.encode(value)
        except OverflowError:
            # A dictionary cannot have such an integer as a key: what stands for it is a TypeError here.
            return _encoder.encode(_wrap_big(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueEncodingError(
            f"a value of type {type(value).__name__} cannot be carried to reduce: {error}"
        ) from error


def encode_all(objects: list[Any]) -> list[bytes]:
    """Encode many values, each as `encode` does."""
    try:
        return list(map(_encoder.encode, objects))
    except (OverflowError, TypeError, ValueError, RecursionError):
        return list(map(encode, objects))


def decode(data: bytes) -> Any:
    """Return the value; tuples and sets come back as lists."""
    return _decoder.decode(data)


def _without_times(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (list, tuple)):
        return [_without_times(element) for element in value]
    if isinstance(value, dict):
        return {_without_times(key): _without_times(element) for key, element in value.items()}
    return value


def _wrap_big(value: object) -> object:
    """Replace each integer beyond 64 bits by an extension that holds its bytes."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        if value.bit_length() > MAX_INT_BITS:
            raise ValueError(f"an integer of {value.bit_length()} bits is too large, {MAX_INT_BITS} are the most")
        return msgspec.msgpack.Ext(_BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_wrap_big(element) for element in value]
    if isinstance(value, dict):
        return {_wrap_big(key): _wrap_big(element) for key, element in value.items()}
    return value


def _unwrap(code: int, data: memoryview) -> object:
    if code == _BIG_INT:
        return int.from_bytes(data, "big", signed=True)
    raise ValueError(f"unknown extension {code} in a value")


_decoder = msgspec.msgpack.Decoder(ext_hook=_unwrap)
