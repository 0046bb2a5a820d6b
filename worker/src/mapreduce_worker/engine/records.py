"""Bytes to records: the text lines and whole files of the input, in batches that know where each stands.

A record of text ends with `\\n`, and one `\\r` before it is no part of it. Nothing else ends a record: not a
lone `\\r`, not the other characters at which `str.splitlines` divides. A byte order mark at offset 0 of a file
is dropped, but where records are bytes. Neighbours: `formats` (chooses a reader), `json_lines` (lines as JSON),
`ranges` (the bytes), `long_lines`.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NoReturn, Protocol

from mapreduce.errors import RecordError
from mapreduce.spec import EncodingErrors
from mapreduce_worker.engine import long_lines
from mapreduce_worker.engine.failure import RecordRefused
from mapreduce_worker.engine.long_lines import Chunk, Gap
from mapreduce_worker.engine.options import TaskOptions

BOM: Final = codecs.BOM_UTF8
Refuse = Callable[[RecordRefused, str, int, bytes], None]
"""Takes the fault of a record that cannot be read, its file and offset, and its bytes. Raises the fault; or
returns, and then the record is left out: `quarantine.Quarantine.refuse`."""


def never(error: RecordRefused, _file: str, _offset: int, _raw: bytes) -> NoReturn:
    """Raise: no record is left out."""
    try:
        raise error from error.__cause__
    finally:
        # Else error and frame hold each other, and with them the file that is being read.
        del error


class Batch(Protocol):
    """Some consecutive records of one file."""

    @property
    def name(self) -> str:
        """Return the file's name, as user code sees it."""

    @property
    def records(self) -> Sequence[Any]:
        """Return the records."""

    @property
    def size(self) -> int:
        """Return the bytes that they take in the file."""

    def offset(self, index: int) -> int:
        """Return where a record begins in the file; quick if they are asked for in their order."""

    def where(self, index: int) -> str:
        """Return `file:offset` of a record."""

    def raw(self, index: int) -> bytes:
        """Return the bytes of a record as they stand in the file, without the end of the line."""


class LineBatch:
    """Whole lines as they stand in the file, and the records in them."""

    __slots__ = ("_at", "_lines", "_offset", "_raw", "name", "records", "size")

    def __init__(
        self, name: str, offset: int, raw: bytes, records: Sequence[Any], lines: Sequence[int] | None = None
    ) -> None:
        """Take the raw bytes that begin at `offset` of the file, and the records in them.

        `lines` are the numbers of the lines that the records stand on, if some lines hold none.
        """
        self._offset, self._raw, self._lines = offset, raw, lines
        self._at = (0, 0)
        self.name = name
        self.records = records
        self.size = len(raw)

    def offset(self, index: int) -> int:
        """Return where a record begins in the file; quick if they are asked for in their order."""
        line = self._lines[index] if self._lines is not None else index
        number, at = self._at if self._at[0] <= line else (0, 0)
        for _ in range(line - number):
            at = self._raw.index(b"\n", at) + 1
        self._at = (line, at)
        return self._offset + at

    def where(self, index: int) -> str:
        """Return `file:offset` of a record."""
        return f"{self.name}:{self.offset(index)}"

    def raw(self, index: int) -> bytes:
        """Return the bytes of a record as they stand in the file, without the end of the line."""
        at = self.offset(index) - self._offset
        end = self._raw.find(b"\n", at)
        return _bare(self._raw[at : end if end >= 0 else None])


class WholeBatch:
    """A file as one record."""

    __slots__ = ("name", "records", "size")

    def __init__(self, name: str, content: str | bytes, size: int) -> None:
        """Take the file's content; `size` is in bytes."""
        self.name, self.records, self.size = name, [content], size

    def offset(self, index: int) -> int:
        """Return 0: the record is the file."""
        return 0 * index

    def where(self, index: int) -> str:
        """Return `file:0`."""
        return f"{self.name}:{self.offset(index)}"

    def raw(self, index: int) -> bytes:
        """Return the bytes of the file."""
        content = self.records[index]
        return content if isinstance(content, bytes) else content.encode()


def lines(
    name: str, offset: int, chunks: Iterator[Chunk], options: TaskOptions, refuse: Refuse = never
) -> Iterator[LineBatch]:
    """Yield the lines of the bytes that begin at `offset` of the file `name`; chunks may end anywhere.

    Calls `refuse`, after the records before it were yielded, for one that is too long, or that is no
    UTF-8 where `encoding_errors` is `strict`. With `bytes` the records are bytes.
    """
    for at, raw in whole_lines(name, offset, chunks, options.max_record_bytes, refuse):
        if options.encoding_errors == "bytes":
            yield LineBatch(name, at, raw, split_lines(raw))
        else:
            yield from _decode(name, at, raw, options.encoding_errors, refuse)


def whole_file(
    name: str, offset: int, chunks: Iterator[Chunk], options: TaskOptions, refuse: Refuse = never
) -> Iterator[WholeBatch]:
    """Yield the one record of a file, of which `chunks` are all bytes; calls `refuse` as `lines` does."""
    held: list[bytes] = []
    size = 0
    for chunk in map(long_lines.whole, chunks):
        held.append(chunk)
        size += len(chunk)
        if size > options.max_record_bytes:
            limit = options.max_record_bytes
            refuse(long_lines.too_long(name, offset, limit), name, offset, _beginning(held, limit))
            return
    raw = b"".join(held)
    if options.encoding_errors == "bytes":
        yield WholeBatch(name, raw, size)
        return
    body = without_mark(offset, raw)
    try:
        decoded = body.decode("utf-8", options.encoding_errors)
    except UnicodeDecodeError as error:
        refuse(not_utf8(name, offset, raw, len(raw) - len(body) + error.start, error.reason), name, offset, raw)
        return
    yield WholeBatch(name, decoded, size)


