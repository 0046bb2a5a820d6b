"""What a map attempt holds in memory where nobody folds or combines: pairs as they come, in two lists.

A dictionary of keys would only gain where keys come again, and costs more than the lists where they do not. A value of
a scalar type is held as it is, so that many of one type become a column; as soon as one is something else, which user
code may change later, all of them are packed. What cannot be carried is found at its own record.
Neighbours: `tables` (the other tables), `map_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from mapreduce import values
from mapreduce_worker.engine import blocks, failure
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.tables import KeyGuard, Mapper, Pairs

PAIR_MEMORY: Final = 140
"""About what a pair takes in Python's memory, besides the bytes of key and value: two objects, two places in lists."""
_NUMBER: Final = 8
_SMALL: Final = 1 << 62


class PairTable:
    """The pairs of one attempt since the last spill; no user code may notice when that was."""

    def __init__(self, guard: KeyGuard, memory: int, spill: Callable[[list[bytes], Rows], None]) -> None:
        """Hold about `memory` bytes; `spill` takes the encoded keys, and the rows."""
        self._guard = guard
        self._memory = memory
        self._spill = spill
        self._keys: list[Any] = []
        self._values: list[Any] = []
        self._packs = False
        """Values are packed, all of them."""
        self._held = 0

    def consume(self, mapper: Mapper, records: Iterable[Any]) -> None:
        """Map records and keep every pair; what the mapper raises comes through."""
        for record in records:
            pairs = mapper(record)
            if pairs is not None:
                self._keep(pairs)

    def _keep(self, pairs: Pairs) -> None:
        guard, limit = self._guard, self._memory
        kind = guard.fast
        for key, value in pairs:
            held = key
            if type(key) is not kind:
                held = guard.admit(key)
                kind = guard.fast
            carried = value
            if type(value) is str and not self._packs and value.isascii():
                size = len(value)
            else:
                carried, size = self._carried(value)
            size += len(held) if kind is str and held.isascii() else guard.weigh_one(held)
            self._keys.append(held)
            self._values.append(carried)
            self._held += size + PAIR_MEMORY
            if self._held >= limit:
                with failure.own_work():
                    self.empty()

    def _carried(self, value: Any) -> tuple[Any, int]:
        """Return a value as it is held, and its bytes; raises for one that cannot be carried."""
        kind = type(value)
        if not self._packs:
            if kind is float or (kind is int and -_SMALL <= value < _SMALL):
                return value, _NUMBER
            if kind in values.SCALARS:
                return value, len(values.encode(value))
            packed = values.encode(value)
            self._values[:] = values.encode_all(self._values)
            self._packs = True
            return packed, len(packed)
        packed = values.encode(value)
        return packed, len(packed)

    def empty(self) -> None:
        """Hand over all pairs."""
        if not self._keys:
            return
        encoded, found, packs = self._guard.encoded(self._keys), self._values, self._packs
        self._keys, self._values, self._packs, self._held = [], [], False, 0
        self._spill(encoded, (blocks.of_packed if packs else blocks.of_objects)(encoded, found))
