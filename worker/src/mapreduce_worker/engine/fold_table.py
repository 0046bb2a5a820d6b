"""Pairs, or keys alone, to one accumulator a key: the table of a map attempt whose reducer folds.

The loops in here are the innermost of most jobs. All names in them are local, and what most pairs need is
done at the speed of the interpreter's own dictionary. Where keys are text and many, those that count one leave it
for columns. Neighbours: `pump` (gathers keys), `text_counts` (the columns), `distinct_table` and `tables` (the other
tables, and `KeyGuard`), `map_run`, `mapreduce.reducers`.
"""

from __future__ import annotations

from collections import _count_elements  # type: ignore[attr-defined]  # `Counter.update` without its ceremony
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mapreduce.errors import UnsupportedKeyError
from mapreduce.reducers import Count, IntegerSum, Reducer, Sum
from mapreduce_worker.engine import blocks, failure, folding, pump
from mapreduce_worker.engine.pump import Pump
from mapreduce_worker.engine.tables import PAIR_BYTES, KeyGuard, Mapper, Rows

if TYPE_CHECKING:
    from mapreduce_worker.engine.text_counts import TextCounts

MANY: Final = 4096
"""Keys of text from which on columns count them: their dictionary no longer lies in a core's own cache."""
MAX_ROOM: Final = 8192
"""New keys between two looks at the table's size, at most."""
_ABSENT: Final = object()


