"""Rows to frames and to their checksum: the columns are brought into Arrow's form once for both.

Of rows that hardly become smaller, as random ones do, most frames are not compressed: that takes longer than all else.
Which ones depends on the rows before them in the file, and on nothing else. Neighbours: `blocks` (the form of a
frame), `map_output` and `part` (the callers), `arrow_sizes` (where the columns' bytes are).
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from xxhash import xxh3_128

from mapreduce_worker.engine import arrow_sizes, blocks, columns, large_rows
from mapreduce_worker.engine.blocks import Codec, Rows
from mapreduce_worker.engine.columns import Columns

if TYPE_CHECKING:
    import polars

GAIN: Final = 8
"""Compression is worth while if it saves one byte in so many."""
PATIENCE: Final = 15
"""Frames that stay as they are after one for which it was not."""

_SECTION: Final = b"\xff\xff\xff\xff"
_NUMBER: Final = struct.Struct(">I")
_HEAD: Final = struct.Struct("<I")
_pack: Final = msgspec.msgpack.Encoder().encode
_TEXT, _BYTES = 1 << 30, 2 << 30
"""What a value that is text or bytes has in its head, besides its length, which is less than that."""
_SKIPPED: Final = dict.fromkeys(range(0xA0, 0xC0), (1, _TEXT)) | {
    0xD9: (2, _TEXT),
    0xDA: (3, _TEXT),
    0xDB: (5, _TEXT),
    0xC4: (2, _BYTES),
    0xC5: (3, _BYTES),
    0xC6: (5, _BYTES),
}
"""How many bytes msgpack puts before text and bytes, by the first of them."""


class Digest:
    """The checksum of rows in order: over key lengths, keys, heads and bodies of values, each as one stream.

    The head of a value that is text or bytes has its type and length, and its body is itself. Any other has the head 0,
    and its body is packed (`mapreduce.values`), so that it tells its own length. So the checksum does not depend on
    Arrow, on where blocks end, or on how values are held in memory.
    """

    def __init__(self) -> None:
        """Start with no row."""
        self._lengths, self._keys, self._heads, self._bodies = xxh3_128(), xxh3_128(), xxh3_128(), xxh3_128()

    def section(self, number: int) -> None:
        """Begin a new section, such as a partition."""
        self._lengths.update(_SECTION + _NUMBER.pack(number))

    def update(self, rows: Rows) -> None:
        """Add rows."""
        if isinstance(rows, Columns):
            if rows.count:
                self.update_columns(rows, blocks.stream_of(rows))
            return
        self._lengths.update(_numbers(list(map(len, rows.keys))))
        self._keys.update(b"".join(rows.keys))
        self._add_values(rows)

    def update_columns(self, rows: Columns, stream: bytes) -> None:
        """Add rows, of which there are some, and which an Arrow stream holds as they are (`blocks.stream_of`)."""
        buffers = arrow_sizes.buffers(stream)
        self._lengths.update(_lengths(buffers[1], rows.key_series, 0))
        self._keys.update(buffers[2])
        if rows.one is not None:
            heads, bodies = _divided([rows.one])
            self._heads.update(_numbers(heads) * rows.count)
            self._bodies.update(bytes(bodies[0]) * rows.count)
            return
        values = rows.value_series
        kind = str(values.dtype)
        if not rows.packed and kind in ("String", "Binary"):
            self._heads.update(_lengths(buffers[4], values, _TEXT if kind == "String" else _BYTES))
            self._bodies.update(buffers[5])
        elif rows.packed and not _has_heads(values):
            self._heads.update(bytes(_HEAD.size * rows.count))
            self._bodies.update(buffers[5])
        else:
            self._add_values(rows)

    def _add_values(self, rows: Rows) -> None:
        found = rows.values
        if rows.packed:
            heads, bodies = _divided(found)
            self._heads.update(_numbers(heads))
            if sum(map(len, bodies)) < large_rows.LARGE:
                self._bodies.update(b"".join(bodies))
            else:
                for body in bodies:
                    self._bodies.update(body)
        else:
            self._heads.update(bytes(_HEAD.size * rows.count))
            self._bodies.update(_pack_all(found))

    def hexdigest(self) -> str:
        """Return `xxh3:<hex>`."""
        streams = (self._lengths, self._keys, self._heads, self._bodies)
        return f"xxh3:{xxh3_128(b''.join(stream.digest() for stream in streams)).hexdigest()}"


def _lengths(offsets: memoryview, column: polars.Series, kind: int) -> bytes | memoryview:
    """Return the head of each text of a kind, of which a column's offsets tell the lengths."""
    count, first = len(offsets) // 8 - 1, int.from_bytes(offsets[8:16], "little")
    # As bytes: views are compared one element after the other.
    if int.from_bytes(offsets[-8:], "little") == count * first and offsets.tobytes() == _equally_long(count, first):
        return _HEAD.pack(kind | first) * count
    heads = columns.lengths(column) | kind
    return arrow_sizes.buffers(blocks.stream(heads.to_frame()))[1]


