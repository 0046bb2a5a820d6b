"""How much of a text is shown: whoever wrote it may have meant no good.

Neighbours: `fold.py` and `grouping.py`, which let no text through that did not pass here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WORD: Final = 100
NAME: Final = 253
KEY: Final = 64
MESSAGE: Final = 2000
WHERE: Final = 2000
TRACEBACK: Final = 8 << 10
LOG: Final = 4 << 10
VALUE: Final = 1000
ENTRIES: Final = 1000
"""Of a mapping, or a list of names."""


def start(text: str, most: int) -> str:
    """Return the beginning of a text, of so many characters, as UTF-8 can carry it."""
    return _sendable(text if len(text) <= most else f"{text[: most - 1]}…")


def end(text: str, most: int) -> str:
    """Return the end of a text: what went wrong stands there."""
    return _sendable(text if len(text) <= most else f"…{text[len(text) - most + 1 :]}")


def texts(given: Mapping[str, str]) -> dict[str, str]:
    """Return the first entries of a mapping, each cut."""
    return {start(name, NAME): start(given[name], VALUE) for name in list(given)[:ENTRIES]}


def numbers(given: Mapping[str, int]) -> dict[str, int]:
    """Return the first entries of a mapping to numbers, in the order of their names, which are cut."""
    return {start(name, NAME): given[name] for name in sorted(given)[:ENTRIES]}


def _sendable(text: str) -> str:
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()
