"""What workers used over a while, a row each: the worker's number, thousandths of one processor, MiB of memory.

A row takes 10 bytes in a journal, which has a sample of all workers every ten seconds or more. Neighbours: `history.py`
(the field `usage`), the master's `core/usage.py` (takes samples), `mapreduce_page` (shows them).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

_ROW = struct.Struct("<IHI")


class Row(NamedTuple):
    """One worker's."""

    number: int
    cpu: int
    """Thousandths of one processor, at most 65 of them, since the sample before."""
    memory: int
    """MiB that its processes held."""


def pack(rows: Iterable[Row]) -> bytes:
    """Return rows as a journal has them; numbers that do not fit are cut to the largest that does."""
    return b"".join(_ROW.pack(_fit(row.number, 32), _fit(row.cpu, 16), _fit(row.memory, 32)) for row in rows)


def unpack(packed: bytes) -> list[Row]:
    """Return the rows; what is left of the last, if it is not whole, is left out."""
    whole = len(packed) - len(packed) % _ROW.size
    return [Row(*found) for found in _ROW.iter_unpack(packed[:whole])]


def _fit(number: int, bits: int) -> int:
    return max(0, min(number, (1 << bits) - 1))
