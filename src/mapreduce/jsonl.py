"""Output as lines of JSON: one record a line, `{"key": …, "value": …}` without spaces.

Bytes are base64. JSON has no NaN and no infinity, so that they are the strings "NaN", "Infinity" and
"-Infinity". Neighbour: `tsv`, the other format.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from mapreduce import tsv

_encode = msgspec.json.Encoder().encode
# Made once: `json.dumps` makes one a call where it is given options.
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_DIRECT = (str, int, bool, type(None))


def line(key: Any, value: Any) -> bytes:
    """Return one output line, with its newline, as UTF-8."""
    return b'{"key":%b,"value":%b}\n' % (field(key), field(value))


def lines(pairs: list[Any]) -> bytes:
    """Return the lines of many (key, value) pairs, each as `line` gives it."""
    return b"".join([b'{"key":%b,"value":%b}\n' % (field(key), field(value)) for key, value in pairs])


def field(value: Any) -> bytes:
    """Return one value as JSON on one line."""
    if type(value) in _DIRECT:
        return _encode(value)
    plain = tsv.plain(value)
    try:
        text = _json(plain)
    except ValueError:
        text = _json(_named(plain))
    return text.encode()


def _named(value: Any) -> Any:
    """Replace each number that JSON lacks by its name."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [_named(element) for element in value]
    if isinstance(value, dict):
        return {key: _named(element) for key, element in value.items()}
    return value
