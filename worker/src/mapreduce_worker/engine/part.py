"""The file before the output: the records of one partition, with the keys they sort by, or as lines.

    8 bytes   magic `MRPART\\r\\n`
    4 bytes   version, format (3: frames of `blocks`, pairs or values; 4: lines), codec (1: lz4), 0
    blocks    rows (encoded group key, packed [key, value]), see `blocks`; or rows (encoded group key, value)
    summary   msgpack: key type, rows, size of the blocks, their CRC-32, checksum of the rows, whether they are values
    footer    length of the summary (4 bytes), CRC-32 of head, summary and this length, `MREND\\r\\n\\0`

Where parts are not merged by key, they have lines in the place of blocks: the text of the output, as it will stand
there. Their checksum is XXH3-128 of these bytes, which also proves them. See `part_lines`.

The group key is the one that the reducer was called with; a reducer may yield another. Where it does not, the part
is `own`: its rows are values alone, packed or of one type, and the group key is their key. A map of a job without
reduce makes a part too: all its rows have the empty key, and the key type is empty.
Callers: `reduce_task` and `map_part` write (see `part_lines`), the gateway verifies when it stages, `merge` reads.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal, Protocol

import msgspec
from isal.isal_zlib import crc32
from xxhash import xxh3_128

from mapreduce import keys, values
from mapreduce.bad_records import BadRecord
from mapreduce.errors import CorruptionError
from mapreduce.keys import KeyType
from mapreduce_worker.engine import blocks
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.framing import Digest, Framer

MAGIC: Final = b"MRPART\r\n"
END: Final = b"MREND\r\n\0"
HEAD: Final = MAGIC + bytes((1, 3, 1, 0))
LINES_HEAD: Final = MAGIC + bytes((1, 4, 0, 0))
PIECE: Final = 1 << 20
"""Bytes that are read at once where nobody looks at rows."""
MOST_SUMMARY: Final = 1 << 16
"""Bytes of a summary; a key type is all in it that has no fixed length."""
_FOOTER: Final = struct.Struct(">II8s")


LineFormat = Literal["tsv", "jsonl"]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a part says of itself. `checksum` is over the rows in order, not over Arrow's bytes; or over the lines.

    own: rows are values, whose key is the group key; else they are pairs. lines: what the lines are, of a part of
    lines, which has no CRC.
    """

    key_type: KeyType
    rows: int
    length: int
    crc: int = 0
    checksum: str
    own: bool = False
    lines: LineFormat | None = None


_summary_of: Final = msgspec.msgpack.Decoder(Summary).decode
"""Made before there are threads: see `map_output.py`."""


class PartResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt reports of its part; `size` is that of the file, in bytes.

    records: what a map read for it. counters: what user code counted. bad: records that a map left out. spills: merges
    of a reduce that went to files. A file tells none of these.
    """

    checksum: str
    rows: int
    size: int
    records: int = 0
    counters: dict[str, int] = {}
    bad: tuple[BadRecord, ...] = ()
    spills: int = 0


class Sink(Protocol):
    """What rows of an attempt go to: a part of rows, or of lines."""

    def divided(self, given: Iterable[Rows]) -> Iterator[Rows]:
        """Divide and join rows, so that each block is one to `add`."""

    def add(self, block: Rows) -> None:
        """Take one block; its group keys do not come before those of the last."""

    def become_pairs(self) -> None:
        """From here on rows are pairs; before, they were values."""

    def finish(self) -> PartResult:
        """End the file; return what to report."""


class Writer:
    """Writes blocks to an open file; `finish` returns what to report."""

    def __init__(self, file: BinaryIO, key_type: KeyType, *, own: bool = False) -> None:
        """Write the head. own: rows will be values, else pairs."""
        self._file = file
        self._key_type = key_type
        self._own = own
        self._framer = Framer("lz4")
        self._rows = self._length = self._crc = 0
        file.write(HEAD)

    def divided(self, given: Iterable[Rows]) -> Iterator[Rows]:
        """Divide and join rows, so that each block is near the size where a frame is closed."""
        return blocks.cut(given)

    def add(self, block: Rows) -> None:
        """Write one block; its group keys do not come before those of the last."""
        frame = self._framer.frame(block)
        self._crc = crc32(frame, self._crc)
        self._length += self._file.write(frame)
        self._rows += block.count

    def become_pairs(self) -> None:
        """Write all rows, which are values so far, once more as pairs; for a while there is a copy beside the file."""
        self._file.flush()
        copy = Path(f"{self._file.name}.values")
        try:
            shutil.copyfile(self._file.name, copy)
            left = self._length
            self._file.seek(len(HEAD))
            self._file.truncate()
            self._own, self._framer = False, Framer("lz4")
            self._rows = self._length = self._crc = 0
            with copy.open("rb") as file:
                file.seek(len(HEAD))
                while left:
                    block, data = blocks.read(file, left)
                    left -= len(data)
                    self.add(paired(block, self._key_type))
        finally:
            copy.unlink(missing_ok=True)

    def finish(self) -> PartResult:
        """Write summary and footer."""
        summary = Summary(
            key_type=self._key_type,
            rows=self._rows,
            length=self._length,
            crc=self._crc,
            checksum=self._framer.digest.hexdigest(),
            own=self._own,
        )
        return write_end(self._file, summary)


def write_end(file: BinaryIO, summary: Summary) -> PartResult:
    """Write summary and footer behind what they tell of; return what to report."""
    head, body = _head(summary), msgspec.msgpack.encode(summary)
    end = body + _FOOTER.pack(len(body), _summary_crc(head, body), END)
    file.write(end)
    return PartResult(checksum=summary.checksum, rows=summary.rows, size=len(head) + summary.length + len(end))


def _head(summary: Summary) -> bytes:
    return HEAD if summary.lines is None else LINES_HEAD


def paired(rows: Rows, key_type: KeyType) -> Rows:
    """Return rows of values as rows of pairs."""
    decoded = map(keys.decoder(key_type), rows.keys)
    return blocks.of_packed(rows.keys, list(map(values.encode_plain, zip(decoded, rows.unpacked(), strict=True))))


def _summary_crc(head: bytes, body: bytes) -> int:
    return crc32(struct.pack(">I", len(body)), crc32(body, crc32(head)))


def read_summary(path: Path) -> Summary:
    """Return what a part says of itself; raises `CorruptionError` if that is not what was written."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < len(HEAD) + _FOOTER.size:
            raise CorruptionError(f"{path.name} has {size} bytes: it is no part")
        file.seek(0)
        head = file.read(len(HEAD))
        file.seek(size - _FOOTER.size)
        length, crc, end = _FOOTER.unpack(file.read(_FOOTER.size))
        left = size - len(HEAD) - _FOOTER.size
        if end != END or length > min(left, MOST_SUMMARY):
            raise CorruptionError(f"{path.name} is no part, or it is cut short")
        file.seek(size - _FOOTER.size - length)
        body = file.read(length)
    if _summary_crc(head, body) != crc:
        raise CorruptionError(f"the summary of {path.name} is damaged")
    if head not in (HEAD, LINES_HEAD):
        raise CorruptionError(f"{path.name} is of version {head[8]}, format {head[9]}: this engine does not read it")
    try:
        summary = _summary_of(body)
    except msgspec.MsgspecError as error:
        raise CorruptionError(f"the summary of {path.name} cannot be read: {error}") from error
    if head != _head(summary) or summary.rows < 0:
        raise CorruptionError(f"the summary of {path.name} tells of another part: {summary}")
    if summary.length != left - length:
        raise CorruptionError(f"{path.name} has {left - length} bytes of content, and claims {summary.length}")
    return summary


