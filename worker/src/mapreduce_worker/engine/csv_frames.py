"""Rows of CSV to columns of text by Polars' reader, where it reads them as `csv_rows` does.

That reader takes what is no CSV too: a quote within a field, a row with fewer fields than there are columns, at the end
of its bytes also one with more. So it is asked only where the quotes are right, and where commas and line ends outside
of them show that every row has its fields. Neighbours: `csv_rows` (reads the rest, row by row), `batch_csv` (the
caller).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl

from mapreduce.spec import EncodingErrors
from mapreduce_worker.engine import csv_rows, records

_REPLACED: Final = "\ufffd"
_QUOTE: Final = '"'
_NO_ENDS: Final = bytes(set(range(256)) - set(b",\n"))
"""All bytes but those that end a field or a record."""
_EMPTY: Final = ("", "\r")
"""A line without a row in it, without its `\\n`."""


class Rows(NamedTuple):
    """The columns of some rows, and where each begins in their bytes."""

    columns: pl.DataFrame
    starts: pl.Series


def read(raw: bytes, columns: list[str], errors: EncodingErrors) -> Rows | None:
    """Return the rows of bytes, which are whole records; None if one of them may be wrong, or is not so plain."""
    try:
        decoded = raw.decode("utf-8", errors)
    except UnicodeDecodeError:
        return None
    quoted = _QUOTE in decoded
    # What stands for bad bytes is longer or shorter than they are. A mark in the midst of a file is text.
    replaced = errors == "replace" and _REPLACED in decoded
    if replaced or raw.startswith(records.BOM) or not _well_formed(decoded, quoted):
        return None
    # Outside of quotes; of a field in quotes one is left, so that it is not empty.
    plain = _QUOTE.join(decoded.split(_QUOTE)[::2]) if quoted else decoded
    lines, starts = _starts(decoded, quoted)
    rows = None
    if plain.startswith(("\n", "\r")) or "\n\n" in plain or "\n\r" in plain:
        rows = ~lines.is_in(_EMPTY)
    if not _all_have(len(columns), plain, starts.len(), rows):
        return None
    try:
        found = pl.read_csv(
            raw,
            has_header=False,
            schema=dict.fromkeys(columns, pl.String),
            quote_char=_QUOTE if quoted else None,
            empty_string_is_null=False,
            missing_columns="insert",
            glob=False,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    if found.height != starts.len():
        return None
    return Rows(found, starts) if rows is None else Rows(found.filter(rows), starts.filter(rows))


def _well_formed(decoded: str, quoted: bool) -> bool:
    """Tell whether quotes and carriage returns stand only where they may."""
    if quoted:
        return csv_rows.ROWS.fullmatch(decoded) is not None
    return "\r" not in decoded or decoded.count("\r") == decoded.count("\r\n") + decoded.endswith("\r")


def _all_have(width: int, plain: str, count: int, rows: pl.Series | None) -> bool:
    """Tell whether each of so many records, without what is in quotes, has as many fields; `rows` are those that count,
    if not all do."""
    if rows is None:
        shape = plain.removesuffix("\n").encode().translate(None, _NO_ENDS)
        return shape == b"\n".join([b"," * (width - 1)] * count)
    commas = pl.Series([plain.removesuffix("\n")]).str.split("\n").explode().str.count_matches(",", literal=True)
    return bool((commas.filter(rows) == width - 1).all())


def _starts(decoded: str, quoted: bool) -> tuple[pl.Series, pl.Series]:
    """Return the first line of each record, and at which byte the record begins."""
    lines = pl.Series([decoded.removesuffix("\n")]).str.split("\n").explode()
    ends = (lines.str.len_bytes().cast(pl.Int64) + 1).cum_sum()
    if quoted:
        even = lines.str.count_matches(_QUOTE, literal=True).cum_sum() % 2 == 0
        return lines.filter(even.shift(1, fill_value=True)), ends.filter(even).shift(1, fill_value=0)
    return lines, ends.shift(1, fill_value=0)
