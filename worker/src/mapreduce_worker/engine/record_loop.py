"""Walking over records slice by slice, knowing at any time which one user code has.

`map_run` and `map_part` hand in what is to be done with a slice; a slice is as long as user code is
fast, so that slow code still shows progress.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from operator import length_hint
from typing import Any, Final

from mapreduce_worker.engine import failure
from mapreduce_worker.engine.instance import Progress
from mapreduce_worker.engine.records import Batch

MAX_SLICE: Final = 1024
"""Records between two looks at the clock, at most."""
SLICE_SECONDS: Final = 0.05


class RecordLoop:
    """The records of one attempt."""

    def __init__(self) -> None:
        """Begin before the first record."""
        self._batch: Batch | None = None
        self._index = 0
        self._slice: Iterator[Any] = iter(())
        self._slice_size = 0
        self._back = 0

    def look_back(self, records: int) -> None:
        """Speak of the record that many before the one that was taken last, of its slice; 0: of that one again."""
        self._back = records

    def _current(self) -> int:
        """Return the index, in its batch, of the record that is spoken of: the one that was taken last."""
        return self._index + self._slice_size - length_hint(self._slice) - 1 - self._back

    def where(self) -> str:
        """Return `file:offset` of the current record."""
        return self._batch.where(self._current()) if self._batch else ""

    def place(self) -> tuple[str, Callable[[], int]] | None:
        """Return the file, and what finds the offset, of the current record; None if there is none."""
        return None if self._batch is None else (self._batch.name, self._offset)

    def _offset(self) -> int:
        assert self._batch is not None  # noqa: S101 - asked for by who has a record
        return self._batch.offset(self._current())

    def here(self) -> tuple[str, int, bytes]:
        """Return the file, the offset and the bytes of the current record."""
        assert self._batch is not None  # noqa: S101 - asked for by who has a record
        index = self._current()
        return self._batch.name, self._batch.offset(index), self._batch.raw(index)

    def run(self, batches: Iterable[Batch], consume: Callable[[Iterator[Any]], None], progress: Progress) -> int:
        """Give every record to `consume`, in slices; return how many there were.

        What `consume` raises is laid at the user's door, with the place of the record.
        """
        count = size = 0
        slice_size = 1
        for batch in batches:
            self._batch, self._index = batch, 0
            total = len(batch.records)
            while self._index < total:
                part = batch.records[self._index : self._index + slice_size]
                self._slice, self._slice_size = iter(part), len(part)
                before = time.monotonic()
                try:
                    consume(self._slice)
                except BaseException as error:  # noqa: BLE001 - the boundary to user code
                    failure.blame(error, self.where(), "map")
                elapsed = time.monotonic() - before
                self._index += len(part)
                self._slice, self._slice_size = iter(()), 0
                progress(count + self._index, size + batch.size * self._index // total)
                slice_size = _next_slice(slice_size, elapsed)
            count += total
            size += batch.size
        self._batch = None
        progress(count, size)
        return count


def _next_slice(size: int, elapsed: float) -> int:
    if elapsed > 2 * SLICE_SECONDS:
        return max(1, size // 4)
    return min(MAX_SLICE, size * 2) if elapsed < SLICE_SECONDS else size
