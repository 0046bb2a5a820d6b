"""The file between map and reduce: R segments in partition order, and an index.

    8 bytes   magic `MRMAPOUT`
    4 bytes   version, format (3: frames of `blocks`), codec (0 none, 1 lz4, 2 zstd), 0
    segments  partition 0's frames, partition 1's, …; a single one where keys have a total order
    index     msgpack: segments as (offset, length, rows, crc), key type, key_at, rows, checksum, and where
              the blocks of that single segment begin
    footer    length of the index (4 bytes), CRC-32 of head, index and this length (4 bytes), `MREND\\r\\n\\0`

A segment's CRC-32 is over its bytes in the file: it is what travels with the segment. Each block
has one of its own, so that no damaged row reaches user code. Spilled runs are files of the same
kind. Callers: `sorter` writes, the agent serves by `read_index`, `reduce_task` reads.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from isal.isal_zlib import crc32

from mapreduce.boundaries import ALL, KeyRange
from mapreduce.errors import CorruptionError
from mapreduce.keys import KeyType
from mapreduce_worker.engine import blocks, ordered
from mapreduce_worker.engine.blocks import MAX_BYTES, Codec, Rows
from mapreduce_worker.engine.framing import Framer
from mapreduce_worker.engine.ordered import BLOCK_BYTES, Mark, Notes

MAGIC: Final = b"MRMAPOUT"
END: Final = b"MREND\r\n\0"
VERSION: Final = 1
FORMAT_BLOCKS: Final = 3
_CODECS: Final[dict[Codec, int]] = {"none": 0, "lz4": 1, "zstd": 2}
_FOOTER: Final = struct.Struct(">II8s")


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """Where one partition's blocks are in the file; `crc` is over these bytes."""

    offset: int
    length: int
    rows: int
    crc: int


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of itself. `checksum` is over the rows in order, not over Arrow's bytes."""

    segments: tuple[Segment, ...]
    key_type: KeyType
    key_at: str
    rows: int
    checksum: str
    marks: tuple[Mark, ...] | None = None
    """The blocks of the only segment, where keys have a total order."""


_index_of: Final = msgspec.msgpack.Decoder(Index).decode
"""Made before there are threads: several that meet a type of msgspec for the first time crash the process."""


class SegmentFile(msgspec.Struct, frozen=True):
    """One segment on this machine's disk: in a map output, or fetched into a file of its own.

    Of its rows only those in `range` are read.
    """

    path: Path
    offset: int
    length: int
    rows: int
    crc: int
    range: KeyRange = ALL


class SegmentCorrupt(CorruptionError):
    """A segment is damaged; `path` and `offset` say which."""

    def __init__(self, segment: SegmentFile, message: str) -> None:
        """Name the segment in front of the message."""
        super().__init__(f"the segment at byte {segment.offset} of {segment.path.name}: {message}")
        self.path = segment.path
        self.offset = segment.offset


def header(codec: Codec) -> bytes:
    """Return the first bytes of a file."""
    return MAGIC + bytes((VERSION, FORMAT_BLOCKS, _CODECS[codec], 0))


class Writer:
    """Writes segments in partition order to an open file; `finish` returns the index."""

    def __init__(
        self,
        file: BinaryIO,
        codec: Codec = "lz4",
        notes: Notes | None = None,
        watch: Callable[[int, Rows, int], None] | None = None,
    ) -> None:
        """Write the head. With `notes` there is a single segment, of which single blocks may be asked for.

        `watch` is told of each block: its partition, its rows, and its bytes in the file.
        """
        self._file = file
        self._notes = notes
        self._watch = watch
        self._codec: Codec = codec
        self._segments: list[Segment] = []
        self._framer = Framer(codec)
        self._at = file.write(header(codec))

    def segment(self, rows: Iterable[Rows]) -> None:
        """Write the next partition's rows, which come in key order."""
        offset, count, crc = self._at, 0, 0
        self._framer.digest.section(len(self._segments))
        for block in blocks.cut(rows, MAX_BYTES if self._notes is None else BLOCK_BYTES):
            if self._notes is not None:
                self._notes.block(block, self._at - offset, crc)
            frame = self._framer.frame(block)
            crc = crc32(frame, crc)
            if self._watch is not None:
                self._watch(len(self._segments), block, len(frame))
            self._at += self._file.write(frame)
            count += block.count
        self._segments.append(Segment(offset, self._at - offset, count, crc))

    def finish(self, key_type: KeyType, key_at: str) -> Index:
        """Write the index and the footer."""
        index = Index(
            segments=tuple(self._segments),
            key_type=key_type,
            key_at=key_at,
            rows=sum(segment.rows for segment in self._segments),
            checksum=self._framer.digest.hexdigest(),
            marks=tuple(self._notes.marks) if self._notes is not None else None,
        )
        body = msgspec.msgpack.encode(index)
        crc = _index_crc(header(self._codec), body)
        self._at += self._file.write(body + _FOOTER.pack(len(body), crc, END))
        return index

    @property
    def size(self) -> int:
        """The bytes written so far."""
        return self._at


