"""Parquet to records: a row as a dictionary of its columns' names and values, in values that any job can carry.

The bytes of a range, its groups of rows and the footer, are laid into a scratch file with holes, which Polars reads as
if it were the whole. Numbers, str, bytes, bool and None are what they are in Python, lists are lists, structs and
maps are dictionaries; times are ISO text, those with a zone in UTC, as they are when a value is carried. Neighbours:
`parquet_footer` (where the groups are), `sparse` (the scratch file), `formats` (chooses a reader).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import polars as pl

from mapreduce.plan import FileRange
from mapreduce.spec import MIB
from mapreduce_worker.engine import parquet_footer, sparse
from mapreduce_worker.engine.failure import InputDamaged
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.parquet_footer import RowGroup

WINDOW: Final = 64 * MIB
"""Bytes of rows, decompressed, that are held at once; a group of rows that has more is read in several pieces."""
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
    """Yield the rows of a range; chunks are as `sparse.laid` has them, and `folder` is where it makes its file.

    Raises `InputDamaged` for a file that is no parquet file, is cut short or cannot be read; what is wrong with a page
    is found when its group of rows is read, after those before it were yielded.
    """
    with sparse.laid(offset, chunks, folder) as file:
        for first, frame, size in frames(part, file):
            for at in range(0, frame.height, ROWS):
                rows = frame.slice(at, ROWS)
                share = size * (at + rows.height) // frame.height - size * at // frame.height
                yield RowBatch(part.file.name, first + at, rows.to_dicts(), share)


def frames(part: FileRange, file: BinaryIO) -> Iterator[tuple[int, pl.DataFrame, int]]:
    """Yield the rows of a range as frames, each with its first row's number and the bytes that it stands for."""
    name = part.file.name
    footer = parquet_footer.read(file, name, whole=not part.exact or part.start == 0)
    # Linux gives a file without a name one that can be opened; it is this process's own.
    scan = _scan(f"/proc/self/fd/{file.fileno()}", name)
    first = 0
    for group in footer.groups:
        if group.rows and (not part.exact or part.start <= group.start < part.end):
            for at, count in _pieces(group):
                frame = _collected(scan.slice(first + at, count), name, group.start)
                if frame.height != count:
                    raise _damaged(name, group.start, f"{frame.height} rows where {count} must be")
                length = group.end - group.start
                yield first + at, frame, length * (at + count) // group.rows - length * at // group.rows
        first += group.rows


def _pieces(group: RowGroup) -> Iterator[tuple[int, int]]:
    step = group.rows if group.size <= WINDOW else max(1, group.rows * WINDOW // group.size)
    for at in range(0, group.rows, step):
        yield at, min(step, group.rows - at)


def _scan(path: str, name: str) -> pl.LazyFrame:
    scan = pl.scan_parquet(path, glob=False, hive_partitioning=False, use_statistics=False)
    try:
        schema = scan.collect_schema()
    except _FAULTS as error:
        raise _damaged(name, 0, _said(error)) from error
    # By number: as a name of Polars' own language, `*` and `^…$` would stand for many columns.
    return scan.select(
        _plain(pl.nth(at), dtype, name).alias(column) for at, (column, dtype) in enumerate(schema.items())
    )


def _collected(scan: pl.LazyFrame, name: str, offset: int) -> pl.DataFrame:
    try:
        return scan.collect()
    except _FAULTS as error:
        raise _damaged(name, offset, _said(error)) from error


_FAULTS: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What Polars raises for a file that it cannot read."""


def _said(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _damaged(name: str, offset: int, reason: str) -> InputDamaged:
    message = f"{name} cannot be read as parquet, at byte {offset}: {reason}; it is damaged, or was not written whole"
    return InputDamaged(message, f"{name}:{offset}")


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
        # By other names, as in `_scan`.
        numbered = column.struct.rename_fields([str(at) for at in range(len(dtype.fields))])
        fields = [
            _plain(numbered.struct.field(str(at)), _instance(field.dtype), name).alias(field.name)
            for at, field in enumerate(dtype.fields)
        ]
        return pl.when(column.is_not_null()).then(pl.struct(fields))
    if isinstance(dtype, (pl.Object, pl.Unknown)):
        raise _damaged(name, 0, f"there is no value of Python for the type {dtype}")
    return column


def _plain_type(dtype: object, name: str) -> pl.DataType:
    """Return the type that a column of this type gets."""
    given = _instance(dtype)
    return pl.LazyFrame(schema={"x": given}).select(_plain(pl.col("x"), given, name)).collect_schema()["x"]


def _instance(dtype: object) -> pl.DataType:
    made: Any = dtype() if isinstance(dtype, type) else dtype
    return cast(pl.DataType, made)
