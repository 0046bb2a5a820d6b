"""Parquet to records: a row as a dictionary of its columns' names and values, in values that any job can carry.

Numbers, str, bytes, bool and None are what they are in Python, lists are lists, structs and maps are dictionaries;
times are ISO text, those with a zone in UTC, as they are when a value is carried. Neighbours: `parquet_frames` (bytes
to columns), `formats` (chooses a reader).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import polars as pl

from mapreduce.plan import FileRange
from mapreduce.spec import MIB
from mapreduce_worker.engine import parquet_frames
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.parquet_faults import damaged

WINDOW: Final = 32 * MIB
"""Bytes of rows that are held as columns at once, and so are dictionaries at once at most."""
ROWS: Final = 4096
"""Rows that are dictionaries at once."""
_TEXTS: Final = (pl.Categorical, pl.Enum, pl.Decimal)
"""Types that are text in Python's values."""


class RowBatch:
    """Some consecutive rows; their place is their number in the file, from 0."""

    __slots__ = ("_first", "name", "records", "size")

    def __init__(self, name: str, first: int, rows: list[dict[str, Any]], size: int) -> None:
        """Take the rows, of which the first has the number `first`; `size` are the bytes of the file they stand for."""
        self._first = first
        self.name, self.records, self.size = name, rows, size

    def offset(self, index: int) -> int:
        """Return the number of a row in the file."""
        return self._first + index

    def where(self, index: int) -> str:
        """Return `file:row`."""
        return f"{self.name}:{self.offset(index)}"

    def raw(self, index: int) -> bytes:
        """Return the row as Python shows it."""
        return repr(self.records[index]).encode(errors="backslashreplace")


def read(part: FileRange, offset: int, chunks: Iterator[Chunk], folder: Path | None) -> Iterator[RowBatch]:
    """Yield the rows of a range; raises as `parquet_frames.read` does."""
    for first, frame, size in parquet_frames.read(part, offset, chunks, folder, _values, WINDOW):
        for at in range(0, frame.height, ROWS):
            rows = frame.slice(at, ROWS)
            share = size * (at + rows.height) // frame.height - size * at // frame.height
            yield RowBatch(part.file.name, first + at, rows.to_dicts(), share)


def _values(name: str, schema: pl.Schema) -> list[pl.Expr]:
    # By number: as a name of Polars' own language, `*` and `^…$` would stand for many columns.
    return [_plain(pl.nth(at), dtype, name).alias(column) for at, (column, dtype) in enumerate(schema.items())]


def _plain(column: pl.Expr, dtype: pl.DataType, name: str) -> pl.Expr:
    """Return the column in types whose values are str, numbers, bytes, bool, None, lists and dictionaries of these."""
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        column = column.dt.convert_time_zone("UTC")
    if dtype.is_temporal():
        return column.dt.to_string("iso:strict")
    if isinstance(dtype, _TEXTS):
        return column.cast(pl.String)
    if isinstance(dtype, pl.Array):
        return _plain(column.arr.to_list(), pl.List(dtype.inner), name)
    if isinstance(dtype, pl.List):
        return column.list.eval(_plain(pl.element(), _instance(dtype.inner), name))
    if isinstance(dtype, pl.Map):
        entry = pl.Struct({"key": dtype.key, "value": dtype.value})
        entries = _plain(column.cast(pl.List(entry)), pl.List(entry), name)
        return entries.cast(pl.Map(_plain_type(dtype.key, name), _plain_type(dtype.value, name)))
    if isinstance(dtype, pl.Struct):
        # By names of our own, for the same reason as in `_values`.
        numbered = column.struct.rename_fields([str(at) for at in range(len(dtype.fields))])
        fields = [
            _plain(numbered.struct.field(str(at)), _instance(field.dtype), name).alias(field.name)
            for at, field in enumerate(dtype.fields)
        ]
        return pl.when(column.is_not_null()).then(pl.struct(fields))
    if isinstance(dtype, (pl.Object, pl.Unknown)):
        raise damaged(name, 0, f"there is no value of Python for the type {dtype}")
    return column


def _plain_type(dtype: object, name: str) -> pl.DataType:
    """Return the type that a column of this type gets."""
    given = _instance(dtype)
    return pl.LazyFrame(schema={"x": given}).select(_plain(pl.col("x"), given, name)).collect_schema()["x"]


def _instance(dtype: object) -> pl.DataType:
    made: Any = dtype() if isinstance(dtype, type) else dtype
    return cast(pl.DataType, made)
