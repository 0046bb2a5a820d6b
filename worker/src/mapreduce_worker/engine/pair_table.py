"""What a map attempt holds in memory where nobody folds or combines: pairs as they come, in two lists.

A dictionary of keys would only gain where keys come again, and costs more than the lists where they do not. What cannot
be carried is found at its own record.
Neighbours: `tables` (the other tables), `map_run`, `value_list` (the values).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from mapreduce import values
from mapreduce_worker.engine import failure
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.tables import KeyGuard, Mapper, Pairs
from mapreduce_worker.engine.value_list import ValueList

PAIR_MEMORY: Final = 140
"""About what a pair takes in Python's memory, besides the bytes of key and value: two objects, two places in lists."""


class PairTable:
    """The pairs of one attempt since the last spill; no user code may notice when that was."""

    def __init__(self, guard: KeyGuard, memory: int, spill: Callable[[list[bytes], Rows], None]) -> None:
        """Hold about `memory` bytes; `spill` takes the encoded keys, and the rows."""
        self._guard = guard
        self._memory = memory
        self._spill = spill
        self._keys: list[Any] = []
        self._values = ValueList(values.encode)
        self._held = 0

    def consume(self, mapper: Mapper, records: Iterable[Any]) -> None:
        """Map records and keep every pair; what the mapper raises comes through."""
        for record in records:
            pairs = mapper(record)
            if pairs is not None:
                self._keep(pairs)

    def _keep(self, pairs: Pairs) -> None:
        guard, limit, found = self._guard, self._memory, self._values
        kind = guard.fast
        for key, value in pairs:
            held = key
            if type(key) is not kind:
                held = guard.admit(key)
                kind = guard.fast
            carried = value
            if type(value) is str and not found.packs and value.isascii():
                size = len(value)
            else:
                carried, size = found.carried(value)
            size += len(held) if kind is str and held.isascii() else guard.weigh_one(held)
            self._keys.append(held)
            found.found.append(carried)
            self._held += size + PAIR_MEMORY
            if self._held >= limit:
                with failure.own_work():
                    self.empty()

    def empty(self) -> None:
        """Hand over all pairs."""
        if not self._keys:
            return
        encoded = self._guard.encoded(self._keys)
        self._keys, self._held = [], 0
        self._spill(encoded, self._values.taken(encoded))
