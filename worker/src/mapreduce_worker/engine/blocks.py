"""Rows as lists, where they are few, and the one form of rows on disk: map outputs, spilled runs, parts.

A row is (encoded key, value). In memory many rows are `Columns`, few are a `Block`; both have keys and values, which
are packed (msgpack, `mapreduce.values`), or of one type for all rows. On disk rows are a frame:

    length of the body, CRC-32 of all that follows, rows   4 bytes each, big-endian
    kind of the body                                       1 byte
    body   0: msgpack (keys, values), for a few rows; values are packed, or integers of 64 bits
           1: an Arrow IPC stream of the columns that `columns` describes, its buffers compressed or not
           2: the length of a packed value (1 byte), that value, which all rows have, and such a stream of their keys

A frame comes from another machine, where user code runs beside its writer. So what it claims is bounded: its rows, the
bytes that it becomes when it is decompressed (before that is done, see `arrow_sizes.py`), and their ratio.

Polars takes half a second to import, so it is imported
where the first rows are met that are many: a small job, and whoever only reads an index, never waits for it.
Neighbours: `columns`, `framing` (frames and checksums of whole files).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

import msgspec
from isal.isal_zlib import crc32

from mapreduce import values as codec
from mapreduce.errors import CorruptionError, RowTooLargeError
from mapreduce_worker.engine import arrow_sizes, columns
from mapreduce_worker.engine.columns import Columns

if TYPE_CHECKING:
    import polars

Codec = Literal["none", "lz4", "zstd"]

MAX_ROWS: Final = 16384
MAX_BYTES: Final = 1 << 20
"""A frame is closed when it has this many rows, or bytes of keys and values; a row is never divided."""

MAX_RAW: Final = (1 << 30) - 1
"""Bytes of keys and values that a block may hold: those of its largest row, nearly. `framing` has
30 bits for a length."""
_SLACK: Final = 1 << 20
"""What Arrow's offsets add to a block, at most."""

NATIVE_ROWS: Final = 1000
"""From here on rows are `Columns` in memory."""
SMALL_ROWS: Final = 128
SMALL_BYTES: Final = 4096
"""Up to here an Arrow stream would be mostly its own schema."""
_MAX_PLAIN: Final = 4 * SMALL_BYTES

_HEAD: Final = struct.Struct(">II")
_TAIL: Final = struct.Struct(">IB")
HEAD_BYTES: Final = _HEAD.size + _TAIL.size
_PLAIN: Final = 0
_ARROW: Final = 1
_ONE: Final = 2
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack_plain: Final = msgspec.msgpack.Decoder(tuple[list[bytes], list[int | bytes]]).decode
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class Block(msgspec.Struct, frozen=True):
    """Rows in key order: `values` are packed bytes, or integers of 64 bits if `packed` is false."""

    keys: list[bytes]
    values: list[Any]
    packed: bool = True

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.keys)

    @property
    def key_series(self) -> list[bytes]:
        """The keys, for whoever looks at a few of them."""
        return self.keys

    def unpacked(self) -> list[Any]:
        """Return the values as Python objects."""
        return list(map(codec.decode, self.values)) if self.packed else self.values

    def as_packed(self) -> Block:
        """Return the same rows with packed values."""
        return self if self.packed else Block(self.keys, codec.encode_all(self.values))

    def cut(self, start: int, end: int) -> Block:
        """Return the rows from `start` to `end`."""
        return Block(self.keys[start:end], self.values[start:end], self.packed)

    def size(self) -> int:
        """Return the bytes of keys and values."""
        return sum(map(len, self.keys)) + (sum(map(len, self.values)) if self.packed else 8 * len(self.values))


Rows = Block | Columns
"""Rows in memory: few as lists, many as columns."""


def of_objects(keys: list[bytes], objects: list[Any]) -> Rows:
    """Return rows of Python objects; raises `ValueEncodingError` for what cannot be packed."""
    if len(keys) >= NATIVE_ROWS:
        return columns.of_lists(keys, objects)
    if set(map(type, objects)) == {int} and min(objects) >= _INT_MIN and max(objects) <= _INT_MAX:
        return Block(keys, objects, packed=False)
    return Block(keys, codec.encode_all(objects))


def of_packed(keys: list[bytes], packed: list[bytes]) -> Rows:
    """Return rows of packed values."""
    return columns.of_packed(keys, packed) if len(keys) >= NATIVE_ROWS else Block(keys, packed)


def of_one(keys: list[bytes], packed: bytes) -> Rows:
    """Return rows that all have the same packed value."""
    return columns.of_one(keys, packed) if len(keys) >= NATIVE_ROWS else Block(keys, [packed] * len(keys))


