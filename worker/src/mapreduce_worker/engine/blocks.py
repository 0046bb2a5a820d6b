"""Blocks of rows: the one codec under map outputs, spilled runs and parts.

A row is (encoded key, value). In memory a value is either packed (msgpack, `mapreduce.values`)
or a plain 64-bit integer, the same for all rows of a block. On disk a block is a frame:

    length of the body, CRC-32 of all that follows, rows   4 bytes each, big-endian
    kind of the body                                       1 byte
    body   0: msgpack (keys, values), for a few rows
           1: an Arrow IPC stream of the columns `key` (binary) and `value` (binary or int64)

A frame comes from another machine, where user code runs beside its writer. So what it claims is bounded: its rows, the
bytes that it becomes when it is decompressed (before that is done, see `arrow_sizes.py`), and their ratio.

A `Digest` is over rows, not over blocks. Polars takes half a second to import, so it is imported
where the first larger block is met: a small job, and whoever only reads an index, never waits for it.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final, Literal

import msgspec
from xxhash import xxh3_128

from mapreduce import values as codec
from mapreduce.errors import CorruptionError, ValueEncodingError
from mapreduce_worker.engine import arrow_sizes

Codec = Literal["lz4", "uncompressed"]

MAX_ROWS: Final = 4096
MAX_BYTES: Final = 256 << 10
"""A block is closed when it has this many rows, or bytes of keys and values; a row is never divided."""

MAX_RAW: Final = 256 << 20
"""Bytes of keys and values that a block may hold: those of its largest row, nearly."""
_SLACK: Final = 1 << 20
"""What Arrow's offsets add to a block, at most."""

NATIVE_ROWS: Final = 1000
SMALL_ROWS: Final = 128
SMALL_BYTES: Final = 4096
"""Up to here an Arrow stream would be mostly its own schema."""
_MAX_PLAIN: Final = 4 * SMALL_BYTES

_HEAD: Final = struct.Struct(">II")
_TAIL: Final = struct.Struct(">IB")
HEAD_BYTES: Final = _HEAD.size + _TAIL.size
_PLAIN: Final = 0
_ARROW: Final = 1
_COUNT: Final = struct.Struct(">I")
_SECTION: Final = b"\xff\xff\xff\xff"
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack_plain: Final = msgspec.msgpack.Decoder(tuple[list[bytes], list[int | bytes]]).decode
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class Block(msgspec.Struct, frozen=True):
    """Rows in key order: `values` are packed bytes, or integers if `packed` is false."""

    keys: list[bytes]
    values: list[Any]
    packed: bool = True

    def unpacked(self) -> list[Any]:
        """Return the values as Python objects."""
        return list(map(codec.decode, self.values)) if self.packed else self.values

    def as_packed(self) -> Block:
        """Return the same rows with packed values."""
        return self if self.packed else Block(self.keys, codec.encode_all(self.values))


def of_objects(keys: list[bytes], objects: list[Any]) -> Block:
    """Return a block of Python objects: as integers if all are of 64 bits, else packed."""
    if set(map(type, objects)) == {int} and min(objects) >= _INT_MIN and max(objects) <= _INT_MAX:
        return Block(keys, objects, packed=False)
    return Block(keys, codec.encode_all(objects))


def in_order(keys: list[bytes], objects: list[Any]) -> tuple[list[bytes], list[Any]]:
    """Sort rows by their keys, which are distinct.

    Many rows are sorted by Polars: the keys lie side by side there, while Python's are all over
    the memory. One thread, as every core has a slot of its own.
    """
    if len(keys) < NATIVE_ROWS:
        index = sorted(range(len(keys)), key=keys.__getitem__)
        return [keys[at] for at in index], [objects[at] for at in index]
    import polars  # noqa: PLC0415 - see the module's docstring

    numbers = set(map(type, objects)) == {int} and min(objects) >= _INT_MIN and max(objects) <= _INT_MAX
    values = polars.Series("value", objects if numbers else range(len(keys)), dtype=polars.Int64)
    frame = polars.DataFrame([polars.Series("key", keys, dtype=polars.Binary), values])
    frame = frame.sort("key", multithreaded=False)
    ordered = frame["value"].to_list()
    return frame["key"].to_list(), ordered if numbers else [objects[at] for at in ordered]