def _index_crc(head: bytes, body: bytes) -> int:
    return crc32(struct.pack(">I", len(body)), crc32(body, crc32(head)))


def read_index(path: Path) -> Index:
    """Return the index of a map output; raises `CorruptionError` if any byte of it is not what was written."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        head_size = len(MAGIC) + 4
        if size < head_size + _FOOTER.size:
            raise CorruptionError(f"{path.name} has {size} bytes: it is no map output")
        file.seek(0)
        head = file.read(head_size)
        file.seek(size - _FOOTER.size)
        length, crc, end = _FOOTER.unpack(file.read(_FOOTER.size))
        if end != END or head[:8] != MAGIC or length > size - head_size - _FOOTER.size:
            raise CorruptionError(f"{path.name} is no map output, or it is cut short")
        file.seek(size - _FOOTER.size - length)
        body = file.read(length)
    if _index_crc(head, body) != crc:
        raise CorruptionError(f"the index of {path.name} is damaged")
    if head[8] != VERSION or head[9] != FORMAT_BLOCKS or head[10] not in _CODECS.values():
        raise CorruptionError(f"{path.name} is of version {head[8]}, format {head[9]}: this engine does not read it")
    return _index_of(body)


def segments_of(path: Path, index: Index) -> list[SegmentFile]:
    """Return the segments of a map output, one a partition."""
    return [SegmentFile(path, part.offset, part.length, part.rows, part.crc) for part in index.segments]


def segment_of(index: Index, partition: int, wanted: KeyRange = ALL) -> Segment | None:
    """Return the segment of a partition, or where keys have a total order the blocks with keys of a range."""
    if index.marks is None:
        return index.segments[partition] if 0 <= partition < len(index.segments) else None
    whole = index.segments[0]
    part = ordered.cut(index.marks, whole.length, whole.crc, wanted)
    return Segment(whole.offset + part.offset, part.length, part.rows, part.crc)


def segment_file(path: Path, index: Index, partition: int, wanted: KeyRange = ALL) -> SegmentFile:
    """Return what `segment_of` tells of a file; its rows are those of the range."""
    found = segment_of(index, partition, wanted)
    if found is None:
        raise ValueError(f"{path.name} has no segment of the partition {partition}")
    return SegmentFile(path, found.offset, found.length, found.rows, found.crc, wanted)


def read(segment: SegmentFile) -> Iterator[Rows]:
    """Yield the rows of one segment that are in its range; raises `SegmentCorrupt`."""
    low, high = segment.range.low, segment.range.high
    for block in _read(segment):
        keys = block.key_series
        start = bisect_left(keys, low, 0, block.count) if low else 0
        end = block.count if high is None else bisect_left(keys, high, 0, block.count)
        if start < end:
            yield block if end - start == block.count else block.cut(start, end)


def _read(segment: SegmentFile) -> Iterator[Rows]:
    if not segment.length:
        if segment.rows:
            raise SegmentCorrupt(segment, f"it has no bytes, but {segment.rows} rows")
        return
    crc, rows, left = 0, 0, segment.length
    try:
        with segment.path.open("rb") as file:
            file.seek(segment.offset)
            while left:
                block, data = blocks.read(file, left)
                crc = crc32(data, crc)
                left -= len(data)
                # Whoever takes the rows may need the room.
                del data
                rows += block.count
                if not left and (crc != segment.crc or rows != segment.rows):
                    raise CorruptionError(f"{rows} rows of {segment.rows}, CRC {crc:08x}, not {segment.crc:08x}")
                yield block
    except CorruptionError as error:
        raise SegmentCorrupt(segment, str(error)) from error
    except FileNotFoundError as error:
        raise SegmentCorrupt(segment, "the file is gone") from error