def as_columns(rows: Rows) -> Columns:
    """Return the same rows as columns."""
    if isinstance(rows, Columns):
        return rows
    return (columns.of_packed if rows.packed else columns.of_integers)(rows.keys, rows.values)


def as_block(rows: Rows) -> Block:
    """Return the same rows as lists."""
    if isinstance(rows, Block):
        return rows
    keys, values = rows.keys, rows.values
    if rows.packed or type(values[0]) is int:
        return Block(keys, values, rows.packed)
    return Block(keys, codec.encode_all(values))


def keys_at(rows: Rows, places: Sequence[int]) -> list[bytes]:
    """Return the keys at these places."""
    if isinstance(rows, Block):
        return [rows.keys[at] for at in places]
    found: list[bytes] = rows.key_series[list(places)].to_list()
    return found


def joined(rows: Sequence[Rows]) -> Rows:
    """Return rows one after the other: as columns if they are many, else as lists."""
    if len(rows) == 1:
        return rows[0]
    if sum(one.count for one in rows) >= NATIVE_ROWS:
        return columns.joined(list(map(as_columns, rows)))
    few = [as_block(one) for one in rows if one.count]
    packed = any(one.packed for one in few)
    keys: list[bytes] = []
    values: list[Any] = []
    for one in few:
        keys += one.keys
        values += one.as_packed().values if packed else one.values
    return Block(keys, values, packed)


def sorted_rows(rows: Rows) -> Rows:
    """Sort rows by their keys; those with equal keys stay in their order."""
    if isinstance(rows, Columns):
        return columns.in_order(rows)
    index = sorted(range(rows.count), key=rows.keys.__getitem__)
    return Block([rows.keys[at] for at in index], [rows.values[at] for at in index], rows.packed)


def divided(rows: Block, numbers: Sequence[int], count: int) -> list[Block]:
    """Return the rows of each of `count` partitions, in their order; `numbers` has the partition of each row."""
    parts = [Block([], [], rows.packed) for _ in range(count)]
    for key, value, number in zip(rows.keys, rows.values, numbers, strict=True):
        parts[number].keys.append(key)
        parts[number].values.append(value)
    return parts


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


def cut(given: Iterable[Rows], most_bytes: int = MAX_BYTES) -> Iterator[Rows]:
    """Divide and join rows, so that each piece is near the size where a frame is closed."""
    held: list[Rows] = []
    count = size = 0
    for rows in given:
        if not rows.count:
            continue
        held.append(rows)
        count += rows.count
        size += rows.size() if count < MAX_ROWS else 0
        if count >= MAX_ROWS or size >= most_bytes:
            *full, last = _pieces(joined(held), most_bytes)
            yield from full
            held, count, size = [last], last.count, last.size()
            if count >= MAX_ROWS or size >= most_bytes:
                yield last
                held, count, size = [], 0, 0
    if held:
        yield from _pieces(joined(held), most_bytes)


def _pieces(rows: Rows, most_bytes: int) -> Iterator[Rows]:
    if isinstance(rows, Columns):
        yield from columns.pieces(rows, MAX_ROWS, most_bytes)
        return
    start, size = 0, 0
    for at in range(rows.count):
        size += len(rows.keys[at]) + (len(rows.values[at]) if rows.packed else 8)
        if size >= most_bytes or at + 1 - start == MAX_ROWS:
            yield rows.cut(start, at + 1)
            start, size = at + 1, 0
    if start < rows.count:
        yield rows.cut(start, rows.count)


def is_small(rows: Rows) -> bool:
    """Tell whether rows are so few that their frame has no Arrow stream."""
    return rows.count <= SMALL_ROWS and rows.size() <= SMALL_BYTES


def check(rows: Rows) -> None:
    """Raise `RowTooLargeError` for rows too large for a frame, and `ValueError` for more of them than fit."""
    if rows.count > MAX_ROWS:
        raise ValueError(f"a frame of {rows.count} rows, which no reader takes: see `cut`")
    if (size := rows.size()) > MAX_RAW:
        # The largest alone: those before it have a mebibyte together.
        at = max(range(rows.count), key=lambda place: rows.cut(place, place + 1).size())
        (key,) = keys_at(rows, [at])
        raise RowTooLargeError(
            f"a key and its value take {size} bytes; {MAX_RAW} are the most that can be carried: yield it in pieces",
            key,
        )


def write(rows: Rows, codec_name: Codec) -> bytes:
    """Return the frame of at most `MAX_ROWS` rows; raises `RowTooLargeError` for one too large."""
    check(rows)
    if is_small(rows):
        return _framed((_plain(rows),), rows.count, _PLAIN)
    found = as_columns(rows)
    return framed(stream_of(found, codec_name), found)