def cut(blocks: Iterable[Block]) -> Iterator[Block]:
    """Divide and join blocks, so that each is near the size where one is closed."""
    keys: list[bytes] = []
    values: list[Any] = []
    packed, size = True, 0
    for block in blocks:
        if not keys:
            packed = block.packed
        elif packed != block.packed:
            values = values if packed else codec.encode_all(values)
            packed, block = True, block.as_packed()  # noqa: PLW2901 - the same rows
        keys += block.keys
        values += block.values
        size += _size(block.keys, block.values, packed)
        if len(keys) >= MAX_ROWS or size >= MAX_BYTES:
            done = 0
            for closed in _close(keys, values, packed, final=False):
                yield closed
                done += len(closed.keys)
            del keys[:done], values[:done]
            size = _size(keys, values, packed)
    if keys:
        yield from _close(keys, values, packed, final=True)


def _close(keys: list[bytes], values: list[Any], packed: bool, *, final: bool) -> Iterator[Block]:
    """Yield the full blocks at the beginning of these rows, and the rest too if `final`."""
    start = 0
    while start < len(keys):
        end = min(start + MAX_ROWS, len(keys))
        full = end - start == MAX_ROWS
        if _size(keys[start:end], values[start:end], packed) >= MAX_BYTES:
            end, full = _end_by_bytes(keys, values, packed, start), True
        if not full and not final:
            return
        yield Block(keys[start:end], values[start:end], packed)
        start = end


def _size(keys: list[bytes], values: list[Any], packed: bool) -> int:
    return sum(map(len, keys)) + (sum(map(len, values)) if packed else 8 * len(values))


def _end_by_bytes(keys: list[bytes], values: list[Any], packed: bool, start: int) -> int:
    size = 0
    for index in range(start, len(keys)):
        size += len(keys[index]) + (len(values[index]) if packed else 8)
        if size >= MAX_BYTES:
            return index + 1
    return len(keys)


class Digest:
    """The checksum of rows in order: over key lengths, keys and packed values, each as one stream.

    So it does not depend on Arrow, on where blocks end, or on how values are held in memory.
    """

    def __init__(self) -> None:
        """Start with no row."""
        self._lengths, self._keys, self._values = xxh3_128(), xxh3_128(), xxh3_128()

    def section(self, number: int) -> None:
        """Begin a new section, such as a partition."""
        self._lengths.update(_SECTION + _COUNT.pack(number))

    def update(self, block: Block) -> None:
        """Add rows."""
        lengths = array("I", map(len, block.keys))
        if sys.byteorder == "big":
            lengths.byteswap()
        self._lengths.update(lengths.tobytes())
        self._keys.update(b"".join(block.keys))
        self._values.update(b"".join(block.values) if block.packed else _pack_all(block.values))

    def hexdigest(self) -> str:
        """Return `xxh3:<hex>`."""
        streams = (self._lengths, self._keys, self._values)
        return f"xxh3:{xxh3_128(b''.join(stream.digest() for stream in streams)).hexdigest()}"


def _pack_all(numbers: list[int]) -> bytes:
    """Return the packed values one after the other: a packed list without its head."""
    count = len(numbers)
    return _pack(numbers)[1 if count < 16 else 3 if count < 65536 else 5 :]


def write(block: Block, codec_name: Codec) -> bytes:
    """Return the frame of one block, of at most `MAX_ROWS` rows; raises `ValueEncodingError` for one too large."""
    if len(block.keys) > MAX_ROWS:
        raise ValueError(f"a block of {len(block.keys)} rows, which no reader takes: see `cut`")
    size = _size(block.keys, block.values, block.packed)
    if size > MAX_RAW:
        raise ValueEncodingError(f"a key and its value take {size} bytes; {MAX_RAW} are the most that can be carried")
    small = len(block.keys) <= SMALL_ROWS and size <= SMALL_BYTES
    body = _pack((block.keys, block.values)) if small else _arrow(block, codec_name)
    tail = _TAIL.pack(len(block.keys), _PLAIN if small else _ARROW)
    return _HEAD.pack(len(body), zlib.crc32(body, zlib.crc32(tail))) + tail + body


