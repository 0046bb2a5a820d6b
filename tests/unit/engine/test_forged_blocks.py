"""A block that claims more than it is, with a good CRC: refused before memory is asked for."""

import io
import struct
import zlib

import polars
import pytest

from mapreduce.errors import CorruptionError, ValueEncodingError
from mapreduce_worker.engine import arrow_sizes, blocks
from mapreduce_worker.engine.blocks import Block

ROWS = 2000
KEYS = [b"key-%06d" % number for number in range(ROWS)]
HONEST = Block(KEYS, [7] * ROWS, packed=False)


def framed(body: bytes, rows: int = ROWS, kind: int = 1) -> bytes:
    """Return a frame with a good CRC around any body."""
    tail = struct.pack(">IB", rows, kind)
    return struct.pack(">II", len(body), zlib.crc32(body, zlib.crc32(tail))) + tail + body


def read(frame: bytes) -> Block:
    return blocks.read(io.BytesIO(frame), len(frame))[0]


def body_of(block: Block, codec: blocks.Codec = "lz4") -> bytes:
    return blocks.write(block, codec)[blocks.HEAD_BYTES :]


def stream(frame: polars.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression="lz4", compat_level=polars.CompatLevel.oldest())
    return buffer.getvalue()


def with_raw_size(body: bytes, old: int, new: int) -> bytes:
    """Change the size that one compressed buffer declares: 8 bytes before its LZ4 frame."""
    forged = body.replace(struct.pack("<q", old) + b"\x04\x22\x4d\x18", struct.pack("<q", new) + b"\x04\x22\x4d\x18", 1)
    assert forged != body
    return forged


@pytest.mark.parametrize("codec", ["lz4", "uncompressed"])
@pytest.mark.parametrize("values", [[7] * ROWS, [b"v" * (n % 50) for n in range(ROWS)], [b""] * ROWS, [b"a"] * ROWS])
def test_the_sizes_of_an_honest_block_are_known_before_it_is_read(codec, values):
    block = Block(KEYS, values, packed=isinstance(values[0], bytes))
    sizes = arrow_sizes.of(body_of(block, codec))
    content = sum(map(len, KEYS)) + (sum(map(len, values)) if block.packed else 8 * ROWS)
    assert sizes.rows == ROWS
    assert content <= sizes.raw <= content + 2 * 8 * (ROWS + 1) + 512
    assert read(blocks.write(block, codec)) == block


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 33, 1 << 50, (1 << 63) - 1])
def test_a_buffer_that_claims_to_become_huge_is_refused_unread(claimed, monkeypatch):
    monkeypatch.setattr(polars, "read_ipc_stream", None)
    with pytest.raises(CorruptionError, match=f"claims to become {claimed} bytes"):
        read(framed(with_raw_size(body_of(HONEST), 8 * ROWS, claimed)))


def test_a_block_that_truly_becomes_too_large_is_refused_unread(monkeypatch):
    large = Block([b"k"], [b"\0" * (1 << 20)])
    frame = blocks.write(large, "lz4")
    assert len(frame) < 20_000
    assert read(frame) == large
    monkeypatch.setattr(blocks, "MAX_RAW", 1 << 19)
    monkeypatch.setattr(blocks, "_SLACK", 1000)
    monkeypatch.setattr(polars, "read_ipc_stream", None)
    with pytest.raises(CorruptionError, match="a block of 1 rows holds 1, of 10"):
        read(frame)


def test_a_row_that_no_block_can_hold_is_refused_when_it_is_written(monkeypatch):
    monkeypatch.setattr(blocks, "MAX_RAW", 1 << 19)
    with pytest.raises(ValueEncodingError, match="a key and its value take 524289 bytes"):
        blocks.write(Block([b"k"], [b"v" * (1 << 19)]), "lz4")


@pytest.mark.parametrize(("rows", "kind"), [(0, 1), (blocks.MAX_ROWS + 1, 1), (2**32 - 1, 0), (ROWS, 2), (ROWS - 1, 1)])
def test_a_head_that_no_block_of_ours_has_is_refused(rows, kind):
    with pytest.raises(CorruptionError):
        read(framed(body_of(HONEST), rows, kind))


@pytest.mark.parametrize(("length", "kind"), [(2**32 - 1, 1), (100_000, 0)])
def test_a_length_beyond_any_block_is_refused_before_it_is_read(length, kind):
    head = struct.pack(">IIIB", length, 0, 1, kind)
    with pytest.raises(CorruptionError, match=f"a block of the kind {kind} claims {length} bytes"):
        blocks.read(io.BytesIO(head), 2**40)


@pytest.mark.parametrize(
    "frame",
    [
        polars.DataFrame({"key": KEYS}),
        polars.DataFrame({"key": KEYS, "value": KEYS, "more": KEYS}),
        polars.DataFrame({"key": [str(key) for key in KEYS], "value": KEYS}),
        polars.DataFrame({"key": KEYS, "value": [1.5] * ROWS}),
        polars.DataFrame({"key": KEYS, "value": [[1]] * ROWS}),
        polars.DataFrame({"key": KEYS, "value": [None] * ROWS}, schema={"key": polars.Binary, "value": polars.Int64}),
        polars.DataFrame({"key": KEYS, "value": ["a", "b"] * (ROWS // 2)}).with_columns(
            polars.col("value").cast(polars.Categorical)
        ),
    ],
)
def test_an_arrow_stream_of_other_columns_is_refused(frame):
    with pytest.raises(CorruptionError):
        read(framed(stream(frame)))


@pytest.mark.parametrize(
    "body", [b"", b"\xff" * 8, b"\xff" * 400, b"\0" * 400, b"\xff\xff\xff\xff\x10\0\0\0" + b"\xff" * 16]
)
def test_nonsense_in_the_place_of_an_arrow_stream_is_refused(body):
    with pytest.raises(CorruptionError):
        read(framed(body))


def test_a_stream_with_any_byte_of_its_heads_changed_is_refused_or_bounded():
    body = body_of(HONEST)
    for at in range(400):
        forged = bytearray(body)
        forged[at] ^= 0xFF
        try:
            sizes = arrow_sizes.of(bytes(forged))
        except CorruptionError:
            continue
        assert sizes.raw <= arrow_sizes.MAX_RATIO * len(body)
