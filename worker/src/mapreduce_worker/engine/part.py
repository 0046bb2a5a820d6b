"""The file before the output: the records of one partition, with the keys they sort by.

    8 bytes   magic `MRPART\\r\\n`
    4 bytes   version, format (3: frames of `blocks`, pairs or values), codec (1: lz4), 0
    blocks    rows (encoded group key, packed [key, value]), see `blocks`; or rows (encoded group key, value)
    summary   msgpack: key type, rows, size of the blocks, their CRC-32, checksum of the rows, whether they are values
    footer    length of the summary (4 bytes), CRC-32 of head, summary and this length, `MREND\\r\\n\\0`

The group key is the one that the reducer was called with; a reducer may yield another. Where it does not, the part
is `own`: its rows are values alone, packed or of one type, and the group key is their key. A map of a job without
reduce makes a part too: all its rows have the empty key, and the key type is empty. Parts know nothing of tsv.
Callers: `reduce_task` and `map_part` write, the gateway verifies when it stages, `merge` reads.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from isal.isal_zlib import crc32

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
_PIECE: Final = 1 << 20
"""Bytes that are read at once where nobody looks at rows."""
_FOOTER: Final = struct.Struct(">II8s")


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a part says of itself. `checksum` is over the rows in order, not over Arrow's bytes.

    own: rows are values, whose key is the group key; else they are pairs.
    """

    key_type: KeyType
    rows: int
    length: int
    crc: int
    checksum: str
    own: bool


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
        body = msgspec.msgpack.encode(summary)
        end = body + _FOOTER.pack(len(body), _summary_crc(HEAD, body), END)
        self._file.write(end)
        return PartResult(checksum=summary.checksum, rows=self._rows, size=len(HEAD) + self._length + len(end))


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
        if end != END or length > left:
            raise CorruptionError(f"{path.name} is no part, or it is cut short")
        file.seek(size - _FOOTER.size - length)
        body = file.read(length)
    if _summary_crc(head, body) != crc:
        raise CorruptionError(f"the summary of {path.name} is damaged")
    if head != HEAD:
        raise CorruptionError(f"{path.name} is of version {head[8]}, format {head[9]}: this engine does not read it")
    summary = _summary_of(body)
    if summary.length != left - length:
        raise CorruptionError(f"{path.name} has {left - length} bytes of blocks, and claims {summary.length}")
    return summary


def read(path: Path) -> Iterator[Rows]:
    """Yield the rows of a part; raises `CorruptionError` where they are not those that were written.

    The file is open only while a block is read: a merge reads all parts of a job side by side.
    """
    summary = read_summary(path)
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
        yield block
    if crc != summary.crc or rows != summary.rows:
        raise CorruptionError(f"{path.name}: {rows} rows of {summary.rows}, CRC {crc:08x}, not {summary.crc:08x}")


def verify(path: Path, *, deep: bool = False) -> PartResult:
    """Look through a whole part, and return what its writer reported; raises `CorruptionError`.

    That the bytes are those that were written is proved by their CRC and by the summary, which has a CRC of its own.
    deep: rows are read too, and their checksum is made once more; that takes many times as long.
    """
    summary = read_summary(path)
    if deep:
        _verify_rows(path, summary)
    elif (crc := _crc_of_blocks(path, summary.length)) != summary.crc:
        raise CorruptionError(f"{path.name}: the blocks have the CRC {crc:08x}, not {summary.crc:08x}")
    return PartResult(checksum=summary.checksum, rows=summary.rows, size=path.stat().st_size)


def _crc_of_blocks(path: Path, left: int) -> int:
    crc = 0
    with path.open("rb") as file:
        file.seek(len(HEAD))
        while left:
            data = file.read(min(left, _PIECE))
            if not data:
                raise CorruptionError(f"{path.name} ends {left} bytes before the end of its blocks")
            crc = crc32(data, crc)
            left -= len(data)
    return crc


def _verify_rows(path: Path, summary: Summary) -> None:
    digest = Digest()
    for block in read(path):
        digest.update(block)
    if digest.hexdigest() != summary.checksum:
        raise CorruptionError(f"{path.name}: the rows have the checksum {digest.hexdigest()}, not {summary.checksum}")
