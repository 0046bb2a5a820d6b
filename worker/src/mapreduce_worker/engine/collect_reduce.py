"""A reduce attempt of a job with `mr.Collect()`: the values of a key are packed as they come, block by block.

So a key with very many values is there as bytes, never as Python objects all at once, and is refused as soon as it has
more bytes than a row may have. Neighbours: `reduce_task` (the caller), `fold_reduce` (whose part has the same
form), `grouping` (the same for reducers that are called).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress, islice
from operator import ne
from typing import Any

from mapreduce.errors import ValueEncodingError
from mapreduce_worker.engine import blocks, emitted, list_heads, sorted_values
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.fold_reduce import FoldReduceRun
from mapreduce_worker.engine.part import Sink
from mapreduce_worker.engine.reduce_task import Sources


class _List:
    """The values of one key so far, packed."""

    __slots__ = ("_count", "_pieces", "key", "size")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.size = len(key) + list_heads.LARGEST
        """The bytes of key and values, however many pieces there are."""
        self._pieces: list[bytes] = []
        self._count = 0

    def add(self, packed: bytes, count: int) -> None:
        """Add a packed list of so many values."""
        self._pieces.append(packed)
        self._count += count
        self.size += len(packed) - list_heads.size(packed)

    def packed(self) -> bytes:
        """Return all values as one packed list."""
        if len(self._pieces) == 1:
            return self._pieces[0]
        return b"".join(
            (list_heads.head(self._count), *(memoryview(each)[list_heads.size(each) :] for each in self._pieces))
        )


class CollectRun(FoldReduceRun):
    """One attempt over values in the order in which a reducer would get them."""

    def _run(self, sources: Sources, writer: Sink) -> int:
        written = 0
        for rows in blocks.cut(self._lists(sources.merged(lambda rows: rows))):
            writer.add(rows)
            written += rows.size()
            self._tell(written)
        return written

    def _lists(self, given: Iterable[Rows]) -> Iterator[Rows]:
        """Yield rows of lists, one a key."""
        last: _List | None = None
        for rows in given:
            # Refuses rows whose keys nobody can read.
            self._decoder()
            self._rows += rows.count
            ended: list[_List] = []
            encoded, values = self._keys(rows), rows.unpacked()
            for start, end in _runs(encoded):
                if last is None or last.key != encoded[start]:
                    if last is not None:
                        ended.append(last)
                    last = _List(encoded[start])
                last.add(self._packed(last.key, values[start:end]), end - start)
                if last.size > blocks.MAX_RAW:
                    self._blame(last.key, _too_large())
            # A key with very many values shows progress too.
            self._tell(self._written)
            if ended:
                yield self._rows_of(ended)
        if last is not None:
            yield self._rows_of([last])

    def _keys(self, rows: Rows) -> list[bytes]:
        return list(map(sorted_values.key_of(self._key_type), rows.keys)) if self._sorted else rows.keys

    def _packed(self, key: bytes, values: list[Any]) -> bytes:
        try:
            return emitted.pack_value(values)
        except ValueEncodingError as error:
            self._blame(key, error)

    @staticmethod
    def _rows_of(lists: list[_List]) -> Rows:
        return blocks.of_packed([each.key for each in lists], [each.packed() for each in lists])


def _too_large() -> ValueEncodingError:
    # Not how much it is: nobody has read all of it.
    return ValueEncodingError(
        f"a key and the list of its values take more than {blocks.MAX_RAW} bytes, which are the most that can be "
        "carried; with mr.Each() each value is one of its own"
    )


def _runs(encoded: list[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where the rows of each key begin and end."""
    starts = [0, *compress(range(1, len(encoded)), map(ne, encoded, islice(encoded, 1, None)))]
    return zip(starts, [*starts[1:], len(encoded)], strict=True)
