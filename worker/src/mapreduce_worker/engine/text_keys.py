"""Distinct text keys: what a distinct table holds of the keys that share a value.

Keys are joined as they come, and made distinct when there is enough of them: by Polars where they are many, which
takes less time than a look at a set for each. Neighbours: `distinct_table` (the caller), `joined_text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mapreduce_worker.engine.joined_text import ROW, JoinedText

if TYPE_CHECKING:
    import polars

MANY: Final = 4096
"""Keys from which on they are a column."""
MOST: Final = 16 << 20
"""Bytes of keys and their places that are made distinct at once, at most."""


class TextKeys:
    """Text keys, each once as soon as they are taken."""

    def __init__(self, limit: int) -> None:
        """Hold about `limit` bytes of keys."""
        self._limit = limit
        self._most = min(MOST, limit // 2)
        self._joined = JoinedText()
        self._held: list[polars.Series] = []
        self._size = 0
        self.beside = 0
        """Bytes that each key will have beside it."""

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._held or self._joined.count)

    @property
    def are_many(self) -> bool:
        """Tell whether they are to be taken as a column."""
        return bool(self._held) or self._joined.count >= MANY

    def add(self, keys: Sequence[Any]) -> int:
        """Take keys; return how many bytes they are, or -1 if one is not of text that can be joined."""
        return self._joined.add(keys)

    @property
    def is_enough(self) -> bool:
        """Tell whether it is time to `settle`."""
        return self._joined.size + self.beside * self._joined.count >= self._most

    def settle(self) -> bool:
        """Make distinct what was added; tell whether it is time to take all."""
        if self._joined.count:
            self._hold(self._joined.take_column())
        if self._size > self._limit // 2 and len(self._held) > 1:
            import polars  # noqa: PLC0415 - few keys do without

            held, self._held, self._size = self._held, [], 0
            self._hold(polars.concat(held))
        return self._size > self._limit // 2

    def _hold(self, keys: polars.Series) -> None:
        # To know that there is nothing to do takes a third of doing it.
        found = keys if keys.n_unique() == len(keys) else keys.unique()
        self._held.append(found)
        self._size += int(found.estimated_size()) + (ROW + self.beside) * len(found)

    def take_column(self) -> polars.Series:
        """Remove and return all keys, of which there are some, each once, as a column `key`."""
        import polars  # noqa: PLC0415 - few keys do without

        self.settle()
        if len(self._held) > 1:
            held, self._held = self._held, []
            self._hold(polars.concat(held))
        (found,), self._held, self._size = self._held, [], 0
        return found

    def take_list(self) -> list[str]:
        """Remove and return all keys, some of them several times."""
        found = self.take_column().to_list() if self._held else []
        return found + self._joined.take_list() if self._joined.count else found
