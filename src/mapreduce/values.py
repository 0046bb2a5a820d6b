"""The codec of values between map and reduce: msgpack, with integers of up to 4,200 digits.

Every mode passes values through it, `--sequential` too, so that a tuple that comes back as a
list does so everywhere. Times become ISO text, those with a zone in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

import msgspec

from mapreduce.errors import ValueEncodingError

_BIG_INT = 1
MAX_INT_BITS = 14_000
"""A larger integer is refused: Python does not write more than 4,300 digits, and so it could not be put out."""
MAX_DEPTH: Final = 256
"""Lists and dictionaries within each other, at most. Python ends any recursion at about a thousand calls, of which a
list takes two where a value is compared or written as text; how many are left there depends on who calls."""
SCALARS: Final = frozenset({str, int, float, bool, type(None), bytes})
"""Types of values that come back as they are."""
_TIMES: Final = (b"\xd6\xff", b"\xd7\xff", b"\xc7\x0c\xff")
"""How msgpack begins a time with a zone; other values may hold these bytes too."""
_CONTAINERS: Final = frozenset({list, dict})
_HEADS: Final = bytes((*range(0x80, 0xA0), *range(0xDC, 0xE0)))
"""How msgpack begins a list or a dictionary; other values may hold these bytes too."""
_NO_HEADS: Final = bytes(set(range(256)) - set(_HEADS))
_NO_DICTIONARIES: Final = bytes(set(range(256)) - {*range(0x82, 0x90), 0xDE, 0xDF})
"""All bytes but those by which msgpack begins a dictionary of two entries or more; other values may hold these too."""
_encoder = msgspec.msgpack.Encoder()

encode_quickly: Final = _encoder.encode
"""Encodes one of `SCALARS` as `encode` does; if it raises `OverflowError` or `UnicodeEncodeError`, `encode` knows."""


def encode(value: object, depth: int = MAX_DEPTH) -> bytes:
    """Encode one value; raises `ValueEncodingError` for what msgpack cannot hold, or would not come back.

    `depth`: lists and dictionaries within each other, at most.
    """
    packed = encode_plain(value)
    if type(value) in SCALARS:
        return packed
    try:
        decoded = decode(packed)
    except RecursionError as error:
        raise _too_deep(value) from error
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise ValueEncodingError(
            f"a value of type {type(value).__name__} cannot be carried and read again: {error}"
        ) from error
    if len(packed) > depth and _is_deep(packed, decoded, depth):
        raise _too_deep(value)
    if packed.translate(None, _NO_DICTIONARIES) and len(encode_plain(decoded)) < len(packed):
        raise _equal_keys(value)
    return encode_plain(_without_times(decoded, value)) if any(mark in packed for mark in _TIMES) else packed


def encode_plain(value: object) -> bytes:
    """Encode, as `encode` does, a value that is known to hold str, numbers, bytes and None alone."""
    try:
        try:
            return _encoder.encode(value)
        except OverflowError:
            return _encoder.encode(_wrap_big(value))
    except RecursionError as error:
        raise _too_deep(value) from error
    except OverflowError as error:
        raise ValueEncodingError(
            f"a value of type {type(value).__name__} holds an integer of more than 64 bits as a key of a dictionary, "
            "or in an object that is no list, tuple, set or dictionary: there it cannot be carried; make it a text"
        ) from error
    except UnicodeEncodeError as error:
        raise ValueEncodingError(
            f"a value of type {type(value).__name__} holds an unpaired surrogate ({error.object[error.start]!r}), "
            "which has no UTF-8 form; decode the input with another error handler, or replace the character"
        ) from error
    except (TypeError, ValueError) as error:
        raise ValueEncodingError(f"a value of type {type(value).__name__} cannot be carried: {error}") from error


def encode_all(objects: list[Any]) -> list[bytes]:
    """Encode many values, of which each has been looked at, or is a reducer's list of such: how deep they are is not
    asked again.
    """
    try:
        return list(map(_encoder.encode, objects))
    except (OverflowError, TypeError, ValueError, RecursionError):
        return [encode(value, MAX_DEPTH + 1) for value in objects]


def decode(data: bytes) -> Any:
    """Return the value; tuples and sets come back as lists."""
    return _decoder.decode(data)


def _is_deep(packed: bytes, decoded: Any, depth: int) -> bool:
    """Tell whether more than `depth` lists and dictionaries are within each other."""
    # Hardly ever are there so many, and to count bytes that may begin one takes nearly no time.
    if len(packed.translate(None, _NO_HEADS)) <= depth:
        return False
    level = [decoded]
    for _ in range(depth):
        lists = chain.from_iterable([each for each in level if type(each) is list])
        dictionaries = chain.from_iterable([each.values() for each in level if type(each) is dict])
        level = list(chain(lists, dictionaries))
        if _CONTAINERS.isdisjoint(map(type, level)):
            return False
    return True


def _too_deep(value: object) -> ValueEncodingError:
    return ValueEncodingError(
        f"in a value of type {type(value).__name__} more than {MAX_DEPTH} lists or dictionaries are within each "
        "other; yield it in pieces, or as text"
    )


def _equal_keys(value: object) -> ValueEncodingError:
    return ValueEncodingError(
        f"in a value of type {type(value).__name__} two keys of a dictionary become equal when they are carried, and "
        "one entry would be lost: a time, for example, becomes its ISO text; make them differ, or yield a list of pairs"
    )


def _without_times(decoded: Any, value: object) -> Any:
    if isinstance(decoded, datetime):
        return decoded.astimezone(UTC).isoformat()
    if isinstance(decoded, list):
        return [_without_times(element, value) for element in decoded]
    if isinstance(decoded, tuple):
        # A key of a dictionary: all others have come back as lists.
        return tuple(_without_times(element, value) for element in decoded)
    if isinstance(decoded, dict):
        entries = {_without_times(key, value): _without_times(element, value) for key, element in decoded.items()}
        if len(entries) < len(decoded):
            raise _equal_keys(value)
        return entries
    return decoded


def _wrap_big(value: object) -> object:
    """Replace each integer beyond 64 bits by an extension that holds its bytes, but in keys: it cannot be in one."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        if value.bit_length() > MAX_INT_BITS:
            raise ValueError(f"an integer of {value.bit_length()} bits is too large, {MAX_INT_BITS} are the most")
        return msgspec.msgpack.Ext(_BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_wrap_big(element) for element in value]
    if isinstance(value, dict):
        return {key: _wrap_big(element) for key, element in value.items()}
    return value


def _unwrap(code: int, data: memoryview) -> object:
    if code == _BIG_INT:
        return int.from_bytes(data, "big", signed=True)
    raise ValueError(f"unknown extension {code} in a value")


_decoder = msgspec.msgpack.Decoder(ext_hook=_unwrap)
