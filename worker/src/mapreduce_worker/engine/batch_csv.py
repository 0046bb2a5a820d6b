"""CSV to the frames that `map_batch` is called with: a column of text for every column of the file.

The rows are those that `csv_rows` reads, and what it refuses is refused alike. Where a file with other columns begins,
a frame ends. Neighbours: `batches` (says where else it ends), `csv_frames` (bytes to columns), `batch_lines`.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from mapreduce.plan import FileRange
from mapreduce_worker.engine import batch_window, csv_bounds, csv_frames, csv_rows
from mapreduce_worker.engine.batch_window import Window, places
from mapreduce_worker.engine.csv_bounds import QUOTE
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.records import Refuse


class Rows:
    """Whole rows that will be a frame, or several where their columns change: see `batches.Held`."""

    def __init__(self, options: TaskOptions, refuse: Refuse) -> None:
        """Call `refuse` as `csv_rows.read` does."""
        self._options, self._refuse = options, refuse
        self._columns: list[str] = []
        self._done: list[Window] = []
        self._frames: list[pl.DataFrame] = []
        self._places: list[pl.DataFrame] = []
        self._size = self._height = 0

    def pieces(self, part: FileRange, offset: int, chunks: Iterator[Chunk]) -> Iterator[tuple[int, bytes]]:
        """Yield whole rows, many at a time, with the offset of the first."""
        found = csv_rows.pieces(part.file.name, offset, chunks, self._options, self._refuse, part.header)
        for at, raw, columns in found:
            self._columns = columns
            yield at, raw

    def end(self, raw: bytes, begin: int, target: int) -> int:
        """Return where the first row ends that does not end before `target`; 0 if none does."""
        return csv_bounds.first_end(raw, target, inside=bool(raw.count(QUOTE, begin, target) & 1))

    def add(self, name: str, offset: int, raw: bytes, size: int) -> None:
        """Add whole rows that begin at `offset` of a file, in which they take `size` bytes."""
        if self._frames and self._frames[0].columns != self._columns:
            self._end()
        self._size += size
        errors = self._options.encoding_errors
        rows = csv_frames.read(raw, self._columns, errors)
        if rows is not None:
            self._push(name, rows.columns, rows.starts + offset)
            return
        # Some row is bad, or not so plain.
        for batch in csv_rows.batches(name, offset, raw, self._columns, errors, self._refuse):
            found = pl.DataFrame(batch.records, schema=dict.fromkeys(self._columns, pl.String))
            offsets = [batch.offset(index) for index in range(found.height)]
            self._push(name, found, pl.Series(offsets, dtype=pl.Int64))

    def _push(self, name: str, rows: pl.DataFrame, offsets: pl.Series) -> None:
        most = batch_window.most_rows(rows.width)
        done = 0
        while done < rows.height:
            some = rows.slice(done, most - self._height)
            self._frames.append(some)
            names = pl.Series([name]).new_from_index(0, some.height)
            self._places.append(places(names, offsets.slice(done, some.height)))
            done += some.height
            self._height += some.height
            if self._height == most:
                self._end()

    def _end(self) -> None:
        self._done.append(Window.of_columns(pl.concat(self._frames), pl.concat(self._places), self._size))
        self._frames, self._places, self._size, self._height = [], [], 0, 0

    def full(self) -> Iterator[Window]:
        """Yield what will not grow, and hold it no more."""
        while self._done:
            # Before user code works with the next.
            yield self._done.pop(0)

    def taken(self) -> Iterator[Window]:
        """Yield what is held, if that is anything, and hold it no more."""
        if self._frames:
            self._end()
        self._size = 0
        return self.full()
