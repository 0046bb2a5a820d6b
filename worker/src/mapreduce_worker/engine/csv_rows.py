"""CSV to records: a row as a dictionary of its columns' names and its fields, which are text.

The first record of a file names the columns. Rows are read as RFC 4180 has them: fields between commas, in quotes where
they hold a comma, a quote (written twice) or the end of a line; a row has as many fields as the file has columns; an
empty line is no row. Everything else is refused, with file and offset. Neighbours: `csv_bounds` (where records end),
`formats` (chooses a reader).
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mapreduce.errors import RecordMalformedError
from mapreduce.spec import EncodingErrors
from mapreduce_worker.engine import csv_bounds, records
from mapreduce_worker.engine.failure import RecordRefused
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.records import Refuse

Row = dict[str, str]
ROWS: Final = re.compile(r'(?>(?:"[^"]*+(?:""[^"]*+)*+"|[^",\r\n]*+)(?:,|\r?(?:\n|\Z)))*+')
"""Rows without a quote or a carriage return where there must be none; atomic, so that it takes time in proportion."""
_FIELD: Final = re.compile(r'(?>"[^"]*+(?:""[^"]*+)*+"|[^",\r\n]*+)')
_SHOWN: Final = 200


class RowBatch:
    """Whole rows as they stand in the file, and the records in them; lines without a field are no rows."""

    __slots__ = ("_bounds", "_offset", "_raw", "name", "records", "size")

    def __init__(self, name: str, offset: int, raw: bytes, rows: list[Row]) -> None:
        """Take the raw bytes that begin at `offset` of the file, and the records in them."""
        self._offset, self._raw = offset, raw
        self._bounds: list[tuple[int, int]] | None = None
        self.name = name
        self.records = rows
        self.size = len(raw)

    def _bound(self, index: int) -> tuple[int, int]:
        if self._bounds is None:
            # Asked for by jobs that name the offset, and for errors: most do not.
            self._bounds = [
                (at, end) for at, end in csv_bounds.records(self._raw) if csv_bounds.bare(self._raw[at:end])
            ]
        return self._bounds[index]

    def offset(self, index: int) -> int:
        """Return where a record begins in the file."""
        return self._offset + self._bound(index)[0]

    def where(self, index: int) -> str:
        """Return `file:offset` of a record."""
        return f"{self.name}:{self.offset(index)}"

    def raw(self, index: int) -> bytes:
        """Return the bytes of a record as they stand in the file, without the end of the line."""
        at, end = self._bound(index)
        return csv_bounds.bare(self._raw[at:end])


def read(
    name: str, offset: int, chunks: Iterator[Chunk], options: TaskOptions, refuse: Refuse, header: str
) -> Iterator[RowBatch]:
    """Yield the rows of the bytes that begin at `offset` of the file `name`; chunks may end anywhere.

    `header` is the record that names the columns, where the bytes begin behind it: at offset 0 it is their first.
    Calls `refuse`, after the records before it were yielded, for a row that cannot be read. What is wrong with the
    header is raised, whatever `refuse` does: without the names no row can be read.
    """
    errors = options.encoding_errors
    for at, raw, columns in pieces(name, offset, chunks, options, refuse, header):
        yield from batches(name, at, raw, columns, errors, refuse)


def pieces(
    name: str, offset: int, chunks: Iterator[Chunk], options: TaskOptions, refuse: Refuse, header: str
) -> Iterator[tuple[int, bytes, list[str]]]:
    """Yield whole rows, many at a time, behind the header: the offset of the first, their bytes, and the columns.

    See `read`; a row that is too long is refused, and no other is looked at.
    """
    errors = options.encoding_errors
    columns = _columns(name, header.encode(), errors) if offset else None

    def refused(error: RecordRefused, file: str, at: int, raw: bytes) -> None:
        if columns is None:
            records.never(error, file, at, raw)
        refuse(error, file, at, raw)

    for at, raw in csv_bounds.whole_records(name, offset, chunks, options.max_record_bytes, refused):
        begin = 0
        if columns is None:
            begin = csv_bounds.first_end(raw, 0, inside=False) or len(raw)
            columns = _columns(name, records.without_mark(0, raw[:begin]), errors)
        if begin < len(raw):
            yield at + begin, raw[begin:], columns


def batches(
    name: str, offset: int, raw: bytes, columns: list[str], errors: EncodingErrors, refuse: Refuse
) -> Iterator[RowBatch]:
    """Yield the rows of bytes, which are whole records and begin at `offset`; calls `refuse` as `read` does."""
    rows = _rows(raw, columns, errors)
    if rows is not None:
        if rows:
            yield RowBatch(name, offset, raw, rows)
        return
    # Some row is bad: each is looked at by itself.
    good: list[Row] = []
    begin = 0
    for at, end in csv_bounds.records(raw):
        record = raw[at:end]
        one = _rows(record, columns, errors)
        if one is not None:
            good += one
            continue
        if good:
            yield RowBatch(name, offset + begin, raw[begin:at], good)
        shown = csv_bounds.bare(record)
        refuse(_fault(name, offset + at, shown, columns, errors), name, offset + at, shown)
        good, begin = [], end
    if good:
        yield RowBatch(name, offset + begin, raw[begin:], good)


def _rows(raw: bytes, columns: list[str], errors: EncodingErrors) -> list[Row] | None:
    """Return the rows of the bytes; None if there is one among them that is not right."""
    try:
        decoded = raw.decode("utf-8", errors)
    except UnicodeDecodeError:
        return None
    plain = decoded.replace("\r\n", "\n") if "\r" in decoded else decoded
    special = '"' in plain or "\r" in plain
    if special and ROWS.fullmatch(decoded) is None:
        return None
    try:
        # One by one: rows as lists that are held until all are read take half as long again.
        if special or len(columns) == 1:
            with _long_fields():
                return [dict(zip(columns, row, strict=True)) for row in _reader(decoded)]
        lines = plain.removesuffix("\n").split("\n")
        return [dict(zip(columns, line.split(","), strict=True)) for line in lines]
    except ValueError:
        # A row with more or fewer fields; or a line without any, which is no row.
        rows = [row for row in _fields(decoded) if row]
    return [dict(zip(columns, row, strict=True)) for row in rows] if _all_of(rows, len(columns)) else None


def _all_of(rows: list[list[str]], width: int) -> bool:
    return set(map(len, rows)) <= {width}


def _fields(decoded: str) -> list[list[str]]:
    """Return the fields of rows; an empty line has none."""
    with _long_fields():
        return list(_reader(decoded))


def _reader(decoded: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(decoded, newline="\n"), strict=True)


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let a field have any length: `maxRecordBytes` bounds it, and the module's own bound is one of the process."""
    bound = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(bound)


