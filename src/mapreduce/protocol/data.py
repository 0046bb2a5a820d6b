"""Reading data: from a worker's map outputs and parts, from a gateway's input."""

from __future__ import annotations

from typing import Final

import msgspec

from mapreduce.boundaries import ALL, KeyRange
from mapreduce.ids import AttemptId
from mapreduce.plan import Split


class ReadSegments(msgspec.Struct, frozen=True, kw_only=True):
    """reader → holder: one partition's segments of these map attempts, in this order.

    Where keys have a total order, a segment is all blocks of rows in which there may be keys of the range.

    The answer is, for each, a frame: 4 bytes length of a `SegmentHead` in msgpack, the head,
    then `length` bytes.
    """

    step: int
    partition: int
    maps: tuple[AttemptId, ...]
    range: KeyRange = ALL


class SegmentHead(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What follows: `length` 0 with `found` false says that the holder has no such output.

    Then `crc` is not 0, which is that of no bytes: one flipped bit must not make an empty segment of it.
    """

    attempt: AttemptId
    found: bool
    length: int = 0
    rows: int = 0
    crc: int = 0


class ReadInput(msgspec.Struct, frozen=True, kw_only=True):
    """slot's agent → gateway: the records of a split.

    The answer is, for each range, a frame: 4 bytes length of a `RangeHead` in msgpack, the head,
    then chunks (4 bytes length, bytes), closed by a chunk of length 0. The bytes are whole
    records: from the first that begins in the range to the end of the last that does; of a range that
    is a whole file they are the file's bytes, compressed or not; of one that is exact they are its own, and those of
    its tail. In the place of a chunk's length, `GAP_FOLLOWS` and a number of `GAP_BYTES` bytes say how many bytes of a
    line that is too long are left out there, and `AT_FOLLOWS` and such a number where in the file the next chunk is.
    A length of `ERROR_FOLLOWS` instead closes the answer with an `ErrorInfo` in msgpack behind it.
    """

    split: Split


class RangeHead(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which range follows, and the offset in the file of the first byte that is sent."""

    position: int
    offset: int


NOTHING: Final = 2**32 - 1
"""The `crc` of a head that nothing follows."""

ERROR_FOLLOWS: Final = 2**32 - 1
"""In the place of a length in the answer to `ReadInput`: an `ErrorInfo` closes the answer."""

GAP_FOLLOWS: Final = 2**32 - 2
"""In the place of a chunk's length: bytes of a line are left out here, and their number follows."""
AT_FOLLOWS: Final = 2**32 - 3
"""In the place of a chunk's length: the next chunk is elsewhere in the file, and its offset follows."""
GAP_BYTES: Final = 8
"""Bytes of that number, the highest first."""

ReadPart = AttemptId
"""reader → holder: the part of one reduce attempt; the answer is the file."""
