"""What a reducer yields, on its way into a part.

Nearly every reducer yields the key that it was called with. As long as one does, its part holds values alone, and those
of one type are columns until they are text; with the first other key it becomes a part of pairs, with what was
written before. Which of both it is follows from the rows alone.
Neighbours: `reduce_task` (the caller), `part` (both forms), `emitted` (pairs; single values).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, Final

from mapreduce import values
from mapreduce_worker.engine import blocks, emitted, failure, part
from mapreduce_worker.engine.blocks import MAX_BYTES, MAX_ROWS

_NUMBER: Final = 8
"""Bytes of an integer, or of a float."""
_SMALL: Final = 1 << 62
"""Integers below it need no second look."""
_COMPARED: Final = (str, int, bytes)
"""Types of keys of which those that are equal are written alike."""


class Results:
    """Collects what is yielded into blocks for a part; `written` counts bytes."""

    def __init__(self, writer: part.Writer) -> None:
        """Write to `writer`, which has values so far."""
        self._writer = writer
        self._pairs: emitted.Collector | None = None
        self._keys: list[bytes] = []
        self._values: list[Any] = []
        self._packs = False
        """Values are packed, all that are held."""
        self._size = 0
        self._written = 0

    @property
    def written(self) -> int:
        """The bytes of keys and values that were written."""
        return self._written + (self._pairs.written if self._pairs is not None else 0)

    def take(self, encoded: bytes, key: Any, found: Iterable[Any]) -> None:
        """Take all that is yielded for a key; raises for what is no pair, or has no place in the output."""
        if self._pairs is not None:
            self._take_pairs(self._pairs, encoded, found)
            return
        rest = iter(found)
        for pair in rest:
            own, value = pair if type(pair) is tuple and len(pair) == 2 else emitted.taken_apart(pair)
            if own is not key and not (type(own) is type(key) and type(own) in _COMPARED and own == key):
                self._take_pairs(self._become_pairs(), encoded, chain(((own, value),), rest))
                return
            if type(value) is str and not self._packs and value.isascii():
                carried, size = value, len(value)
            else:
                carried, size = self._carried(value)
            self._keys.append(encoded)
            self._values.append(carried)
            self._size += len(encoded) + size
            if self._size >= MAX_BYTES or len(self._keys) >= MAX_ROWS:
                self._write()

    def close(self) -> None:
        """Write what is held."""
        if self._pairs is not None:
            self._pairs.close()
        else:
            self._write()

    def _carried(self, value: Any) -> tuple[Any, int]:
        """Return a value as it is held, and its bytes; raises for one that has no place in the output."""
        kind = type(value)
        if not self._packs:
            if kind is float or (kind is int and -_SMALL <= value < _SMALL):
                return value, _NUMBER
            if kind in values.SCALARS:
                return value, len(values.encode(value))
        packed = emitted.pack_value(value)
        if not self._packs:
            self._values[:] = values.encode_all(self._values)
            self._packs = True
        return packed, len(packed)

    def _write(self) -> None:
        if not self._keys:
            return
        with failure.own_work():
            self._writer.add(self._held())
        self._written += self._size
        self._keys, self._values, self._packs, self._size = [], [], False, 0

    def _held(self) -> blocks.Rows:
        return (blocks.of_packed if self._packs else blocks.of_objects)(self._keys, self._values)

    def _take_pairs(self, out: emitted.Collector, encoded: bytes, found: Iterable[Any]) -> None:
        add, pack = out.add, emitted.pack
        for pair in found:
            add(encoded, pack(pair))

    def _become_pairs(self) -> emitted.Collector:
        with failure.own_work():
            self._write()
            self._writer.become_pairs()
        self._pairs = emitted.Collector(self._writer)
        return self._pairs