def _arrow(block: Block, codec_name: Codec) -> bytes:
    import polars  # noqa: PLC0415 - see the module's docstring

    value_type = polars.Binary if block.packed else polars.Int64
    frame = polars.DataFrame(
        [
            polars.Series("key", block.keys, dtype=polars.Binary),
            polars.Series("value", block.values, dtype=value_type),
        ]
    )
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression=codec_name, compat_level=polars.CompatLevel.oldest())
    return buffer.getvalue()


def read(file: BinaryIO, left: int) -> tuple[Block, bytes]:
    """Read the next frame, of which `left` bytes remain at most; return its rows and its bytes.

    Raises `CorruptionError` if the bytes are not those that were written.
    """
    head = file.read(min(HEAD_BYTES, left))
    if len(head) < HEAD_BYTES:
        raise CorruptionError(f"a block's head is cut short: {len(head)} bytes of {HEAD_BYTES}")
    length, crc = _HEAD.unpack_from(head)
    rows, kind = _TAIL.unpack_from(head, _HEAD.size)
    _bound(length, rows, kind)
    if length > left - HEAD_BYTES:
        raise CorruptionError(f"a block claims {length} bytes where {left - HEAD_BYTES} are left")
    body = file.read(length)
    if len(body) < length:
        raise CorruptionError(f"a block is cut short: {len(body)} bytes of {length}")
    if zlib.crc32(body, zlib.crc32(head[_HEAD.size :])) != crc:
        raise CorruptionError("a block's CRC does not match")
    return _parse(body, kind, rows), head + body


def _bound(length: int, rows: int, kind: int) -> None:
    """Refuse a head that no block of ours has."""
    if not 0 < rows <= MAX_ROWS:
        raise CorruptionError(f"a block claims {rows} rows; {MAX_ROWS} are the most")
    most = {_PLAIN: _MAX_PLAIN, _ARROW: MAX_RAW + _SLACK}.get(kind)
    if most is None or length > most:
        raise CorruptionError(f"a block of the kind {kind} claims {length} bytes")


def _parse(body: bytes, kind: int, rows: int) -> Block:
    if kind == _ARROW:
        return _parse_arrow(body, rows)
    try:
        keys, values = _unpack_plain(body)
        if len(keys) != rows or len(values) != rows:
            raise CorruptionError(f"a block has {len(keys)} keys and {len(values)} values, and claims {rows} rows")
        return Block(keys, values, packed=isinstance(values[0], bytes))
    except (msgspec.MsgspecError, IndexError) as error:
        raise CorruptionError(f"a block with a good CRC is of another format: {error}") from error


def _parse_arrow(body: bytes, rows: int) -> Block:
    import polars  # noqa: PLC0415 - see the module's docstring

    sizes = arrow_sizes.of(body)
    if sizes.rows != rows or sizes.raw > MAX_RAW + _SLACK:
        raise CorruptionError(f"a block of {rows} rows holds {sizes.rows}, of {sizes.raw} bytes")
    try:
        frame = polars.read_ipc_stream(body)
    except polars.exceptions.PolarsError as error:
        raise CorruptionError(f"a block with a good CRC is no Arrow stream: {error}") from error
    binary = polars.Binary()
    if frame.schema not in ({"key": binary, "value": binary}, {"key": binary, "value": polars.Int64()}):
        raise CorruptionError(f"a block with a good CRC has the columns {dict(frame.schema)}")
    if frame.height != rows or frame.estimated_size() > MAX_RAW + _SLACK or any(frame.null_count().row(0)):
        raise CorruptionError(f"a block of {rows} rows became {frame.height}, of {frame.estimated_size()} bytes")
    return Block(frame["key"].to_list(), frame["value"].to_list(), packed=frame.schema["value"] == binary)
