"""Pairs to the distinct values of each key: the table of a map attempt whose reducer is `mr.Unique()`.

Often many pairs in a row have one and the same value: an index has the name of the file. While that is so, the table
is no more than that value and its keys: text as it comes, any others as a set. Where the value changes, what there is
becomes rows. Where values change all the time, beside each key stand its values. Either way accumulators are merged by
their reducer where rows meet, so that nobody sees in the output how they were held (decisions 0060, 0063). Neighbours:
`pump` (gathers keys), `text_keys` (those that are text), `fold_table` and `tables` (the other tables),
`mapreduce.selection` (the reducer, whose accumulators these are), `map_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from mapreduce import selection, values
from mapreduce.errors import UnsupportedKeyError
from mapreduce_worker.engine import blocks, columns, failure, pump
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.pump import Pump
from mapreduce_worker.engine.tables import KEY_MEMORY, PAIR_BYTES, KeyGuard, Mapper
from mapreduce_worker.engine.text_keys import TextKeys

PLACE: Final = 200
"""About what a key takes that stands in the set, and as a row, in bytes; its text up to `PAIR_BYTES` included."""
FEW: Final = 256
"""Keys that are too few for a set and rows of their own."""
LONG: Final = 1024
"""Bytes of a value from which on its keys are counted one by one."""
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

    `_value` is the only value of the keys in `_texts` and `_known`, which may have some in common. In `_groups`, beside
    a key stands its only value while that is one of `_DIRECT`; else a dictionary of values by their marks. Either those
    two or `_groups` are empty.
    """

    def __init__(
        self,
        guard: KeyGuard,
        memory: int,
        spill: Callable[[list[bytes], Rows], None],
        spill_rows: Callable[[Rows], None],
        look_back: Callable[[int], None],
    ) -> None:
        """Hold about `memory` bytes; `spill` takes the encoded keys, and the rows; `spill_rows` rows of many text keys.

        look_back: see `pump.Pump`.
        """
        self._guard = guard
        self._memory = memory
        self._spill = spill
        self._spill_rows = spill_rows
        self._pump = Pump(self._add, self._add_carefully, look_back)
        self._value: Any = _NONE
        self._texts = TextKeys(memory // 2)
        self._known: set[Any] = set()
        self._room = 0
        """How many more keys there is place for in `_known`."""
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
            self._pump.run_pairs(mapper, records, self._value, self._take_other)

    # --- one value of many keys ----------------------------------------------------------

    def _take_other(self, key: Any, value: Any) -> Any:
        """Take a pair whose value is not the object that the last one had; return the value of the run from now on."""
        if not self._apart and not self._is_same(value):
            self._pump.hand_on()
            self._guard.admit(key)
            kept = selection.arrived(value)
            if self._end_run() or type(kept) not in _DIRECT:
                self._apart, self._value = True, _NONE
            else:
                self._value, self._texts.beside = kept, _size(kept)
                self._room = self._memory // (PLACE + _size(kept))
        if self._apart:
            self._keep(key, value)
            return _NONE
        self._pump.gather(key)
        return value

    def _is_same(self, value: Any) -> bool:
        """Tell whether this is the value of the run: another object, as one may be made for each record."""
        return type(value) is type(self._value) and value == self._value

    def _add(self, chunk: list[Any]) -> int:
        """Take keys of the value all at once, if they are what a set may hold; see `pump.Take`."""
        guard, kind = self._guard, self._guard.fast
        if self._texts.beside > LONG:
            return 0
        if guard.key_type == "str" and (size := self._texts.add(chunk)) >= 0:
            if self._texts.is_enough:
                with failure.own_work():
                    if self._texts.settle():
                        self._empty_run()
            return max(1, min(pump.ENOUGH, self._memory // 8 * len(chunk) // max(1, size)))
        if set(map(type, chunk)) != {kind}:
            return 0
        new = set(chunk).difference(self._known)
        try:
            size = guard.weigh(list(new))
        except UnsupportedKeyError:
            # Which one, and in which record, is found where each is weighed by itself.
            return 0
        self._known |= new
        places = max(len(new), size // PAIR_BYTES)
        self._room -= places
        if self._room <= 0:
            with failure.own_work():
                self._empty_run()
        return max(1, min(pump.ENOUGH, self._room * len(chunk) // max(len(chunk), places)))

    def _add_carefully(self, chunk: list[Any]) -> None:
        for key in chunk:
            held = self._guard.admit(key)
            if held not in self._known:
                self._room -= 1 + self._guard.weigh_one(held) // PAIR_BYTES
                if self._room < 0:
                    with failure.own_work():
                        self._empty_run()
                    self._room -= 1
                self._known.add(held)

    def _end_run(self) -> bool:
        """Let the keys of the value go; tell whether such runs are so short that values should stand beside keys."""
        ended = self._value is not _NONE
        with failure.own_work():
            count = self._empty_run()
        if ended:
            self._short = max(0, self._short + (1 if count < FEW else -1))
        return self._short > PATIENCE

    def _empty_run(self) -> int:
        """Let the keys of the value go, and return how many there were; it may have others later."""
        if self._texts and self._known and self._texts.add(list(self._known)) >= 0:
            self._known.clear()
        count = 0
        if self._texts.are_many and not self._known:
            rows = columns.of_text(self._texts.take_column(), values.encode([self._value]))
            count = rows.count
            self._spill_rows(rows)
        elif self._texts or self._known:
            if self._texts:
                self._known.update(self._texts.take_list())
            count = len(self._known)
            encoded, acc = self._guard.encoded(self._known), values.encode([self._value])
            self._known.clear()
            self._spill(encoded, blocks.of_one(encoded, acc))
        self._room = self._memory // (PLACE + _size(self._value))
        return count

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