@lru_cache(maxsize=8)
def _equally_long(count: int, length: int) -> bytes:
    """Return the offsets of so many texts of one length."""
    return array("q", range(0, count * length + 1, length) if length else [0] * (count + 1)).tobytes()


def _numbers(numbers: list[int]) -> bytes:
    found = array("I", numbers)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def _has_heads(packed: polars.Series) -> bool:
    """Tell whether some packed values are text or bytes."""

    first = packed.bin.get(0, null_on_oob=True)
    found = first.is_between(0xA0, 0xBF) | first.is_between(0xC4, 0xC6) | first.is_between(0xD9, 0xDB)
    return bool(found.any())


def _divided(packed: Sequence[bytes]) -> tuple[list[int], list[bytes | memoryview]]:
    """Return heads and bodies of packed values."""
    heads: list[int] = []
    bodies: list[bytes | memoryview] = []
    get = _SKIPPED.get
    for value in packed:
        known = get(value[0]) if value else None
        if known is None:
            heads.append(0)
            bodies.append(value)
        else:
            skipped, kind = known
            heads.append(kind | max(0, len(value) - skipped))
            bodies.append(value[skipped:] if len(value) < large_rows.LARGE else memoryview(value)[skipped:])
    return heads, bodies


def _pack_all(values: list[Any]) -> bytes:
    """Return the packed values one after the other: a packed list without its head. They are of one plain type."""
    count = len(values)
    return _pack(values)[1 if count < 16 else 3 if count < 65536 else 5 :]


class Framer:
    """Makes the frames of one file, and the checksum of all their rows."""

    def __init__(self, codec: Codec) -> None:
        """Compress by `codec`, where that makes rows smaller."""
        self._codec: Codec = codec
        self._wait = 0
        self.digest = Digest()

    def frame(self, rows: Rows) -> bytes:
        """Return the frame of at most `MAX_ROWS` rows; raises `RowTooLargeError` for one too large."""
        if blocks.is_small(rows):
            self.digest.update(rows)
            return blocks.write(rows, self._codec)
        if rows.size() >= large_rows.LARGE:
            return self._large(rows)
        found = blocks.as_columns(rows)
        blocks.check(found)
        body = blocks.stream_of(found)
        self.digest.update_columns(found, body)
        if self._codec != "none":
            body = self._smaller(found, body)
        return blocks.framed(body, found)

    def _large(self, rows: Rows) -> bytes:
        found = blocks.as_block(rows).as_packed()
        blocks.check(found)
        self.digest.update(found)
        return blocks.framed_pieces(large_rows.stream(found, GAIN if self._codec != "none" else 0), found.count)

    def _smaller(self, rows: Columns, body: bytes) -> bytes:
        if self._wait:
            self._wait -= 1
            return body
        packed = blocks.stream_of(rows, self._codec)
        if len(packed) * GAIN <= len(body) * (GAIN - 1):
            return packed
        self._wait = PATIENCE
        return body
