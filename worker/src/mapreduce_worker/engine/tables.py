"""Pairs to rows: what a map attempt holds in memory, and how it is emptied.

Three tables: `fold_table.FoldTable` holds one accumulator a key, for built-in reducers that fold;
`distinct_table.DistinctTable` the distinct values of each, for `mr.Unique()`; `GroupTable` the packed
values of each key, for a combiner of the user's. They are dictionaries over the user's own key objects where
this is safe, so that a key is encoded once and not once a pair. `KeyGuard` sees to the safety: to a
dictionary True, 1 and 1.0 are one key, and every NaN is another. Pairs that nobody folds or combines are in
none of them: see `pair_table`.

When a table is full it calls `spill` with its rows and starts anew; a spill may come in
the middle of a record. What comes out must not depend on when that happens: see `map_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, islice, repeat
from typing import Any, Final

from mapreduce import keys, values
from mapreduce.errors import MixedKeyError, UnsupportedKeyError, UserError
from mapreduce.keys import KeyType
from mapreduce_worker.engine import failure

PAIR_BYTES: Final = 64
"""Added to the encoded bytes of each pair, or of each key of a fold: its place in the table."""
KEY_MEMORY: Final = 300
"""About what a key takes in Python's memory, besides its bytes: object, dictionary, list."""
VALUE_MEMORY: Final = 48

_HASHABLE: Final = (str, bytes, int, bool)

Rows = tuple[list[bytes], list[Any]]
"""Encoded keys, each once, and beside each its accumulator, or (after a number) the list of its packed values."""
Pairs = Iterable[tuple[Any, Any]]
Mapper = Callable[[Any], Pairs | None]


class _NoType:
    """The type of nothing: no key is of it, so every pair takes the careful way."""


class KeyGuard:
    """Checks that all keys of an attempt have one exact type, and makes dictionary keys of them."""

    def __init__(self, where: Callable[[], str], *, descending: bool = False) -> None:
        """Take the function that tells the current record's place; `descending`: the largest key comes first."""
        self._where = where
        self._descending = descending
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
        actual = self._type_of(key)
        if actual != self.key_type:
            if self.key_type:
                raise self._mixed(key, actual)
            self._adopt(key, actual)
        return self.encode(key) if self._encoded else key

    def _type_of(self, key: Any) -> KeyType:
        actual = keys.type_of(key)
        return keys.descending(actual) if self._descending else actual

    def _encoder(self, key_type: KeyType) -> Callable[[Any], bytes]:
        return keys.encoder(key_type)

    def _mixed(self, key: Any, actual: KeyType) -> MixedKeyError:
        return MixedKeyError(
            f"key {keys.short(key)} is {keys.plain(actual)}, but the first key, at {self.key_at}, is "
            f"{keys.plain(self.key_type)}"
        )

    def _adopt(self, key: Any, actual: KeyType) -> None:
        self.encode = self._encoder(actual)
        self.encode(key)
        self.key_type, self.key_at = actual, self._where()
        # NaN is not equal to itself, -0.0 is equal to 0.0: floats are told apart by their encoding.
        self._encoded = "float" in actual
        if type(key) in _HASHABLE:
            self.fast = type(key)
        elif type(key) is tuple and not any(type(element) is tuple for element in key):
            self._shape = tuple(map(type, key))

    def weigh(self, held: list[Any]) -> int:
        """Return the encoded bytes of dictionary keys; raises `UnsupportedKeyError` for one without encoding."""
        if self.fast is str:
            text = "".join(held)
            if text.isascii():
                return len(text)
        if self._encoded or self.fast is bytes:
            return sum(map(len, held))
        return sum(map(len, map(self.encode, held)))

    def weigh_one(self, held: Any) -> int:
        """Return the encoded bytes of one dictionary key, as `weigh` does."""
        return len(held) if self.fast is str and held.isascii() else self.weigh([held])

    def encoded(self, held: Iterable[Any]) -> list[bytes]:
        """Encode dictionary keys."""
        if self._encoded:
            return list(held)
        return list(map(str.encode if self.key_type == "str" else self.encode, held))


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
        self._groups: dict[Any, list[Any]] = {}
        self._counted = 0
        self._held = 0

    def consume(self, mapper: Mapper, records: Iterable[Any]) -> None:
        """Map records and keep every pair; what the mapper raises comes through."""
        for record in records:
            pairs = mapper(record)
            if pairs is not None:
                self._keep(pairs)

    def _keep(self, pairs: Pairs) -> None:
        groups, guard, pack = self._groups, self._guard, values.encode
        quickly, scalars = values.encode_quickly, values.SCALARS
        kind, get = guard.fast, groups.get
        for key, value in pairs:
            held = key
            if type(key) is not kind:
                held = guard.admit(key)
                kind = guard.fast
            try:
                packed = quickly(value) if type(value) in scalars else pack(value)
            except (OverflowError, UnicodeEncodeError):
                packed = pack(value)
            group = get(held)
            if group is None:
                # In front of the values stands what the key counts for, with every one of them.
                group = groups[held] = [guard.weigh_one(held) + PAIR_BYTES]
                self._held += group[0] + KEY_MEMORY
            group.append(packed)
            size = len(packed)
            self._counted += group[0] + size
            self._held += size + VALUE_MEMORY
            if self._counted >= self._flush_limit or self._held >= self._memory:
                self._empty()

    def _empty(self) -> None:
        """Flush or spill; a key counts with every pair, so that a spill does not move the next flush."""
        with failure.own_work():
            if self._counted >= self._flush_limit:
                self._counted = 0
                self._flush(self.take())
            else:
                self._spill(self.take())

    def take(self) -> Rows:
        """Remove and return all rows: with each key what it counts for, and its packed values."""
        encoded = self._guard.encoded(self._groups)
        groups = list(self._groups.values())
        self._groups.clear()
        self._held = 0
        return encoded, groups


def flat(rows: Rows, numbers: list[int]) -> tuple[list[bytes], list[bytes], list[int]]:
    """Return one row a packed value, of rows that hold a list of them behind a number; `numbers` is a third column."""
    encoded, groups = rows
    counts = [len(group) - 1 for group in groups]
    keys_ = list(chain.from_iterable(map(repeat, encoded, counts)))
    packed = list(chain.from_iterable(islice(group, 1, None) for group in groups))
    return keys_, packed, list(chain.from_iterable(map(repeat, numbers, counts)))


def check_key(key: Any, key_type: KeyType, expected: bytes) -> bool:
    """Tell whether a key that a combiner yielded is the one that it was given."""
    try:
        return keys.encode(key, key_type) == expected
    except UnsupportedKeyError:
        return False


def key_iterator(found: Any) -> Any:
    """Return an iterator over the keys that map gave; raises `UserError` for what are no keys."""
    if not isinstance(found, (str, bytes)):
        try:
            return iter(found)
        except TypeError:
            pass
    raise UserError(
        f"map gave {keys.short(found)}: with a reducer that counts keys it yields keys, or returns a list of them"
    )
