"""Parquet to frames: the groups of rows that belong to a range, each as one frame or as several.

The bytes of a range, its groups of rows and the footer, are laid into a scratch file with holes, which Polars reads as
if it were the whole. What a frame holds is bounded, whatever the file says of itself: a few bytes can stand for any
number of rows, and for any number of long texts. Neighbours: `parquet_footer` (where the groups are), `parquet_pages`
(whether their pages can be), `sparse` (the scratch file), `parquet_faults` (what is wrong), `parquet_rows` (rows as
dictionaries), `batches` (frames as `map_batch` has them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from mapreduce.plan import FileRange, compression
from mapreduce_worker.engine import parquet_faults, parquet_footer, parquet_pages, sparse
from mapreduce_worker.engine.batch_window import Window, places
from mapreduce_worker.engine.failure import InputDamaged
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.parquet_footer import RowGroup

_FIELD: Final = 8
"""Bytes that a field counts besides its text."""

Expressions = Callable[[str, pl.Schema], list[pl.Expr]]
"""Takes the file's name, for errors, and its columns; gives the columns that are read."""


def windows(
    part: FileRange, offset: int, chunks: Iterator[Chunk], folder: Path | None, window: int
) -> Iterator[Window]:
    """Yield the rows of a range as `map_batch` takes them, in the file's own types; the offset is a row's number.

    A frame has rows of one group, of about `window` bytes at most. Raises as `read` does.
    """
    name = part.file.name
    for first, frame, size in read(part, offset, chunks, folder, as_they_are, window):
        files = pl.Series([name]).new_from_index(0, frame.height)
        offsets = pl.int_range(first, first + frame.height, dtype=pl.Int64, eager=True)
        yield Window.of_columns(frame, places(files, offsets), size)


def as_they_are(name: str, schema: pl.Schema) -> list[pl.Expr]:
    """Return the columns of a file in their own types."""
    for column, dtype in schema.items():
        if isinstance(dtype, (pl.Object, pl.Unknown)):
            raise parquet_faults.damaged(name, 0, f"there is no value for the type {dtype} of the column {column}")
    # By number: as a name of Polars' own language, `*` and `^…$` would stand for many columns.
    return [pl.nth(at).alias(column) for at, column in enumerate(schema)]


def read(
    part: FileRange, offset: int, chunks: Iterator[Chunk], folder: Path | None, expressions: Expressions, most: int
) -> Iterator[tuple[int, pl.DataFrame, int]]:
    """Yield the rows of a range as frames of about `most` bytes, each with its first row's number and the bytes of the
    file that it stands for.

    The chunks are as `sparse.laid` has them, and `folder` is where it makes its file. Raises `InputDamaged` for a file
    that is no parquet file, is cut short or cannot be read; what is wrong with a page is found when its group of rows
    is read, after those before it were yielded.
    """
    name = part.file.name
    if compression(part.file.path) is not None:
        message = f"{name} is a parquet file that is compressed as a whole, which cannot be read: decompress it"
        raise InputDamaged(message, f"{name}:0")
    with sparse.laid(offset, chunks, folder) as file:
        yield from _frames(part, file, expressions, most)


def _frames(
    part: FileRange, file: BinaryIO, expressions: Expressions, most: int
) -> Iterator[tuple[int, pl.DataFrame, int]]:
    name = part.file.name
    own = range(part.start, part.end) if part.exact else range(part.file.size)
    footer = parquet_footer.read(file, name, whole=not part.exact or part.start == 0, within=own)
    # Linux gives a file without a name one that can be opened; it is this process's own.
    path = f"/proc/self/fd/{file.fileno()}"
    scan = pl.scan_parquet(path, glob=False, hive_partitioning=False, use_statistics=False)
    schema = _schema(scan, name)
    made = expressions(name, schema)
    first = 0
    for group in footer.groups:
        if group.rows and group.start in own:
            parquet_pages.check(file, name, group)
            for at, count in _pieces(group, len(schema), most):
                rows = scan.slice(first + at, count)
                try:
                    frame = rows.select(made).collect()
                except parquet_faults.FAULTS as error:
                    raise parquet_faults.of_rows(name, group.start, first + at, rows, made, error) from error
                if frame.height != count:
                    raise parquet_faults.damaged(name, group.start, f"{frame.height} rows where {count} must be")
                length = group.end - group.start
                for some in _cut(frame, most):
                    end = at + some.height
                    yield first + at, some, length * end // group.rows - length * at // group.rows
                    at = end  # noqa: PLW2901 - the rows behind those
        first += group.rows


def _pieces(group: RowGroup, width: int, most: int) -> Iterator[tuple[int, int]]:
    """Divide a group into rows that are read at once: as many as it says, and as their fields need at least."""
    size = max(group.size, group.rows * width * _FIELD)
    step = group.rows if size <= most else max(1, group.rows * most // size)
    for at in range(0, group.rows, step):
        yield at, min(step, group.rows - at)


def _cut(frame: pl.DataFrame, most: int) -> Iterator[pl.DataFrame]:
    """Divide rows where their text is more than the file said: one text may stand in many rows."""
    texts = [series for series in frame.get_columns() if series.dtype in (pl.String, pl.Binary)]
    sizes = [_bytes(series) for series in texts]
    if sum(int(size.sum()) for size in sizes) <= most:
        yield frame
        return
    shares = pl.DataFrame(sizes).sum_horizontal().cum_sum() // most
    begins = [*shares.ne_missing(shares.shift(1)).arg_true().to_list(), frame.height]
    for begin, end in pairwise(begins):
        yield frame.slice(begin, end - begin)


def _bytes(series: pl.Series) -> pl.Series:
    found = series.str.len_bytes() if series.dtype == pl.String else series.bin.size()
    return found.cast(pl.Int64).fill_null(0)


def _schema(scan: pl.LazyFrame, name: str) -> pl.Schema:
    try:
        return scan.collect_schema()
    except parquet_faults.FAULTS as error:
        raise parquet_faults.of_schema(name, error) from error
