"""Values as they are held until they are rows: as they are while all are scalars, else packed.

Many of one type become a column. As soon as one is no scalar, and so may be changed later by user code, all are packed.
Callers: `pair_table` (pairs of a map), `results` (what a reducer yields).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mapreduce import values
from mapreduce_worker.engine import blocks
from mapreduce_worker.engine.blocks import Rows

_NUMBER: Final = 8
"""Bytes of an integer, or of a float."""
_SMALL: Final = 1 << 62
"""Integers below it need no second look."""


class ValueList:
    """Values in the order in which they came: `append` to `found` what `carried` returns."""

    def __init__(self, pack: Callable[[Any], bytes]) -> None:
        """Begin with none; `pack` raises for what has no place here."""
        self._pack = pack
        self.found: list[Any] = []
        self.packs = False
        """Values are packed, all of them."""

    def carried(self, value: Any) -> tuple[Any, int]:
        """Return a value as it is held beside the others, and its bytes; raises for one that has no place here."""
        kind = type(value)
        if not self.packs:
            if kind is float or (kind is int and -_SMALL <= value < _SMALL):
                return value, _NUMBER
            if kind in values.SCALARS:
                return value, len(values.encode(value))
        packed = self._pack(value)
        if not self.packs:
            self.found[:] = values.encode_all(self.found)
            self.packs = True
        return packed, len(packed)

    def taken(self, keys: list[bytes]) -> Rows:
        """Remove and return all values, as rows with these encoded keys."""
        make = blocks.of_packed if self.packs else blocks.of_objects
        found, self.found, self.packs = self.found, [], False
        return make(keys, found)
