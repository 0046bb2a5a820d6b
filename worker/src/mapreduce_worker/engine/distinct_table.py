"""Pairs to the distinct values of each key: the table of a map attempt whose reducer is `mr.Unique()`.

Often many pairs in a row have one and the same value: an index has the name of the file. While that is so, the table
is no more than that value and the set of its keys; where the value changes, what there is becomes rows. Where values
change all the time, beside each key stand its values. Either way accumulators are merged by their reducer where rows
meet, so that nobody sees in the output how they were held (decision 0060). Neighbours: `fold_table` and `tables` (the
other tables), `mapreduce.selection` (the reducer, whose accumulators these are), `map_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from mapreduce import selection, values
from mapreduce_worker.engine import blocks, failure
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.tables import KEY_MEMORY, PAIR_BYTES, KeyGuard, Mapper

PLACE: Final = 200
"""About what a key takes that stands in the set, and as a row, in bytes; its text up to `PAIR_BYTES` included."""
FEW: Final = 256
"""Keys that are too few for a set and rows of their own."""
PATIENCE: Final = 8
"""So many more values with few keys than with many, and from then on values stand beside their keys."""
VALUES_MEMORY: Final = 240
"""About what a dictionary of a few values takes, in bytes."""
VALUE_MEMORY: Final = 64
"""About what a value takes, besides the bytes of text."""

_DIRECT: Final = frozenset({str, bytes, int})
"""Types of values whose objects are their own marks."""
_NONE: Final = object()
"""Stands for the value where there is none: no value of the user's is this object."""


class DistinctTable:
    """The distinct values of each key, in the order in which each came first, whenever the table is emptied.

    `_value` is the only value of the keys in `_known`. In `_groups`, beside a key stands its only value while that is
    one of `_DIRECT`; else a dictionary of values by their marks. One of `_known` and `_groups` is empty.
    """

    def __init__(self, guard: KeyGuard, memory: int, spill: Callable[[list[bytes], Rows], None]) -> None:
        """Hold about `memory` bytes; `spill` takes the encoded keys, and the rows."""
        self._guard = guard
        self._memory = memory
        self._spill = spill
        self._value: Any = _NONE
        self._known: set[Any] = set()
        self._room = 0
        """How many more keys there is place for."""
        self._short = 0
        self._apart = False
        """Values stand beside their keys, from now on."""
        self._groups: dict[Any, Any] = {}
        self._held = 0

    def consume(self, mapper: Mapper, records: Iterable[Any]) -> None:
        """Map records and keep what is new in every pair; what the mapper raises comes through."""
        if self._apart:
            self._consume_groups(mapper, records)
        else:
            self._consume_run(mapper, records)

    # --- one value of many keys ----------------------------------------------------------

    def _consume_run(self, mapper: Mapper, records: Iterable[Any]) -> None:
        kind: Any = self._guard.fast
        only, known, room = self._value, self._known, self._room
        add, has_text = known.add, kind in (str, bytes)
        for record in records:
            for key, value in mapper(record) or ():
                if value is only and type(key) is kind:
                    if key not in known:
                        room -= 1
                        if room < 0 or not has_text or len(key) > PAIR_BYTES or not key.isascii():
                            room = self._welcome(key, room)
                        add(key)
                else:
                    self._room = room
                    self._take_other(key, value)
                    only, room, kind = self._value, self._room, self._guard.fast
                    has_text = kind in (str, bytes)
        self._room = room

    def _take_other(self, key: Any, value: Any) -> None:
        """Take a pair whose value, or whose key, is not what the last one makes likely."""
        if self._apart:
            self._keep(key, value)
            return
        held = self._guard.admit(key)
        if value is not self._value:
            kept = selection.arrived(value)
            if type(kept) is not type(self._value) or kept != self._value:
                if self._end_run() or type(kept) not in _DIRECT:
                    self._apart, self._value = True, _NONE
                    self._keep(key, value)
                    return
                self._room = self._memory // (PLACE + _size(kept))
            # The same, or another object that is equal to it, as one may be made for each record.
            self._value = kept
        if held not in self._known:
            self._room = self._welcome(held, self._room - 1)
            self._known.add(held)

    def _welcome(self, held: Any, room: int) -> int:
        """Check a new key, and empty a full table; return how many more may come. `room` is without its place."""
        room -= self._guard.weigh_one(held) // PAIR_BYTES
        if room >= 0:
            return room
        with failure.own_work():
            self._empty_run()
        return self._room - 1

    def _end_run(self) -> bool:
        """Let the keys of the value go; tell whether such runs are so short that values should stand beside keys."""
        if self._value is not _NONE:
            self._short = max(0, self._short + (1 if len(self._known) < FEW else -1))
        with failure.own_work():
            self._empty_run()
        return self._short > PATIENCE

    def _empty_run(self) -> None:
        if self._known:
            encoded, acc = self._guard.encoded(self._known), values.encode([self._value])
            self._known.clear()
            self._spill(encoded, blocks.of_one(encoded, acc))
        self._room = self._memory // (PLACE + _size(self._value))

    # --- values beside each key ------------------------------------------------------------

    def _consume_groups(self, mapper: Mapper, records: Iterable[Any]) -> None:
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
                self._empty_groups()

    def _empty_groups(self) -> None:
        if not self._groups:
            return
        encoded = self._guard.encoded(self._groups)
        found = [list(known.values()) if type(known) is dict else [known] for known in self._groups.values()]
        self._groups.clear()
        self._held = 0
        self._spill(encoded, blocks.of_objects(encoded, found))

    def empty(self) -> None:
        """Hand over all rows, with canonical accumulators."""
        self._empty_run()
        self._empty_groups()


def _size(mark: Any) -> int:
    """Return the bytes of a long value; what is no text is there twice, as it is and packed."""
    if isinstance(mark, tuple):
        return 8 * len(mark[0])
    return len(mark) if isinstance(mark, (str, bytes)) else 0
