"""Pairs to the distinct values of each key: the table of a map attempt whose reducer is `mr.Unique()`.

What a key has already is passed over at the speed of a dictionary, and needs no memory. Neighbours: `fold_table`
and `tables` (the other tables), `mapreduce.selection` (the reducer, whose accumulators these are), `map_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from mapreduce import selection
from mapreduce_worker.engine import failure
from mapreduce_worker.engine.tables import KEY_MEMORY, KeyGuard, Mapper, Rows

VALUES_MEMORY: Final = 240
"""About what a dictionary of a few values takes, in bytes."""
VALUE_MEMORY: Final = 64
"""About what a value takes, besides the bytes of text."""

_DIRECT: Final = frozenset({str, bytes, int})
"""Types of values whose objects are their own marks."""


class DistinctTable:
    """The distinct values of each key, in the order in which each came first, whenever the table is emptied.

    Beside a key stands its only value, while that is one of `_DIRECT`; else a dictionary of values by their marks.
    """

    def __init__(self, guard: KeyGuard, memory: int, spill: Callable[[Rows], None]) -> None:
        """Spill when keys and values take about `memory` bytes."""
        self._guard = guard
        self._memory = memory
        self._spill = spill
        self._groups: dict[Any, Any] = {}
        self._held = 0

    def consume(self, mapper: Mapper, records: Iterable[Any]) -> None:
        """Map records and keep what is new in every pair; what the mapper raises comes through."""
        kind: Any = self._guard.fast
        get, direct = self._groups.get, _DIRECT
        for record in records:
            for key, value in mapper(record) or ():
                if type(key) is kind and type(value) in direct:
                    known = get(key)
                    if known is value or (type(known) is dict and value in known):
                        continue
                self._keep(key, value)
                kind = self._guard.fast

    def _keep(self, key: Any, value: Any) -> None:
        held = self._guard.admit(key)
        kept = selection.arrived(value)
        mark = selection.mark(kept)
        known = self._groups.get(held)
        if known is None:
            self._held += self._guard.weigh_one(held) + KEY_MEMORY
            if mark is not kept:
                self._held += VALUES_MEMORY
            self._groups[held] = kept if mark is kept else {mark: kept}
        elif type(known) is not dict:
            if type(known) is type(kept) and known == kept:
                return
            self._held += VALUES_MEMORY
            self._groups[held] = {known: known, mark: kept}
        elif mark in known:
            return
        else:
            known[mark] = kept
        self._held += VALUE_MEMORY + _size(mark)
        if self._held >= self._memory:
            with failure.own_work():
                self._spill(self.take())

    def take(self) -> Rows:
        """Remove and return all rows, with canonical accumulators."""
        encoded = self._guard.encoded(self._groups)
        found = [list(known.values()) if type(known) is dict else [known] for known in self._groups.values()]
        self._groups.clear()
        self._held = 0
        return encoded, found


def _size(mark: Any) -> int:
    """Return the bytes of a long value; what is no text is there twice, as it is and packed."""
    if isinstance(mark, tuple):
        return 8 * len(mark[0])
    return len(mark) if isinstance(mark, (str, bytes)) else 0
