"""What user code yields as output, on its way into a part: packed, checked, collected into blocks.

Callers: `results` and `batch_reduce`, and `map_part` where a job has no reduce.
"""

from __future__ import annotations

from typing import Any, Final

from mapreduce import pairs, tsv, values
from mapreduce.errors import ValueEncodingError
from mapreduce_worker.engine import blocks, failure
from mapreduce_worker.engine.blocks import MAX_BYTES, MAX_ROWS
from mapreduce_worker.engine.part import Sink

_PLAIN: Final = values.SCALARS


def pack(pair: Any) -> bytes:
    """Return a pair (key, value) as it stands in a part; raises for what is no pair, or has no place in the output."""
    if type(pair) is tuple:
        # Nearly always, and it need not be built again.
        key, value = pair
    else:
        key, value = pair = taken_apart(pair)
    try:
        if type(key) in _PLAIN and type(value) in _PLAIN:
            return values.encode_plain(pair)
        # The pair is no part of the value.
        packed = values.encode(pair, values.MAX_DEPTH + 1)
    except ValueEncodingError:
        # In the words of what is at fault: nobody has made the pair a value.
        for part in pair:
            values.encode(part)
        raise
    _check_text(values.decode(packed))
    return packed


def taken_apart(pair: Any) -> tuple[Any, Any]:
    """Return key and value of anything that holds two; raises for what is no pair."""
    pairs.refuse_text(pair)
    key, value = pair
    return key, value


def pack_value(value: Any) -> bytes:
    """Return a value as it stands in a part of values; raises for one that has no place in the output."""
    if type(value) in _PLAIN or (type(value) is list and _PLAIN.issuperset(map(type, value))):
        return values.encode_plain(value)
    packed = values.encode(value)
    _check_text([values.decode(packed)])
    return packed


def _check_text(found: list[Any]) -> None:
    """Refuse here what could not be written as text later, where no user code is near."""
    for value in found:
        try:
            tsv.field(value).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueEncodingError(f"{value!r:.80} cannot be written as text: {error}") from error


class Collector:
    """Collects rows into blocks for a part; `written` counts their bytes."""

    def __init__(self, writer: Sink) -> None:
        """Write full blocks to `writer`."""
        self._writer = writer
        self._keys: list[bytes] = []
        self._values: list[bytes] = []
        self._size = 0
        self.written = 0

    def add(self, encoded: bytes, packed: bytes) -> None:
        """Add one row: what it is sorted by, and the packed pair; or value, in a part that has these."""
        self._keys.append(encoded)
        self._values.append(packed)
        self._size += len(encoded) + len(packed)
        if self._size >= MAX_BYTES or len(self._keys) >= MAX_ROWS:
            self.close()

    def close(self) -> None:
        """Write the last block; more may follow."""
        if self._keys:
            with failure.own_work():
                self._writer.add(blocks.of_packed(self._keys, self._values))
            self.written += self._size
            self._keys, self._values, self._size = [], [], 0
