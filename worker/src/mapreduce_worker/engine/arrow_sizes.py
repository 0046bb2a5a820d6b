"""How large an Arrow stream becomes when it is read, told before a byte of it is decompressed.

A stream is a schema and one batch of rows or more; each message is a flatbuffer that says where the
batch's buffers are, and a compressed buffer begins with its size when it is not. Those sizes are what a
reader allocates, so whoever forges them could ask for any amount of memory. Only the little that leads there
is read; all else is left to Polars. Format: https://arrow.apache.org/docs/format/Columnar.html (IPC streaming format).
Neighbour: `blocks.py`, which bounds them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from mapreduce.errors import CorruptionError

MAX_RATIO: Final = 255
"""No LZ4 block becomes larger than this many times its size. What zstd claims must fit a block."""
_RATIO_SLACK: Final = 64
_PREFIX: Final = struct.Struct("<II")
_CONTINUES: Final = 0xFFFFFFFF
_SCHEMA, _BATCH = 1, 3
_COLUMNS: Final = 2
_ALIGNED: Final = 64
"""Where buffers begin: at multiples of it, behind zeros."""
END: Final = _PREFIX.pack(_CONTINUES, 0)
"""What a stream ends with."""
# Fields of the flatbuffer tables `Message` and `RecordBatch`, by their numbers in Message.fbs.
_KIND, _HEADER, _BODY_LENGTH = 1, 2, 3
_ROWS, _BUFFERS, _COMPRESSION = 0, 2, 3
_CODEC: Final = 0
_LZ4, _ZSTD = 0, 1


class Sizes(msgspec.Struct, frozen=True):
    """Rows, and bytes of all buffers once they are decompressed."""

    rows: int
    raw: int


def of(stream: bytes) -> Sizes:
    """Return what the stream declares; raises `CorruptionError` if it is not of the one form that we write.

    Also where a buffer claims to be larger than compression can have made it.
    """
    try:
        return _of(stream)
    except (struct.error, IndexError) as error:
        raise CorruptionError(f"an Arrow stream whose own heads make no sense: {error}") from error


def buffers(stream: bytes) -> list[memoryview]:
    """Return the buffers of a stream of one batch that we have written ourselves, and that is not compressed."""
    found: list[memoryview] = []
    for number, (message, body) in enumerate(_messages(stream)):
        if number:
            batch = _follow(message, _required(message, _unsigned(message, 0), _HEADER))
            found += [body[start : start + length] for start, length in _places(message, batch, len(body))]
    return found


def heads(stream: bytes, lengths: Sequence[int]) -> tuple[bytes, list[int]]:
    """Return what stands before the buffers of a stream of one batch, if these had so many bytes each.

    And where each of them begins, and at last where they end. The stream is one that we have written ourselves.
    """
    (schema, none), (message, _) = _messages(stream)
    ends = 2 * _PREFIX.size + len(schema) + len(none) + len(message)
    at = ends - len(message)
    made, starts = bytearray(stream[:ends]), [0]
    vector = _follow(
        message, _required(message, _follow(message, _required(message, _unsigned(message, 0), _HEADER)), _BUFFERS)
    )
    for number, length in enumerate(lengths):
        struct.pack_into("<qq", made, at + vector + 4 + 16 * number, starts[-1], length)
        starts.append(starts[-1] + length + -length % _ALIGNED)
    struct.pack_into("<q", made, at + _required(message, _unsigned(message, 0), _BODY_LENGTH), starts[-1])
    return bytes(made), starts


def _of(stream: bytes) -> Sizes:
    rows = raw = 0
    for number, (message, body) in enumerate(_messages(stream)):
        root = _unsigned(message, 0)
        kind = _byte(message, _required(message, root, _KIND))
        if kind != (_BATCH if number else _SCHEMA):
            raise CorruptionError(f"message {number} of an Arrow stream is of the kind {kind}")
        if kind == _BATCH:
            batch = _follow(message, _required(message, root, _HEADER))
            rows += _long(message, _required(message, batch, _ROWS))
            raw += sum(_buffers(message, batch, body))
    return Sizes(rows, raw)


def _messages(stream: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the head and the body of each message."""
    at, view = 0, memoryview(stream)
    while at < len(stream):
        marker, length = _PREFIX.unpack_from(stream, at)
        if marker != _CONTINUES:
            raise CorruptionError("an Arrow stream of another framing")
        if not length:
            return
        at += _PREFIX.size
        head = stream[at : at + length]
        field = _field(head, _unsigned(head, 0), _BODY_LENGTH)
        size = _long(head, field) if field else 0
        at += length
        if size < 0 or at + size > len(stream):
            raise CorruptionError(f"a message of an Arrow stream claims a body of {size} bytes")
        yield head, view[at : at + size]
        at += size


def _buffers(message: bytes, batch: int, body: memoryview) -> Iterator[int]:
    """Yield the size of each of the batch's buffers after decompression."""
    codec = _codec(message, batch)
    for start, length in _places(message, batch, len(body)):
        raw = _long(body, start) if codec is not None and length else -1
        if codec == _LZ4 and raw > MAX_RATIO * length + _RATIO_SLACK:
            raise CorruptionError(f"a buffer of {length} bytes claims to become {raw} bytes")
        yield raw if raw >= 0 else length


def _places(message: bytes, batch: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where each of the batch's buffers begins in the body of `size` bytes, and its length."""
    vector = _follow(message, _required(message, batch, _BUFFERS))
    count = _unsigned(message, vector)
    if count > 3 * _COLUMNS:
        raise CorruptionError(f"a batch of {count} buffers, where two columns have at most six")
    for at in range(vector + 4, vector + 4 + 16 * count, 16):
        start, length = _long(message, at), _long(message, at + 8)
        if start < 0 or length < 0 or start + length > size:
            raise CorruptionError(f"a buffer of {length} bytes at {start} is not inside its message")
        yield start, length


def _codec(message: bytes, batch: int) -> int | None:
    """Return by what the batch's buffers are compressed, if they are."""
    field = _field(message, batch, _COMPRESSION)
    if not field:
        return None
    at = _field(message, _follow(message, field), _CODEC)
    codec = _byte(message, at) if at else _LZ4
    if codec not in (_LZ4, _ZSTD):
        raise CorruptionError(f"a batch is compressed by the codec {codec}")
    return codec


# --- flatbuffers: a table knows where its fields are by a list of offsets that it points back to ------------


def _field(data: bytes, table: int, number: int) -> int:
    """Return where a table's field is, or 0 if the table has it not."""
    fields = table - _signed(data, table)
    at = 4 + 2 * number
    if at + 2 > _short(data, fields):
        return 0
    offset = _short(data, fields + at)
    return table + offset if offset else 0


def _required(data: bytes, table: int, number: int) -> int:
    at = _field(data, table, number)
    if not at:
        raise CorruptionError("a message of an Arrow stream lacks a field that all have")
    return at


def _follow(data: bytes, at: int) -> int:
    return at + _unsigned(data, at)


def _byte(data: bytes, at: int) -> int:
    return _number("<B", data, at)


def _short(data: bytes, at: int) -> int:
    return _number("<H", data, at)


def _unsigned(data: bytes, at: int) -> int:
    return _number("<I", data, at)


def _signed(data: bytes, at: int) -> int:
    return _number("<i", data, at)


def _long(data: bytes | memoryview, at: int) -> int:
    return _number("<q", data, at)


def _number(form: str, data: bytes | memoryview, at: int) -> int:
    if at < 0:
        raise IndexError(f"an offset of {at}")
    number: int = struct.unpack_from(form, data, at)[0]
    return number
