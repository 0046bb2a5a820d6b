"""What `map_batch` is called with: some consecutive records of a split as a frame, and where they come from.

Neighbours: `batches` (makes them), `batch_map` (the caller).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

FILE: Final = "file"
"""The column of the name of each record's file."""
OFFSET: Final = "offset"
"""The column that says where in its file each record begins, in bytes; of parquet the number of the row."""

FIELDS: Final = 4 << 20
"""Fields of one frame of text or CSV, the two above among them: each takes 16 bytes, however short its text."""


def most_rows(columns: int) -> int:
    """Return how many rows a frame has at most that has so many columns of its own."""
    return max(1, FIELDS // (columns + 2))


class Window:
    """Some consecutive records as a frame: to the loop of records a batch with one record."""

    __slots__ = ("_first", "_last", "frame", "height", "size")

    def __init__(self, frame: pl.DataFrame, size: int, places: pl.DataFrame | None = None) -> None:
        """Take a frame of some records, and the bytes that these take in their files.

        `places` has the columns `file` and `offset`, where those of the frame are not these.
        """
        told = frame if places is None else places
        files, offsets = told.get_column(FILE), told.get_column(OFFSET)
        self._first: tuple[Any, ...] = ("", 0)
        self._last = self._first
        if told.height:
            self._first, self._last = (files[0], offsets[0]), (files[-1], offsets[-1])
        self.frame, self.height, self.size = frame, frame.height, size

    @classmethod
    def of_columns(cls, columns: pl.DataFrame, places: pl.DataFrame, size: int) -> Window:
        """Return a window of records that have columns of their own, beside `places`, which are `file` and `offset`.

        A column of the records that is called like a place stands in its stead.
        """
        shown = [series for series in places.get_columns() if series.name not in columns.columns]
        return cls(columns.hstack(shown), size, places)

    def take(self) -> pl.DataFrame:
        """Remove and return the frame: nobody else holds it, so that its memory is there for the next."""
        frame, self.frame = self.frame, self.frame.clear()
        return frame

    @property
    def records(self) -> Sequence[Any]:
        """Return the window itself."""
        return (self,)

    @property
    def name(self) -> str:
        """Return the file of the first record."""
        return str(self._first[0])

    def offset(self, _: int) -> int:
        """Return where the first record begins in its file."""
        return int(self._first[1])

    def where(self, _: int) -> str:
        """Return `file:offset` of the first record."""
        return _shown(self._first)

    def span(self) -> str:
        """Return `file:offset` of the first record, and of the last."""
        first, last = _shown(self._first), _shown(self._last)
        return first if last == first else f"{first} to {last}"

    def raw(self, _: int) -> bytes:
        """Return nothing: no record is left out for what user code does with a frame."""
        return b""


def _shown(place: tuple[Any, ...]) -> str:
    return f"{place[0]}:{place[1]}"


def places(files: Sequence[str] | pl.Series, offsets: Sequence[int] | pl.Series) -> pl.DataFrame:
    """Return the columns that say where records begin."""
    return pl.DataFrame([pl.Series(FILE, files, dtype=pl.String), pl.Series(OFFSET, offsets, dtype=pl.Int64)])
