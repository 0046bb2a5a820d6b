"""Pairs to sorted rows: what a map attempt holds in memory, and how it is emptied.

Two tables: `FoldTable` for built-in reducers holds one accumulator a key; `GroupTable` holds the
packed values of each key, for everybody else. Both are dictionaries over the user's own key
objects where this is safe, so that a key is encoded once and not once a pair. `KeyGuard` sees to
the safety: to a dictionary True, 1 and 1.0 are one key, and every NaN is another.

When a table is full it calls `spill` with rows in key order and starts anew; a spill may come in
the middle of a record. What comes out must not depend on when that happens: see `map_task`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Final

from mapreduce import keys, values
from mapreduce.errors import MixedKeyError, UnsupportedKeyError, UserError
from mapreduce.keys import KeyType
from mapreduce.reducers import Reducer, Sum
from mapreduce_worker.engine import failure

PAIR_BYTES: Final = 64
"""Added to the encoded bytes of each pair, or of each key of a fold: its place in the table."""
KEY_MEMORY: Final = 300
"""About what a key takes in Python's memory, besides its bytes: object, dictionary, list."""
VALUE_MEMORY: Final = 48

_HASHABLE: Final = (str, bytes, int, bool)
_by_key = itemgetter(0)

Rows = tuple[list[bytes], list[Any]]
"""Encoded keys in order, and beside each its accumulator, or the list of its packed values."""
Mapper = Callable[[Any], Iterable[tuple[Any, Any]] | None]


class _NoType:
    """The type of nothing: no key is of it, so every pair takes the careful way."""


class KeyGuard:
    """Checks that all keys of an attempt have one exact type, and makes dictionary keys of them."""

    def __init__(self, where: Callable[[], str]) -> None:
        """Take the function that tells the current record's place."""
        self._where = where
        self.key_type: KeyType = ""
        self.key_at = ""
        self.fast: type = _NoType
        """The exact type whose objects are their own dictionary keys."""
        self._shape: tuple[type, ...] = ()
        self._encoded = False
        self.encode: Callable[[Any], bytes] = keys.encode

    def admit(self, key: Any) -> Any:
        """Return the dictionary key of `key`; raises for a key of another type than the first."""
        if self._shape and type(key) is tuple and tuple(map(type, key)) == self._shape:
            return self.encode(key) if self._encoded else key
        actual = keys.type_of(key)
        if actual != self.key_type:
            if self.key_type:
                raise MixedKeyError(
                    f"key {_short(key)} is {actual}, but the first key, at {self.key_at}, is {self.key_type}"
                )
            self._adopt(key, actual)
        return self.encode(key) if self._encoded else key

    def _adopt(self, key: Any, actual: KeyType) -> None:
        self.encode = keys.encoder(actual)
        self.encode(key)
        self.key_type, self.key_at = actual, self._where()
        # NaN is not equal to itself, -0.0 is equal to 0.0: floats are told apart by their encoding.
        self._encoded = "float" in actual
        if type(key) in _HASHABLE:
            self.fast = type(key)
        elif type(key) is tuple and not any(type(element) is tuple for element in key):
            self._shape = tuple(map(type, key))

    def weigh(self, held: Any) -> int:
        """Return the encoded length of a dictionary key; raises `UnsupportedKeyError` if it has no encoding."""
        kind = type(held)
        if kind is str and held.isascii():
            return len(held)
        return len(held) if self._encoded or kind is bytes else len(self.encode(held))

    def encoded(self, held: Iterable[Any]) -> list[bytes]:
        """Encode dictionary keys."""
        if self._encoded:
            return list(held)
        return list(map(str.encode if self.fast is str else self.encode, held))


class _IntSums(dict[Any, int]):
    """Integer sums. A new key is weighed before its first value is added to zero."""

    __slots__ = ("welcome",)
    welcome: Callable[[Any], None]

    def __missing__(self, key: Any) -> int:
        self.welcome(key)
        return 0


