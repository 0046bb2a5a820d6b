"""Text keys as they come, joined to one text a chunk: side by side they are read at once, and no object stays.

Whoever holds them (`text_counts`, `text_keys`) takes them as a column, or few of them as a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import polars

BETWEEN: Final = "\n"
"""Stands between keys; a key that has one in it is refused, and nearly none has."""
ROW: Final = 16
"""Bytes that a key takes in a column, besides its own."""


class JoinedText:
    """Text keys, in their order."""

    def __init__(self) -> None:
        """Begin with none."""
        self._texts: list[str] = []
        self.count = 0
        """How many keys there are."""
        self.size = 0
        """About the bytes that they take as a column."""

    def add(self, keys: Sequence[Any]) -> int:
        """Take keys; return how many bytes they are, or -1 if one is not of text that can be joined."""
        if list(map(type, keys)).count(str) != len(keys):
            return -1
        text = BETWEEN.join(keys)
        size = len(text)
        if text.count(BETWEEN) != len(keys) - 1:
            return -1
        if not text.isascii():
            try:
                size = len(text.encode())
            except UnicodeEncodeError:
                return -1
        self._texts.append(text)
        self.count += len(keys)
        self.size += size + ROW * len(keys)
        return size

    def take_column(self) -> polars.Series:
        """Remove and return all keys, of which there are some, as a column `key`."""
        import polars  # noqa: PLC0415 - few keys do without

        return polars.Series("key", [self._take()]).str.split(BETWEEN).explode()

    def take_list(self) -> list[str]:
        """Remove and return all keys, of which there are some."""
        return self._take().split(BETWEEN)

    def _take(self) -> str:
        text = BETWEEN.join(self._texts)
        self._texts, self.count, self.size = [], 0, 0
        return text
