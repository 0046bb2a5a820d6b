"""The footer of a parquet file: where its groups of rows are, and how many rows each has.

Polars reads the rows, but does not tell where in the file they are, which the plan needs and a range is known by.
Neighbours: `thrift` (the encoding), `parquet_pages` (what is in the columns), `cuts` (divides files between groups),
`parquet_rows` (reads those of a range).
"""

from __future__ import annotations

import os
from typing import BinaryIO, Final

import msgspec

from mapreduce_worker.engine import thrift
from mapreduce_worker.engine.failure import InputDamaged
from mapreduce_worker.engine.thrift import Malformed, Reader

MAGIC: Final = b"PAR1"
"""With what a parquet file begins and ends."""
_ENCRYPTED: Final = b"PARE"
_END: Final = 8
"""Bytes of the footer's length and of the magic number behind it."""
MAX_FOOTER: Final = 64 << 20
"""Bytes of a footer that is read: it is held whole."""


class Column(msgspec.Struct, frozen=True):
    """A column of one group of rows: its pages are [start, end) of the file, and `size` bytes when decompressed."""

    start: int = 0
    end: int = 0
    values: int = 0
    size: int = 0


class RowGroup(msgspec.Struct, frozen=True):
    """Rows whose bytes are [start, end) of the file; `size` is what they take when they are decompressed.

    columns: if they were asked for.
    """

    start: int
    end: int
    rows: int
    size: int
    columns: tuple[Column, ...] = ()


class Footer(msgspec.Struct, frozen=True):
    """`start` is the footer's offset."""

    start: int
    rows: int
    groups: tuple[RowGroup, ...]


def read(file: BinaryIO, name: str, *, whole: bool = True, within: range = range(0)) -> Footer:
    """Return the footer of a file; raises `InputDamaged` if it has none, or one that cannot be.

    Only the file's last bytes are looked at, and its first four if it is there as a `whole`. Groups that begin `within`
    some of its bytes are told with their columns.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(len(MAGIC)) if whole else MAGIC
    if head == _ENCRYPTED:
        raise _damaged(name, 0, "is encrypted, which cannot be read")
    if head != MAGIC:
        raise _damaged(name, 0, "is no parquet file: it does not begin with PAR1")
    if size < len(MAGIC) + _END:
        raise _damaged(name, size, "is cut short: it ends before a footer")
    file.seek(size - _END)
    end = file.read(_END)
    length = int.from_bytes(end[:4], "little")
    start = size - _END - length
    if end[4:] != MAGIC:
        raise _damaged(name, size - len(MAGIC), "is cut short or damaged: it does not end with PAR1")
    if start < len(MAGIC):
        raise _damaged(name, size - _END, f"is damaged: a footer of {length} bytes does not fit into it")
    if length > MAX_FOOTER:
        raise _damaged(name, start, f"has a footer of {length} bytes, more than the {MAX_FOOTER} that are read")
    file.seek(start)
    try:
        return _footer(Reader(file.read(length)), start, within)
    except Malformed as error:
        raise _damaged(name, start, f"is damaged: its footer cannot be read ({error})") from error


def _damaged(name: str, offset: int, what: str) -> InputDamaged:
    return InputDamaged(f"{name} {what} (byte {offset})", f"{name}:{offset}")


def _footer(reader: Reader, start: int, within: range) -> Footer:
    rows = 0
    groups: list[RowGroup] = []
    for number, kind in reader.fields():
        if number == 3:
            rows = reader.integer(kind)
        elif number == 4:
            groups = [_group(reader, start, within) for _ in reader.structs(kind)]
        else:
            reader.skip(kind)
    if rows != sum(group.rows for group in groups):
        raise Malformed(f"{rows} rows, of which its groups have {sum(group.rows for group in groups)}")
    return Footer(start, rows, tuple(groups))


def _group(reader: Reader, limit: int, within: range) -> RowGroup:
    rows = size = 0
    columns: list[Column] = []
    for number, kind in reader.fields():
        if number == 1:
            columns.extend(_column(reader) for _ in reader.structs(kind))
        elif number == 2:
            size = reader.integer(kind)
        elif number == 3:
            rows = reader.integer(kind)
        else:
            reader.skip(kind)
    start = min((column.start for column in columns), default=0)
    end = max((column.end for column in columns), default=0)
    group = RowGroup(start, end, rows, size, tuple(columns) if start in within else ())
    # Of a group without rows, as Arrow writes for an empty table, there need not be a page.
    if rows and not columns:
        raise Malformed(f"a group has {rows} rows, and no column")
    if rows < 0 or size < 0 or (rows and not len(MAGIC) <= group.start <= group.end <= limit):
        raise Malformed(f"{rows} rows in the bytes from {group.start} to {group.end}")
    return group


def _column(reader: Reader) -> Column:
    found = Column()
    for number, kind in reader.fields():
        if number == 1:
            raise Malformed("a column is in another file")
        if number == 3:
            reader.require(kind, thrift.STRUCT)
            found = _pages(reader)
        else:
            reader.skip(kind)
    return found


def _pages(reader: Reader) -> Column:
    values = unpacked = size = 0
    begins: list[int] = []
    for number, kind in reader.fields():
        if number == 5:
            values = reader.integer(kind)
        elif number == 6:
            unpacked = reader.integer(kind)
        elif number == 7:
            size = reader.integer(kind)
        elif number in (9, 11):
            begins.append(reader.integer(kind))
        else:
            reader.skip(kind)
    # Some writers give the dictionary's offset as 0 where there is none.
    begin = min((at for at in begins if at > 0), default=0)
    if size < 0:
        raise Malformed(f"{size} bytes of a column")
    return Column(begin, begin + size, values, unpacked)