class FoldTable:
    """One accumulator a key. Its rows do not depend on when it spills: accumulators merge exactly."""

    def __init__(self, reducer: Reducer, guard: KeyGuard, limit: int, spill: Callable[[Rows], None]) -> None:
        """Spill when encoded keys and `PAIR_BYTES` a key reach `limit`."""
        self._reducer = reducer
        self._guard = guard
        self._limit = limit
        self._spill = spill
        self._held = 0
        self._sums = _IntSums()
        self._sums.welcome = self._welcome
        self._accs: dict[Any, Any] = {}
        self._is_sum = type(reducer) is Sum

    def consume(self, mapper: Mapper, records: Iterable[Any]) -> None:
        """Map records and fold every pair; what the mapper raises comes through."""
        if self._is_sum:
            self._consume_sums(mapper, records)
        else:
            for record in records:
                for key, value in mapper(record) or ():
                    self._fold(key, value)

    def _consume_sums(self, mapper: Mapper, records: Iterable[Any]) -> None:
        # The innermost loop of most jobs: every name is local, and `one` spares the common
        # constant value a look at its type.
        sums, kind, one = self._sums, self._guard.fast, 1
        for record in records:
            for key, value in mapper(record) or ():
                if type(key) is kind and (value is one or type(value) is int):
                    sums[key] += value
                else:
                    self._fold(key, value)
                    kind = self._guard.fast

    def _fold(self, key: Any, value: Any) -> None:
        held = self._guard.admit(key)
        if self._is_sum and type(value) is int:
            self._sums[held] += value
            return
        accs = self._accs
        try:
            acc = self._reducer.add(accs[held], value) if held in accs else self._reducer.start(value)
        except TypeError as error:
            raise UserError(f"key {_short(key)}: {error}") from error
        if held not in accs:
            self._welcome(held)
        accs[held] = acc

    def _welcome(self, held: Any) -> None:
        self._held += self._guard.weigh(held) + PAIR_BYTES
        if self._held >= self._limit:
            with failure.own_work():
                self._spill(self.take())

    def take(self) -> Rows:
        """Remove and return all rows, in key order."""
        if self._accs:
            merged: dict[bytes, Any] = dict(zip(self._guard.encoded(self._sums), self._sums.values(), strict=True))
            for encoded, acc in zip(self._guard.encoded(self._accs), self._accs.values(), strict=True):
                merged[encoded] = self._reducer.merge(merged[encoded], acc) if encoded in merged else acc
            rows = sorted(merged.items(), key=_by_key)
        elif self._guard.fast in (str, bytes):
            # The order of str is that of its UTF-8 bytes.
            ordered = sorted(self._sums.items(), key=_by_key)
            encoded_keys = self._guard.encoded(key for key, _ in ordered)
            rows = list(zip(encoded_keys, (acc for _, acc in ordered), strict=True))
        else:
            rows = sorted(zip(self._guard.encoded(self._sums), self._sums.values(), strict=True), key=_by_key)
        self._sums.clear()
        self._accs.clear()
        self._held = 0
        canonical = self._reducer.canonical
        return [key for key, _ in rows], [acc if type(acc) is int else canonical(acc) for _, acc in rows]


class GroupTable:
    """The packed values of each key, in the order of their emission.

    Two limits. `flush_limit` counts encoded bytes and `PAIR_BYTES` a pair, and nothing else, so that
    it is reached at the same pair in every run: there the user's combiner is called. `memory`
    bounds what is held in between; reaching it spills, and no user code may notice.
    """

    def __init__(
        self,
        guard: KeyGuard,
        flush_limit: int,
        memory: int,
        spill: Callable[[Rows], None],
        flush: Callable[[Rows], None],
    ) -> None:
        """Take the limits in bytes, and whom to call when they are reached."""
        self._guard = guard
        self._flush_limit = flush_limit
        self._memory = memory
        self._spill = spill
        self._flush = flush
        self._groups: dict[Any, list[bytes]] = {}
        self._counted = 0
        self._held = 0

    def consume(self, mapper: Mapper, records: Iterable[Any]) -> None:
        """Map records and keep every pair; what the mapper raises comes through."""
        groups, guard, pack = self._groups, self._guard, values.encode
        kind = guard.fast
        for record in records:
            for key, value in mapper(record) or ():
                held = key
                if type(key) is not kind:
                    held = guard.admit(key)
                    kind = guard.fast
                packed = pack(value)
                if held in groups:
                    groups[held].append(packed)
                else:
                    self._held += guard.weigh(held) + KEY_MEMORY
                    groups[held] = [packed]
                self._count(held, packed)

    def _count(self, held: Any, packed: bytes) -> None:
        size = len(packed)
        # A key counts with every pair, so that a spill in between changes nothing.
        self._counted += self._guard.weigh(held) + size + PAIR_BYTES
        self._held += size + VALUE_MEMORY
        if self._counted >= self._flush_limit:
            self._counted = 0
            with failure.own_work():
                self._flush(self.take())
        elif self._held >= self._memory:
            with failure.own_work():
                self._spill(self.take())

    def take(self) -> Rows:
        """Remove and return all rows, in key order: with each key the list of its packed values."""
        encoded = self._guard.encoded(self._groups)
        rows = sorted(zip(encoded, self._groups.values(), strict=True), key=_by_key)
        self._groups.clear()
        self._held = 0
        return [key for key, _ in rows], [group for _, group in rows]


def flat(rows: Rows) -> Rows:
    """Return one row a packed value, of rows that hold a list of them."""
    return list(_repeated(rows)), [packed for group in rows[1] for packed in group]


def _repeated(rows: Rows) -> Iterator[bytes]:
    for key, group in zip(*rows, strict=True):
        for _ in group:
            yield key


def check_key(key: Any, key_type: KeyType, expected: bytes) -> bool:
    """Tell whether a key that a combiner yielded is the one that it was given."""
    try:
        return keys.type_of(key) == key_type and keys.encode(key) == expected
    except UnsupportedKeyError:
        return False


def _short(key: object) -> str:
    text = repr(key)
    return text if len(text) <= 80 else f"{text[:80]}…"