class FoldTable:
    """One accumulator a key. Its rows do not depend on when it spills: accumulators merge exactly."""

    def __init__(
        self,
        reducer: Reducer,
        guard: KeyGuard,
        limit: int,
        spill: Callable[[Rows], None],
        spill_rows: Callable[[blocks.Rows], None],
        look_back: Callable[[int], None],
    ) -> None:
        """Spill when encoded keys and `PAIR_BYTES` a key reach `limit`; `look_back`: see `pump.Pump`.

        `spill_rows` takes what columns have counted.
        """
        self._reducer = reducer
        self._guard = guard
        self._limit = limit
        self._spill = spill
        self._spill_rows = spill_rows
        self._sums: dict[Any, int] = {}
        self._accs: dict[Any, Any] = {}
        self._held = 0
        self._weighed = 0
        self._room = 0
        self._most = pump.ENOUGH
        self._pump = Pump(self._count, self._count_carefully, look_back)
        self._is_sum = type(reducer) in (Sum, IntegerSum)
        self._text: TextCounts | None = None
        self._may_be_text = self._is_sum or type(reducer) is Count
        self._gathered = self._others = 0

    def consume(self, mapper: Mapper, records: Iterable[Any]) -> None:
        """Map records and fold every pair; what the mapper raises comes through."""
        if self._reducer.keys_only:
            self._pump.run(mapper, records)
        elif not self._is_sum:
            self._consume_folds(mapper, records)
        elif self._text is None:
            self._consume_sums(mapper, records)
        else:
            self._pump.run_pairs(mapper, records, 1, self._add)
            if self._others > self._gathered:
                # Nearly every number is another than 1: the dictionary is faster.
                self._may_be_text = False
                self.take_text()
        if self._may_be_text and self._text is None and len(self._sums) >= MANY:
            with failure.own_work():
                self._begin_text()

    # --- text that columns count --------------------------------------------------------

    def _begin_text(self) -> None:
        # Only here: it brings polars, which a table of so many keys needs in any case.
        from mapreduce_worker.engine.text_counts import TextCounts  # noqa: PLC0415 - see above

        self._may_be_text = False
        if self._guard.key_type != "str":
            return
        text = TextCounts(self._limit // 2)
        if text.begin_with(self._sums):
            self._may_be_text = True
            self._text = text
            self._sums.clear()
            self._held = self._weighed = self._room = 0

    def take_text(self) -> None:
        """Hand over what columns have counted."""
        if self._text is not None:
            with failure.own_work():
                self._spill_rows(self._text.take())
            self._text = None

    def _count_text(self, text: TextCounts, chunk: list[Any]) -> int:
        size = text.add(chunk)
        if size < 0:
            return 0
        self._gathered += len(chunk)
        if text.is_enough:
            with failure.own_work():
                if text.count():
                    self._spill_rows(text.take())
        return max(1, min(pump.ENOUGH, self._limit // 4 * len(chunk) // max(1, size)))

    def _add(self, key: Any, value: Any) -> int:
        """Add a number other than 1 to the dictionary."""
        self._others += 1
        if type(key) is self._guard.fast and type(value) is int:
            known = self._sums.get(key)
            if known is None:
                self._room = self._welcome(key, self._room - 1)
            self._sums[key] = value if known is None else known + value
        else:
            self._pump.hand_on()
            self._fold(key, value)
        return 1

    # --- keys alone ---------------------------------------------------------------------

    def _count(self, chunk: list[Any]) -> int:
        """Count keys all at once, if they are what dictionary keys may be; see `pump.Take`."""
        if self._text is not None:
            return self._count_text(self._text, chunk)
        kind: Any = self._guard.fast
        if set(map(type, chunk)) != {kind}:
            return 0
        sums = self._sums
        before = len(sums)
        _count_elements(sums, chunk)
        if new := len(sums) - before:
            added = list(islice(reversed(sums), new))
            try:
                size = self._guard.weigh(added)
            except UnsupportedKeyError:
                # One has no encoding. Which, and in which record, is found where each is weighed by itself: that
                # ends the attempt, so that it does not matter how often the others are counted.
                for key in added:
                    del sums[key]
                return 0
            self._room -= max(new, _places(size + PAIR_BYTES * new))
            if size > new * PAIR_BYTES:
                self._most = max(1, min(self._most, self._limit // 4 * new // size))
            if self._room < 0:
                self._room = self._settle()
        return self._most

    def _count_carefully(self, chunk: list[Any]) -> None:
        sums = self._sums
        for key in chunk:
            held = self._guard.admit(key)
            known = sums.get(held)
            if known is None:
                self._room = self._welcome(held, self._room - 1)
            sums[held] = 1 if known is None else known + 1

    # --- sums ---------------------------------------------------------------------------

    def _consume_sums(self, mapper: Mapper, records: Iterable[Any]) -> None:
        # The innermost loop of most jobs: every name is local, `one` spares the common constant
        # value a look at its type, and most new keys only count `room` down.
        kind: Any = self._guard.fast
        sums, one, room = self._sums, 1, self._room
        get, has_text = sums.get, kind in (str, bytes)
        for record in records:
            for key, value in mapper(record) or ():
                if type(key) is kind and (value is one or type(value) is int):
                    known = get(key)
                    if known is None:
                        room -= 1
                        if room < 0 or not has_text or len(key) > PAIR_BYTES or not key.isascii():
                            room = self._welcome(key, room)
                        sums[key] = value
                    else:
                        sums[key] = known + value
                else:
                    self._room = room
                    self._fold(key, value)
                    room, kind = self._room, self._guard.fast
                    has_text = kind in (str, bytes)
        self._room = room

    # --- any other accumulator ----------------------------------------------------------

    def _consume_folds(self, mapper: Mapper, records: Iterable[Any]) -> None:
        kind: Any = self._guard.fast
        accs, add, few = self._accs, self._reducer.add, self._reducer.few_numbers
        get = accs.get
        for record in records:
            for key, value in mapper(record) or ():
                acc = get(key, _ABSENT) if type(key) is kind else _ABSENT
                if acc is _ABSENT:
                    self._fold(key, value)
                    kind = self._guard.fast
                    continue
                try:
                    new = add(acc, value)
                except TypeError as error:
                    raise folding.told(key, error) from error
                if new is not acc:
                    accs[key] = new
                    if not few:
                        self._reweigh(acc, new)

    def _fold(self, key: Any, value: Any) -> None:
        held = self._guard.admit(key)
        if self._is_sum and type(value) is int:
            known = self._sums.get(held)
            if known is None:
                self._room = self._welcome(held, self._room - 1)
            self._sums[held] = value if known is None else known + value
            return
        try:
            acc = self._accs.get(held, _ABSENT)
            new = self._reducer.start(value) if acc is _ABSENT else self._reducer.add(acc, value)
        except TypeError as error:
            raise folding.told(key, error) from error
        if acc is _ABSENT:
            self._room = self._welcome(held, self._room - 1)
            self._held += self._guard.weigh_one(held) + PAIR_BYTES
            self._accs[held] = new
            if not self._reducer.few_numbers:
                self._reweigh(0, new)
        elif new is not acc:
            self._accs[held] = new
            if not self._reducer.few_numbers:
                self._reweigh(acc, new)

    def _reweigh(self, old: Any, new: Any) -> None:
        """Note that an accumulator has another size now; spill a full table."""
        weigh = self._reducer.weigh
        self._held += weigh(new) - (weigh(old) if old else 0)
        if self._held >= self._limit:
            self._room = self._settle()

    def _welcome(self, held: Any, room: int) -> int:
        """Check a new key, which is not in the table yet; return how many more may come before the next look.

        `room` is without the key's own place; a long key takes the places of several.
        """
        more = _places(self._guard.weigh_one(held) + PAIR_BYTES - 1)
        return room - more if room >= more else self._settle() - more

    def _settle(self) -> int:
        """Weigh the keys that are new among the sums, and spill a full table."""
        new = len(self._sums) - self._weighed
        self._held += self._guard.weigh(list(islice(reversed(self._sums), new))) + PAIR_BYTES * new
        self._weighed += new
        if self._held >= self._limit:
            with failure.own_work():
                self._spill(self.take())
        return min(MAX_ROOM, _places(self._limit - self._held))

    def take(self) -> Rows:
        """Remove and return all rows, with canonical accumulators."""
        encoded, accs = self._guard.encoded(self._sums), list(self._sums.values())
        if self._accs:
            merged: dict[bytes, Any] = dict(zip(encoded, accs, strict=True))
            for key, acc in zip(self._guard.encoded(self._accs), self._accs.values(), strict=True):
                merged[key] = self._reducer.merge(merged[key], acc) if key in merged else acc
            encoded, accs = list(merged), list(map(self._reducer.canonical, merged.values()))
        self._sums.clear()
        self._accs.clear()
        self._held = self._weighed = 0
        return encoded, accs


def _places(size: int) -> int:
    """Return how many keys of ordinary length so many bytes are, places in the table included."""
    return size // (2 * PAIR_BYTES)
