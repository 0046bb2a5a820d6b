"""What is wrong with a parquet file, or with a value in it, in words that help.

Polars panics where a page is not what it says, and where a date is beyond the years that it knows: the one is a
damaged file, the other a value that has no text. Which of the two it was is found out afterwards, by reading the same
rows without making text of them. Neighbours: `parquet_frames` (the caller), `parquet_rows` (makes the text).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from mapreduce_worker.engine.failure import InputDamaged

FAULTS: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What Polars raises for a file that it cannot read."""
_SAID: Final = 200
"""Characters of Polars' own words that are told."""


def of_rows(
    name: str, offset: int, first: int, scan: pl.LazyFrame, made: Sequence[pl.Expr], error: BaseException
) -> InputDamaged:
    """Return the error for rows, of which `first` is the number of the first, of a group that begins at `offset`.

    scan: the rows as they are in the file; made: the columns that could not be made of them.
    """
    try:
        rows = scan.collect()
    except FAULTS:
        return damaged(name, offset, said(error))
    for at, column in enumerate(made):
        if not _goes(rows, column):
            row = first + _first_bad(rows, column)
            series = rows.to_series(at)
            message = (
                f"row {row} of {name} has a value in the column {series.name!r:.80}, of the type {series.dtype}, that "
                f"cannot be made text ({said(error)}): map_batch gets it as it is"
            )
            return InputDamaged(message, f"{name}:{row}")
    return damaged(name, offset, said(error))


def _goes(rows: pl.DataFrame, column: pl.Expr) -> bool:
    try:
        rows.select(column)
    except FAULTS:
        return False
    return True


def _first_bad(rows: pl.DataFrame, column: pl.Expr) -> int:
    """Return the first row of which the column cannot be made; there is one."""
    good, bad = 0, rows.height
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if _goes(rows.slice(0, middle), column) else (good, middle)
    return good


def of_schema(name: str, error: BaseException) -> InputDamaged:
    """Return the error for a file of which not even the columns can be read."""
    message = (
        f"the columns of {name} cannot be read as parquet: {said(error)}; it is damaged, or has a type that Polars "
        "does not know"
    )
    return InputDamaged(message, f"{name}:0")


def damaged(name: str, offset: int, reason: str) -> InputDamaged:
    """Return the error for a file that cannot be read at a byte."""
    message = f"{name} cannot be read as parquet, at byte {offset}: {reason}; it is damaged, or was not written whole"
    return InputDamaged(message, f"{name}:{offset}")


def said(error: BaseException) -> str:
    """Return Polars' own words, on one line."""
    text = str(error).partition("\n")[0] or type(error).__name__
    return text if len(text) <= _SAID else f"{text[:_SAID]}…"
