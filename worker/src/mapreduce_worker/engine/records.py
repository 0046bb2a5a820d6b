"""Bytes to records: text lines in batches, with the offset of each at hand if it is asked for.

A record is a str without its `\\n` and one trailing `\\r`. Nothing else ends a record: not a lone
`\\r`, not the other characters at which `str.splitlines` divides. A byte order mark at offset 0
of a file is dropped.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from mapreduce.errors import RecordError
from mapreduce_worker.engine import ranges
from mapreduce_worker.engine.failure import RecordRefused

BOM = codecs.BOM_UTF8


class Batch(Protocol):
    """Some consecutive records of one file."""

    @property
    def records(self) -> Sequence[Any]:
        """Return the records."""

    @property
    def size(self) -> int:
        """Return the bytes that they take in the file."""

    def where(self, index: int) -> str:
        """Return `file:offset` of a record."""


class TextBatch:
    """Whole lines as they stand in the file, and as str."""

    __slots__ = ("_name", "_offset", "_raw", "records")

    def __init__(self, name: str, offset: int, raw: bytes, records: list[str]) -> None:
        """Take the raw bytes that begin at `offset` of the file, and the records in them."""
        self._name, self._offset, self._raw = name, offset, raw
        self.records = records

    @property
    def size(self) -> int:
        """Return the bytes that they take in the file."""
        return len(self._raw)

    def where(self, index: int) -> str:
        """Return `file:offset` of a record; slow, for messages."""
        return f"{self._name}:{self._offset + _line_start(self._raw, index)}"


def text(name: str, offset: int, chunks: Iterator[bytes], errors: str) -> Iterator[TextBatch]:
    """Yield the records of the bytes that begin at `offset` of the file `name`.

    `errors`: `strict` (a record that is no UTF-8 raises `RecordRefused` after the records before
    it were yielded) or `replace`. Chunks may end anywhere.
    """
    for raw in _whole_records(name, offset, chunks):
        yield from _decode(name, offset, raw, errors)
        offset += len(raw)


def _whole_records(name: str, offset: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield b"".join([*held, chunk[:cut]]) if held or cut < len(chunk) else chunk
            offset += size + cut
            held, size = ([chunk[cut:]], len(chunk) - cut) if cut < len(chunk) else ([], 0)
        else:
            held.append(chunk)
            size += len(chunk)
        if size > ranges.MAX_RECORD:
            raise ranges.too_long(name, offset)
    if size:
        yield b"".join(held)


def _decode(name: str, offset: int, raw: bytes, errors: str) -> Iterator[TextBatch]:
    body = raw[len(BOM) :] if offset == 0 and raw.startswith(BOM) else raw
    try:
        decoded = body.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        at = len(raw) - len(body) + error.start
        start = raw.rfind(b"\n", 0, at) + 1
        if start:
            yield from _decode(name, offset, raw[:start], errors)
        message = (
            f"byte 0x{raw[at]:02x} at offset {offset + at} of {name} is not valid UTF-8 ({error.reason}); "
            "with encoding errors set to replace such bytes become U+FFFD"
        )
        raise RecordRefused(f"{name}:{offset + start}", message) from RecordError(message)
    yield TextBatch(name, offset, raw, _lines(decoded))


def _lines(decoded: str) -> list[str]:
    if not decoded:
        return []
    if "\r" in decoded:
        decoded = decoded.replace("\r\n", "\n")
    lines = decoded.split("\n")
    if not lines[-1]:
        lines.pop()
    elif lines[-1].endswith("\r"):
        lines[-1] = lines[-1][:-1]
    return lines


def _line_start(raw: bytes, index: int) -> int:
    """Return where line `index` begins."""
    at = 0
    for _ in range(index):
        at = raw.index(b"\n", at) + 1
    return at
