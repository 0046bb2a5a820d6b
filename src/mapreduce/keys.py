"""Keys: which types may be one, and the one encoding that serves hash, sort and segments.

The encoding preserves order: comparing encoded keys as bytes gives the order of the keys
(numbers by value, str by code point, bytes by bytes, tuples element by element). It carries
no type tag, because one step has one exact key type; the type travels beside it as a
string such as ``str`` or ``tuple[str,int]``.

    str    its UTF-8 bytes
    bytes  themselves
    bool   one byte, 0 or 1
    int    64 bits, big-endian, sign bit flipped
    float  64 bits in total order; -0.0 is 0.0; every NaN is one key and sorts last
    tuple  its elements one after the other; str and bytes inside a tuple are escaped
           (00 becomes 00 FF) and closed by 00 00, so that a prefix sorts first

Where keys are to stand in descending order their type is told as ``desc[str]``, and every bit of what they are as the
only element of a tuple is flipped: larger keys come first, and a text after those that it is the beginning of.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from mapreduce.errors import UnsupportedKeyError
from mapreduce.values import MAX_DEPTH

KeyType = str
"""A key type as text: `str`, `bytes`, `bool`, `int`, `float` or `tuple[…]` of these; `desc[…]` around it."""

BY = " by "
"""Stands between the types of keys and of values where these are sorted: `str by int`."""

INT_MIN = -(2**63)
INT_MAX = 2**63 - 1

_SIGN = 1 << 63
_ALL = (1 << 64) - 1
_NAN = struct.unpack(">Q", struct.pack(">d", math.nan))[0] & (_ALL >> 1)
_SCALARS = {str: "str", bytes: "bytes", bool: "bool", int: "int", float: "float"}
_FIXED = {"bool": 1, "int": 8, "float": 8}
_DESC = "desc["
_FLIPPED = bytes(255 - byte for byte in range(256))


def type_of(key: object) -> KeyType:
    """Return the exact type of a key as text.

    Raises `UnsupportedKeyError` for any other type, subclasses included: a subclass may
    compare differently than its base, and would come back as the base. So many tuples may be
    within each other as lists may be in a value.
    """
    return _SCALARS.get(type(key)) or _type_of(key, MAX_DEPTH)


def _type_of(key: object, depth: int) -> KeyType:
    if type(key) is not tuple:
        raise UnsupportedKeyError(
            f"a key must be str, bytes, bool, int, float or a tuple of these, not {type(key).__name__}: "
            f"{short(key)}; convert it, for example with str(key)"
        )
    if not depth:
        raise UnsupportedKeyError(
            f"in a key more than {MAX_DEPTH} tuples are within each other; yield a flat tuple, or a text of it"
        )
    # One call a tuple, here as below: Python ends any recursion at about a thousand.
    names = []
    for element in key:
        names.append(_SCALARS.get(type(element)) or _type_of(element, depth - 1))  # noqa: PERF401 - see above
    return f"tuple[{','.join(names)}]"


def descending(key_type: KeyType) -> KeyType:
    """Return the type of the same keys where the largest comes first."""
    return f"{_DESC}{key_type}]"


def plain(key_type: KeyType) -> KeyType:
    """Return the type of the keys themselves, whatever their order is."""
    return key_type[len(_DESC) : -1] if key_type.startswith(_DESC) else key_type


def shown(key_type: KeyType) -> str:
    """Return a type as people are told of it, without its order; that of values which are sorted stands after `by`."""
    return BY.join(map(plain, key_type.split(BY)))


def mixture(one: KeyType, at: str, other: KeyType, other_at: str) -> str:
    """Return what is told where maps have keys of two types, or values where these are sorted; each with its place."""
    first, second = shown(one).split(BY), shown(other).split(BY)
    values = first[0] == second[0]
    what = "with sort_values all values must" if values else "keys must all"
    told = " and ".join(
        f"{types[-1 if values else 0]} (at {place})" if place else types[-1 if values else 0]
        for types, place in ((first, at), (second, other_at))
    )
    return f"{what} have one type, but there are {told}; convert them, for example with str()"


def short(key: object, limit: int = 80) -> str:
    """Return a key, or what was taken for one, as a message shows it."""
    try:
        text = repr(key)
    except RecursionError:
        return f"a {type(key).__name__} of very many within each other"
    return text if len(text) <= limit else f"{text[:limit]}…"


def encode(key: object, key_type: KeyType | None = None) -> bytes:
    """Encode one key; with `key_type` given, a key of another type is refused."""
    actual = type_of(key)
    if key_type is not None and actual != plain(key_type):
        raise UnsupportedKeyError(f"key {short(key)} is {actual}, not {plain(key_type)}")
    return encoder(key_type or actual)(key)


def decode(data: bytes, key_type: KeyType) -> Any:
    """Return the key that `encode` made `data` from."""
    return decoder(key_type)(data)


@lru_cache(maxsize=64)
def encoder(key_type: KeyType) -> Callable[[Any], bytes]:
    """Return the function that encodes keys of exactly this type (the caller has checked it)."""
    return _encoder(key_type)


def _encoder(key_type: KeyType) -> Callable[[Any], bytes]:
    if key_type in _ENCODERS:
        return _ENCODERS[key_type]
    if key_type.startswith(_DESC):
        encode_alone = encoder(f"tuple[{plain(key_type)}]")
        return lambda key: encode_alone((key,)).translate(_FLIPPED)
    elements = []
    for name in _elements(key_type):
        elements.append((name, _encoder(name)))  # noqa: PERF401 - a call a tuple, see `_type_of`

    def encode_tuple(key: tuple[Any, ...]) -> bytes:
        parts = []
        for (name, encode_element), element in zip(elements, key, strict=True):
            data = encode_element(element)
            parts.append(data.replace(b"\0", b"\0\xff") + b"\0\0" if name in ("str", "bytes") else data)
        return b"".join(parts)

    return encode_tuple


@lru_cache(maxsize=64)
def decoder(key_type: KeyType) -> Callable[[bytes], Any]:
    """Return the function that decodes keys of this type."""
    if key_type in _DECODERS:
        return _DECODERS[key_type]
    if key_type.startswith(_DESC):
        decode_alone = decoder(f"tuple[{plain(key_type)}]")
        return lambda data: decode_alone(data.translate(_FLIPPED))[0]

    def decode_tuple(data: bytes) -> tuple[Any, ...]:
        key, end = _decode_tuple(data, 0, key_type)
        if end != len(data):
            raise ValueError(f"{len(data) - end} bytes left over after a key of type {key_type}")
        return key

    return decode_tuple


def first_of(data: bytes, key_type: KeyType) -> bytes:
    """Return the encoding of a tuple's first element as it is on its own; `data` encodes the tuple."""
    name = _elements(key_type)[0]
    return _unescape(data, 0)[0] if name in ("str", "bytes") else first_in(data, key_type)


