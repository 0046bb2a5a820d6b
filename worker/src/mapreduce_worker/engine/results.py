"""What a reducer yields, on its way into a part.

Nearly every reducer yields the key that it was called with. As long as one does, its part holds values alone, and those
of one type are columns until they are text; with the first other key it becomes a part of pairs, with what was
written before. Which of both it is follows from the rows alone.
Neighbours: `reduce_task` (the caller), `part` (both forms), `emitted` (pairs; single values), `value_list`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, Final

from mapreduce_worker.engine import emitted, failure
from mapreduce_worker.engine.blocks import MAX_BYTES, MAX_ROWS
from mapreduce_worker.engine.part import Sink
from mapreduce_worker.engine.value_list import ValueList

_COMPARED: Final = (str, int, bytes)
"""Types of keys of which those that are equal are written alike."""


class Results:
    """Collects what is yielded into blocks for a part; `written` counts bytes."""

    def __init__(self, writer: Sink) -> None:
        """Write to `writer`, which has values so far."""
        self._writer = writer
        self._pairs: emitted.Collector | None = None
        self._keys: list[bytes] = []
        self._values = ValueList(emitted.pack_value)
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
        rest, held = iter(found), self._values
        for pair in rest:
            own, value = pair if type(pair) is tuple and len(pair) == 2 else emitted.taken_apart(pair)
            if own is not key and not (type(own) is type(key) and type(own) in _COMPARED and own == key):
                self._take_pairs(self._become_pairs(), encoded, chain(((own, value),), rest))
                return
            if type(value) is str and not held.packs and value.isascii():
                carried, size = value, len(value)
            else:
                carried, size = held.carried(value)
            self._keys.append(encoded)
            held.found.append(carried)
            self._size += len(encoded) + size
            if self._size >= MAX_BYTES or len(self._keys) >= MAX_ROWS:
                self._write()

    def close(self) -> None:
        """Write what is held."""
        if self._pairs is not None:
            self._pairs.close()
        else:
            self._write()

    def _write(self) -> None:
        if not self._keys:
            return
        with failure.own_work():
            self._writer.add(self._values.taken(self._keys))
        self._written += self._size
        self._keys, self._size = [], 0

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
