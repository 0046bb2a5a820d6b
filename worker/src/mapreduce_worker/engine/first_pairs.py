"""A look at the first pairs of a map attempt: a word of two letters would pass for a pair of letters.

The loops of the tables take pairs apart as fast as Python can, and a look at each would be the slowest thing in them;
but who yields words yields them from the beginning. Neighbours: `map_run`, `mapreduce.pairs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mapreduce.pairs import refuse_text


class FirstPairs:
    """A mapper that raises `TypeError` for text in the place of a pair, in the first record that yields anything.

    After that `seen` is true, and who calls may take the mapper itself.
    """

    def __init__(self, mapper: Callable[[Any], Any]) -> None:
        """Take the mapper."""
        self._mapper = mapper
        self.seen = False

    def __call__(self, record: Any) -> Any:
        """Return what the mapper does for a record."""
        found = self._mapper(record)
        return self._checked(found) if not self.seen and isinstance(found, Iterable) else found

    def _checked(self, found: Iterable[Any]) -> Iterator[Any]:
        for pair in found:
            self.seen = True
            refuse_text(pair)
            yield pair