def framed(body: bytes, rows: Columns) -> bytes:
    """Return the frame of rows, of which this is what `stream_of` returned."""
    if rows.one is None:
        return _framed((body,), rows.count, _ARROW)
    return _framed((bytes((len(rows.one),)), rows.one, body), rows.count, _ONE)


def framed_pieces(body: Sequence[bytes | memoryview], count: int) -> bytes:
    """Return the frame of an Arrow stream of so many rows, which is there in pieces: they are copied once."""
    return _framed(body, count, _ARROW)


def _framed(body: Sequence[bytes | memoryview], count: int, kind: int) -> bytes:
    tail = _TAIL.pack(count, kind)
    crc = crc32(tail)
    for piece in body:
        crc = crc32(piece, crc)
    return b"".join((_HEAD.pack(sum(map(len, body)), crc), tail, *body))


def _plain(rows: Rows) -> bytes:
    values = rows.values
    if not rows.packed and type(values[0]) is not int:
        values = codec.encode_all(values)
    return _pack((rows.keys, values))


def stream_of(rows: Columns, codec_name: Codec = "none") -> bytes:
    """Return the Arrow stream of both columns, or of the keys where all rows are known to have the same value."""
    return stream(rows.frame if rows.one is None else rows.key_series.to_frame(), codec_name)


def stream(frame: polars.DataFrame, codec_name: Codec = "none") -> bytes:
    """Return the Arrow stream of some columns, as one batch."""
    import polars  # noqa: PLC0415 - see the module's docstring

    buffer = io.BytesIO()
    compression: Literal["uncompressed", "lz4", "zstd"] = "uncompressed" if codec_name == "none" else codec_name
    frame.rechunk().write_ipc_stream(buffer, compression=compression, compat_level=polars.CompatLevel.oldest())
    return buffer.getvalue()


def read(file: BinaryIO, left: int) -> tuple[Rows, bytes]:
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
    if crc32(body, crc32(head[_HEAD.size :])) != crc:
        raise CorruptionError("a block's CRC does not match")
    return _parse(body, kind, rows), head + body


def _bound(length: int, rows: int, kind: int) -> None:
    """Refuse a head that no block of ours has."""
    if not 0 < rows <= MAX_ROWS:
        raise CorruptionError(f"a block claims {rows} rows; {MAX_ROWS} are the most")
    most = {_PLAIN: _MAX_PLAIN, _ARROW: MAX_RAW + _SLACK, _ONE: MAX_RAW + _SLACK}.get(kind)
    if most is None:
        raise CorruptionError(f"a block is of the kind {kind}: this engine does not read it")
    if length > most:
        raise CorruptionError(f"a block of the kind {kind} claims {length} bytes")


def _parse(body: bytes, kind: int, rows: int) -> Rows:
    if kind == _ARROW:
        return Columns(_with_form(_parse_arrow(body, rows)))
    if kind == _ONE:
        return _parse_one(body, rows)
    try:
        keys, values = _unpack_plain(body)
        if len(keys) != rows or len(values) != rows:
            raise CorruptionError(f"a block has {len(keys)} keys and {len(values)} values, and claims {rows} rows")
        return Block(keys, values, packed=isinstance(values[0], bytes))
    except (msgspec.MsgspecError, IndexError) as error:
        raise CorruptionError(f"a block with a good CRC is of another format: {error}") from error


def _parse_one(body: bytes, rows: int) -> Columns:
    size = body[0] if body else 0
    if not 0 < size <= columns.SHORT or len(body) <= size:
        raise CorruptionError(f"a block of {rows} rows with one value claims that this has {size} bytes")
    value, frame = body[1 : size + 1], _parse_arrow(body[size + 1 :], rows)
    if not columns.are_keys(frame):
        raise CorruptionError(f"a block with a good CRC has the columns {dict(frame.schema)}, where keys alone stand")
    return columns.with_one(frame.get_column(columns.KEY), value)


def _with_form(frame: polars.DataFrame) -> polars.DataFrame:
    if not columns.has_form(frame):
        raise CorruptionError(f"a block with a good CRC has the columns {dict(frame.schema)}, or nulls in them")
    return frame


def _parse_arrow(body: bytes, rows: int) -> polars.DataFrame:
    import polars  # noqa: PLC0415 - see the module's docstring

    sizes = arrow_sizes.of(body)
    if sizes.rows != rows or sizes.raw > MAX_RAW + _SLACK:
        raise CorruptionError(f"a block of {rows} rows holds {sizes.rows}, of {sizes.raw} bytes")
    try:
        frame = polars.read_ipc_stream(body)
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError) as error:
        raise CorruptionError(f"a block with a good CRC is no Arrow stream: {error}") from error
    if frame.height != rows or frame.estimated_size() > MAX_RAW + _SLACK:
        raise CorruptionError(f"a block of {rows} rows became {frame.height}, of {frame.estimated_size()} bytes")
    return frame
