"""The pages of a group of rows: what their headers say is held against the footer before Polars reads them.

Polars takes a page at its word: one that says it has 2^60 values ends the process, for want of memory, where an error
could be told. So headers are read here first; of what is in a page only the checksum is looked at, where it has one.
Neighbours: `parquet_footer` (where columns are), `thrift` (the encoding), `parquet_frames` (the caller).
"""

from __future__ import annotations

from typing import BinaryIO, Final

import msgspec
from isal.isal_zlib import crc32

from mapreduce_worker.engine import parquet_faults, thrift
from mapreduce_worker.engine.parquet_footer import Column, RowGroup
from mapreduce_worker.engine.thrift import Malformed, Reader

_READS: Final = (256, 64 << 10, 16 << 20)
"""Bytes that are read for a header: nearly all are small, but statistics in it may be long."""
_BLOCK: Final = 1 << 20
_ENCODINGS: Final = frozenset({0, 2, 3, 4, 5, 6, 7, 8, 9})
"""The numbers of encodings, of values and of levels."""
_INDEX: Final = 1
_DICTIONARY: Final = 2
_KINDS: Final = {0: 5, _INDEX: 6, _DICTIONARY: 7, 3: 8}
"""Types of pages, and the field of a header that is about a page of this type."""


class _Page(msgspec.Struct):
    """What a header says, with -1 for what it does not say. `levels` are bytes, told in a page of version 2 only."""

    kind: int = -1
    unpacked: int = -1
    packed: int = -1
    crc: int | None = None
    values: int = -1
    nulls: int = 0
    rows: int = 0
    levels: int = 0
    about: int = 0
    """The last field that was about a page of some type."""


def check(file: BinaryIO, name: str, group: RowGroup) -> None:
    """Raise `InputDamaged`, with the byte of the page, for a group of which a header cannot be right."""
    for column in group.columns:
        if column.values < group.rows:
            raise parquet_faults.damaged(
                name, column.start, f"a column has {column.values} values for {group.rows} rows"
            )
        _check_column(file, name, column, group.rows)


def _check_column(file: BinaryIO, name: str, column: Column, rows: int) -> None:
    at, left = column.start, column.values
    while left:
        try:
            page, length = _header(file, at, column.end)
            begin, end = at + length, at + length + page.packed
            _require(page, column, rows, left, column.end - begin)
        except Malformed as error:
            raise parquet_faults.damaged(name, at, f"the header of a page cannot be ({error})") from error
        if page.crc is not None and _crc(file, begin, end) != page.crc & 0xFFFFFFFF:
            raise parquet_faults.damaged(name, at, "a page does not have the checksum that its header says")
        left -= 0 if page.kind in (_INDEX, _DICTIONARY) else page.values
        at = end


def _header(file: BinaryIO, at: int, end: int) -> tuple[_Page, int]:
    """Return a header, and its length."""
    for size in _READS:
        file.seek(at)
        data = file.read(min(size, end - at))
        reader = Reader(data)
        try:
            return _page(reader), reader.position
        except Malformed:
            if len(data) < size or size == _READS[-1]:
                raise
    raise AssertionError


def _page(reader: Reader) -> _Page:
    page = _Page()
    for number, kind in reader.fields():
        if number == 1:
            page.kind = reader.integer(kind)
        elif number == 2:
            page.unpacked = reader.integer(kind)
        elif number == 3:
            page.packed = reader.integer(kind)
        elif number == 4:
            page.crc = reader.integer(kind)
        elif number in _KINDS.values() and kind == thrift.STRUCT:
            page.about = number
            _take_details(page, reader, number)
        else:
            reader.skip(kind)
    return page


def _take_details(page: _Page, reader: Reader, about: int) -> None:
    """Read what a header says of a page of one type."""
    version_2 = about == _KINDS[3]
    for number, kind in reader.fields():
        if number == 1:
            page.values = reader.integer(kind)
        elif version_2 and number == 2:
            page.nulls = reader.integer(kind)
        elif version_2 and number == 3:
            page.rows = reader.integer(kind)
        elif version_2 and number in (5, 6):
            levels = reader.integer(kind)
            page.levels = levels + page.levels if min(levels, page.levels) >= 0 else -1
        elif number in ((4,) if version_2 else (2, 3, 4)) and kind in thrift.INTEGERS:
            if (encoding := reader.integer(kind)) not in _ENCODINGS:
                raise Malformed(f"there is no encoding {encoding}")
        else:
            reader.skip(kind)


def _require(page: _Page, column: Column, rows: int, left: int, room: int) -> None:
    """Raise `Malformed` for what cannot be, where `left` values and `room` bytes of the column are still to come."""
    if _KINDS.get(page.kind) != page.about and page.kind != _INDEX:
        raise Malformed(f"type {page.kind}, with what is said of another type")
    if not 0 <= page.packed <= room:
        raise Malformed(f"{page.packed} bytes, where its column has {room} more")
    if not 0 <= page.unpacked <= column.size:
        raise Malformed(f"{page.unpacked} bytes when decompressed, in a column of {column.size}")
    if page.kind == _INDEX:
        return
    if page.kind == _DICTIONARY:
        # A value takes a byte at least, also the shortest.
        if not 0 <= page.values <= page.unpacked:
            raise Malformed(f"{page.values} values in a dictionary of {page.unpacked} bytes")
    elif not 0 <= page.values <= left:
        raise Malformed(f"{page.values} values, where its column has {left} more")
    elif not (0 <= page.nulls <= page.values and 0 <= page.rows <= rows):
        raise Malformed(f"{page.nulls} nulls and {page.rows} rows, of {page.values} values and {rows} rows")
    elif not 0 <= page.levels <= min(page.packed, page.unpacked):
        raise Malformed(f"{page.levels} bytes of levels in {page.packed}")


def _crc(file: BinaryIO, begin: int, end: int) -> int:
    found = 0
    file.seek(begin)
    while begin < end:
        data = file.read(min(_BLOCK, end - begin))
        if not data:
            break
        found = crc32(data, found)
        begin += len(data)
    return found