# --- what is wrong ----------------------------------------------------------------------


def _columns(name: str, header: bytes, errors: EncodingErrors) -> list[str]:
    """Return the names of the columns; raises `RecordRefused` if they are no names."""
    record = csv_bounds.bare(header)
    try:
        decoded = record.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        records.never(_undecodable(name, 0, record, error), name, 0, record)
    columns, reason = [""], _misplaced(decoded)
    if not reason:
        columns = next(iter(_fields(decoded)), columns)
        reason = _misnamed(columns)
    if reason:
        message = f"the first line of {name}, which names the columns, is not valid: {reason}"
        records.never(_refused(name, 0, message), name, 0, record)
    return columns


def _misnamed(columns: list[str]) -> str:
    """Say what is wrong with the names of columns; nothing if they are right."""
    seen: set[str] = set()
    for at, column in enumerate(columns):
        if not column:
            return f"column {at + 1} has no name"
        if column in seen:
            return f"two columns are called {column!r:.{_SHOWN}}"
        seen.add(column)
    return ""


def _fault(name: str, offset: int, record: bytes, columns: list[str], errors: EncodingErrors) -> RecordRefused:
    """Return the error for a row that cannot be read."""
    try:
        decoded = record.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        return _undecodable(name, offset, record, error)
    row = f"the row at offset {offset} of {name}"
    if reason := _misplaced(decoded):
        return _refused(name, offset, f"{row} is not valid CSV: {reason}")
    found, expected = len(_fields(decoded)[0]), len(columns)
    fields = "1 field" if found == 1 else f"{found} fields"
    names = "1 column" if expected == 1 else f"{expected} columns"
    return _refused(name, offset, f"{row} has {fields}, but the first line of the file names {names}")


def _misplaced(decoded: str) -> str:
    """Say where in a record a quote or a carriage return is where none must be; nothing if it is right."""
    if decoded.endswith("\r"):
        # Behind it stood another, at which the line ends.
        decoded += " "
    if ROWS.fullmatch(decoded) is not None:
        return ""
    fits = ROWS.match(decoded)
    begin = fits.end() if fits else 0
    field = _FIELD.match(decoded, begin)
    at = field.end() if field else begin
    where = f"in the field that begins in character {begin + 1}"
    if decoded[at : at + 1] == "\r":
        return f"{where}, a carriage return stands outside of quotes, and not at the end of the line"
    if at == begin:
        return f"{where}, the quote is not closed"
    return (
        f"{where}, a quote stands neither at the beginning nor at the end; a field that holds quotes is in quotes "
        "itself, and they are written twice in it"
    )


def _undecodable(name: str, offset: int, record: bytes, error: UnicodeDecodeError) -> RecordRefused:
    told = records.not_utf8(name, offset, record, error.start, error.reason)
    # The record, and not the line of it, is what is left out.
    told.where = f"{name}:{offset}"
    return told


def _refused(name: str, offset: int, message: str) -> RecordRefused:
    error = RecordRefused(f"{name}:{offset}", message)
    error.__cause__ = RecordMalformedError(message)
    return error