def read(path: Path) -> Iterator[Rows]:
    """Yield the rows of a part; raises `CorruptionError` where they are not those that were written.

    The file is open only while a block is read: a merge reads all parts of a job side by side.
    """
    summary = read_summary(path)
    if summary.lines is not None:
        raise CorruptionError(f"{path.name} has lines where rows are needed")
    left, crc, rows = summary.length, 0, 0
    while left:
        try:
            with path.open("rb") as file:
                file.seek(len(HEAD) + summary.length - left)
                block, data = blocks.read(file, left)
        except CorruptionError as error:
            raise CorruptionError(f"{path.name}, {left} bytes before the end of its blocks: {error}") from error
        left -= len(data)
        crc = crc32(data, crc)
        rows += block.count
        # Either may be very large: whoever takes the block holds it no longer than there is need.
        del data
        yield block
        del block
    if crc != summary.crc or rows != summary.rows:
        raise CorruptionError(f"{path.name}: {rows} rows of {summary.rows}, CRC {crc:08x}, not {summary.crc:08x}")


def verify(path: Path, *, deep: bool = False) -> PartResult:
    """Look through a whole part, and return what its writer reported; raises `CorruptionError`.

    That the bytes are those that were written is proved by their CRC and by the summary, which has a CRC of its own;
    lines by their checksum, and they are counted. deep: rows are read too, and their checksum is made once more; that
    takes many times as long.
    """
    summary = read_summary(path)
    if summary.lines is not None:
        _verify_lines(path, summary)
    elif deep:
        _verify_rows(path, summary)
    elif (crc := _crc_of_blocks(path, summary)) != summary.crc:
        raise CorruptionError(f"{path.name}: the blocks have the CRC {crc:08x}, not {summary.crc:08x}")
    return PartResult(checksum=summary.checksum, rows=summary.rows, size=path.stat().st_size)


def content(path: Path, summary: Summary) -> Iterator[bytes]:
    """Yield the bytes between head and summary, which are not proved yet."""
    left = summary.length
    with path.open("rb", buffering=0) as file:
        file.seek(len(_head(summary)))
        while left:
            data = file.read(min(left, PIECE))
            if not data:
                raise CorruptionError(f"{path.name} ends {left} bytes before its summary")
            yield data
            left -= len(data)


def lines(path: Path, summary: Summary) -> Iterator[bytes]:
    """Yield the bytes of a part of lines, in pieces.

    Raises `CorruptionError` behind the last of them if they are not those that were written.
    """
    digest = xxh3_128()
    for data in content(path, summary):
        digest.update(data)
        yield data
    if (found := checksum_of(digest)) != summary.checksum:
        raise CorruptionError(f"{path.name}: the lines have the checksum {found}, not {summary.checksum}")


def checksum_of(digest: xxh3_128) -> str:
    """Return `xxh3:<hex>`."""
    return f"xxh3:{digest.hexdigest()}"


def _crc_of_blocks(path: Path, summary: Summary) -> int:
    crc = 0
    for data in content(path, summary):
        crc = crc32(data, crc)
    return crc


def _verify_lines(path: Path, summary: Summary) -> None:
    count, last = 0, b"\n"
    for data in lines(path, summary):
        count += data.count(b"\n")
        last = data[-1:]
    if count != summary.rows or last != b"\n":
        raise CorruptionError(f"{path.name} has {count} lines that end, and claims {summary.rows}")


def _verify_rows(path: Path, summary: Summary) -> None:
    digest = Digest()
    for block in read(path):
        digest.update(block)
    if digest.hexdigest() != summary.checksum:
        raise CorruptionError(f"{path.name}: the rows have the checksum {digest.hexdigest()}, not {summary.checksum}")
