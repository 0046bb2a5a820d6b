"""Output as text: one record a line, `key TAB value`.

In a str, tab, newline, carriage return and backslash are escaped as in C. Every other type is
JSON, with NaN and Infinity spelled so; bytes are base64.
"""

from __future__ import annotations

import base64
import json
from typing import Any

# Made once: `json.dumps` makes one a call where it is given options.
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
"""What is escaped, and how; the backslash first, as the others bring some."""


def line(key: Any, value: Any) -> bytes:
    """Return one output line, with its newline, as UTF-8."""
    return f"{field(key)}\t{field(value)}\n".encode()


def lines(pairs: list[Any]) -> bytes:
    """Return the lines of many (key, value) pairs, each as `line` gives it."""
    if all(type(key) is str and type(value) is int for key, value in pairs):
        text = "".join([f"{key}\t{value}\n" for key, value in pairs])
        # Without more tabs, line ends or backslashes than these there was nothing to escape.
        count = len(pairs)
        if text.count("\t") == text.count("\n") == count and "\\" not in text and "\r" not in text:
            return text.encode()
    return b"".join([line(key, value) for key, value in pairs])


def field(value: Any) -> str:
    """Return one field: a str escaped, anything else as JSON on one line."""
    kind = type(value)
    if kind is str:
        return _escaped(value) if _needs_escape(value) else value
    if kind is int:
        return str(value)
    if kind is bytes:
        return base64.b64encode(value).decode()
    return _json(plain(value))


def _needs_escape(text: str) -> bool:
    return "\\" in text or "\t" in text or "\n" in text or "\r" in text


def _escaped(text: str) -> str:
    # `str.translate` looks every character up, which takes four to ten times as long.
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return text


def plain(value: Any) -> Any:
    """Return the value as JSON has it: bytes as base64, tuples as lists, keys of dictionaries as fields."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    if isinstance(value, dict):
        made = {(key if isinstance(key, str) else field(key)): plain(element) for key, element in value.items()}
        if len(made) < len(value):
            raise ValueError("two keys of a dictionary are the same text")
        return made
    return value