def first_in(data: bytes, key_type: KeyType) -> bytes:
    """Return the encoding of a tuple's first element as it stands in the tuple that `data` encodes, with its end mark.

    What encodes another element there does not begin with it, so that it divides tuples by their first element.
    """
    name = _elements(key_type)[0]
    if name in _FIXED:
        return data[: _FIXED[name]]
    if name.startswith(_DESC):
        return first_in(data.translate(_FLIPPED), f"tuple[{plain(name)}]").translate(_FLIPPED)
    if name.startswith("tuple"):
        return data[: _decode_tuple(data, 0, name)[1]]
    return data[: _unescape(data, 0)[1]]


def _decode_tuple(data: bytes, at: int, key_type: KeyType) -> tuple[tuple[Any, ...], int]:
    key = []
    for name in _elements(key_type):
        if name.startswith("tuple"):
            element, at = _decode_tuple(data, at, name)
        elif name.startswith(_DESC):
            (element,), used = _decode_tuple(data[at:].translate(_FLIPPED), 0, f"tuple[{plain(name)}]")
            at += used
        elif name in _FIXED:
            element, at = _DECODERS[name](data[at : at + _FIXED[name]]), at + _FIXED[name]
        else:
            raw, at = _unescape(data, at)
            element = _DECODERS[name](raw)
        key.append(element)
    return tuple(key), at


def _unescape(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the escaped bytes that begin at `at`, and the position after their end mark."""
    start = at
    while True:
        at = data.index(b"\0", at)
        if data[at + 1] == 0:
            return data[start:at].replace(b"\0\xff", b"\0"), at + 2
        at += 2


@lru_cache(maxsize=64)
def _elements(key_type: KeyType) -> tuple[KeyType, ...]:
    """Split `tuple[str,tuple[int,int]]` into its element types."""
    if not (key_type.startswith("tuple[") and key_type.endswith("]")):
        raise ValueError(f"not a key type: {key_type!r}")
    inner, elements, depth, start = key_type[6:-1], [], 0, 0
    for position, character in enumerate(inner):
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            elements.append(inner[start:position])
            start = position + 1
    return (*elements, inner[start:]) if inner else ()


def _encode_str(key: str) -> bytes:
    try:
        return key.encode()
    except UnicodeEncodeError as error:
        raise UnsupportedKeyError(
            f"the key {short(key)} holds an unpaired surrogate, which has no UTF-8 form; "
            "decode the input with another error handler, or replace the character"
        ) from error


def _encode_int(key: int) -> bytes:
    if not INT_MIN <= key <= INT_MAX:
        raise UnsupportedKeyError(f"the key {short(key)} does not fit in 64 bits; use str({short(key)})")
    return (key + _SIGN).to_bytes(8, "big")


def _decode_int(data: bytes) -> int:
    return int.from_bytes(data, "big") - _SIGN


def _encode_float(key: float) -> bytes:
    bits: int
    if key != key:
        bits = _NAN
    else:
        (bits,) = struct.unpack(">Q", struct.pack(">d", key + 0.0))
    return ((bits ^ _ALL) if bits & _SIGN else bits | _SIGN).to_bytes(8, "big")


def _decode_float(data: bytes) -> float:
    bits = int.from_bytes(data, "big")
    bits = bits & ~_SIGN if bits & _SIGN else bits ^ _ALL
    value: float = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    return value


_ENCODERS: dict[KeyType, Callable[[Any], bytes]] = {
    "str": _encode_str,
    "bytes": bytes,
    "bool": lambda key: b"\1" if key else b"\0",
    "int": _encode_int,
    "float": _encode_float,
}

_DECODERS: dict[KeyType, Callable[[bytes], Any]] = {
    "str": bytes.decode,
    "bytes": bytes,
    "bool": lambda data: data == b"\1",
    "int": _decode_int,
    "float": _decode_float,
}
