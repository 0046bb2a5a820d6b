"""A look at the first pairs of a map attempt: a word of two letters would pass for a pair of letters.

The loops of the tables take pairs apart as fast as Python can, and a look at each would be the slowest thing in them;
but who yields words yields them from the beginning. Neighbours: `map_run`, `mapreduce.pairs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from mapreduce.pairs import refuse_text

FIRST: Final = 64
"""Pairs of a record that are looked at, at most: a record may be a whole file."""


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
        if self.seen or not isinstance(found, Iterable):
            return found
        pairs = iter(found)
        return chain(self._checked(islice(pairs, FIRST)), pairs)

    def _checked(self, found: Iterable[Any]) -> Iterator[Any]:
        for pair in found:
            self.seen = True
            refuse_text(pair)
            yield pair