def whole_lines(
    name: str, offset: int, chunks: Iterator[Chunk], limit: int, refuse: Refuse = never
) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines, many at a time, with the offset of the first; only the last may lack its `\\n`.

    Calls `refuse`, after the lines before it were yielded, for a line of more than `limit` bytes, and raises
    `RecordRefused` for one that is too long to be left out.
    """
    held: list[bytes] = []
    size = 0
    refused: int | None = None
    for chunk in chunks:
        if refused is None:
            data = long_lines.whole(chunk)
        else:
            # The rest of a line that is left out.
            length, data = _of_line(chunk)
            offset += length
            long_lines.require_skippable(name, refused, offset - refused, limit)
            if not data:
                continue
            refused, offset, data = None, offset + 1, data[1:]
        cut = data.rfind(b"\n") + 1
        if cut:
            raw = b"".join([*held, data[:cut]]) if held or cut < len(data) else data
            yield from _within(name, offset, raw, limit, refuse)
            offset += size + cut
            held, size = ([data[cut:]], len(data) - cut) if cut < len(data) else ([], 0)
        else:
            held.append(data)
            size += len(data)
        # One byte more, as it may be a carriage return that a line feed follows.
        if size > limit + 1:
            refuse(long_lines.too_long(name, offset, limit), name, offset, _beginning(held, limit))
            long_lines.require_skippable(name, offset, size, limit)
            refused = offset
            offset += size
            held, size = [], 0
    if size:
        yield from _within(name, offset, b"".join(held), limit, refuse)


def _of_line(chunk: Chunk) -> tuple[int, bytes]:
    """Return how many bytes of a chunk belong to the line in which it begins, and what follows, from its end on."""
    if isinstance(chunk, Gap):
        return chunk.size, b""
    data = long_lines.whole(chunk)
    end = data.find(b"\n")
    return (end, data[end:]) if end >= 0 else (len(data), b"")


def _beginning(held: Sequence[bytes], limit: int) -> bytes:
    """Return what is shown of a record that is too long: the same however its bytes come in chunks."""
    return b"".join(held)[:limit]


def _within(name: str, offset: int, raw: bytes, limit: int, refuse: Refuse) -> Iterator[tuple[int, bytes]]:
    """Yield lines, but those that are too long."""
    begin = 0
    if len(raw) > limit:
        at = 0
        for line in raw.split(b"\n"):
            if len(line) - line.endswith(b"\r") > limit:
                if at > begin:
                    yield offset + begin, raw[begin:at]
                refuse(long_lines.too_long(name, offset + at, limit), name, offset + at, line[:limit])
                long_lines.require_skippable(name, offset + at, len(line), limit)
                begin = at + len(line) + 1
            at += len(line) + 1
    if begin < len(raw):
        yield offset + begin, raw[begin:] if begin else raw


def without_mark(offset: int, raw: bytes) -> bytes:
    """Return the bytes at `offset` of a file without the byte order mark that may begin it."""
    return raw[len(BOM) :] if offset == 0 and raw.startswith(BOM) else raw


def split_lines(raw: bytes) -> list[bytes]:
    """Return the lines of bytes, each without its `\\n` and one trailing `\\r`."""
    if not raw:
        return []
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    if not lines[-1]:
        lines.pop()
    elif lines[-1].endswith(b"\r"):
        lines[-1] = lines[-1][:-1]
    return lines


def _decode(name: str, offset: int, raw: bytes, errors: EncodingErrors, refuse: Refuse) -> Iterator[LineBatch]:
    for at, part, decoded in decoded_lines(name, offset, raw, errors, refuse):
        yield LineBatch(name, at, part, _lines(decoded))


def decoded_lines(
    name: str, offset: int, raw: bytes, errors: EncodingErrors, refuse: Refuse
) -> Iterator[tuple[int, bytes, str]]:
    """Yield the offset, the bytes and the text of whole lines, without those that are no UTF-8: see `lines`."""
    while raw:
        body = without_mark(offset, raw)
        try:
            decoded = body.decode("utf-8", errors)
        except UnicodeDecodeError as error:
            at = len(raw) - len(body) + error.start
            start, end = raw.rfind(b"\n", 0, at) + 1, raw.find(b"\n", at) + 1 or len(raw)
            if start:
                before = raw[:start]
                yield offset, before, without_mark(offset, before).decode()
            refuse(not_utf8(name, offset, raw, at, error.reason), name, offset + start, _bare(raw[start:end]))
            offset, raw = offset + end, raw[end:]
        else:
            yield offset, raw, decoded
            return


def _bare(line: bytes) -> bytes:
    """Return a line without its end."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


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


def not_utf8(name: str, offset: int, raw: bytes, at: int, reason: str) -> RecordRefused:
    """Return the error for a byte at `at` of the bytes that begin at `offset` of the file."""
    message = (
        f"byte 0x{raw[at]:02x} at offset {offset + at} of {name} is not valid UTF-8 ({reason}); "
        "with encoding errors set to replace such bytes become U+FFFD"
    )
    start = raw.rfind(b"\n", 0, at) + 1
    error = RecordRefused(f"{name}:{offset + start}", message)
    error.__cause__ = RecordError(message)
    return error
