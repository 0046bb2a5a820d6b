"""A block that claims more than it is, with a good CRC: refused before memory is asked for."""

import io
import random
import struct
import zlib

import polars
import pytest

from mapreduce.errors import CorruptionError, ValueEncodingError
from mapreduce_worker.engine import arrow_sizes, blocks, columns
from mapreduce_worker.engine.blocks import Block, Rows

ROWS = 2000
KEYS = [b"key-%06d" % number for number in range(ROWS)]
HONEST = Block(KEYS, [7] * ROWS, packed=False)


def framed(body: bytes, rows: int = ROWS, kind: int = 1) -> bytes:
    """Return a frame with a good CRC around any body."""
    tail = struct.pack(">IB", rows, kind)
    return struct.pack(">II", len(body), zlib.crc32(body, zlib.crc32(tail))) + tail + body


def read(frame: bytes) -> Rows:
    return blocks.read(io.BytesIO(frame), len(frame))[0]


def rows_of(rows: Rows) -> list[tuple[bytes, object]]:
    return list(zip(rows.keys, rows.unpacked(), strict=True))


def body_of(block: Rows, codec: blocks.Codec = "lz4") -> bytes:
    return blocks.write(block, codec)[blocks.HEAD_BYTES :]


def stream(frame: polars.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression="lz4", compat_level=polars.CompatLevel.oldest())
    return buffer.getvalue()


MAGIC = {"lz4": b"\x04\x22\x4d\x18", "zstd": b"\x28\xb5\x2f\xfd"}


def with_raw_size(body: bytes, old: int, new: int, codec: str = "lz4") -> bytes:
    """Change the size that one compressed buffer declares: 8 bytes before its first frame."""
    forged = body.replace(struct.pack("<q", old) + MAGIC[codec], struct.pack("<q", new) + MAGIC[codec], 1)
    assert forged != body
    return forged


OF_EVERY_TYPE = [
    [7] * ROWS,
    [b"v" * (n % 50) for n in range(ROWS)],
    [b""] * ROWS,
    [b"a"] * ROWS,
    ["ä" * (n % 30) for n in range(ROWS)],
    [n / 7 for n in range(ROWS)],
    [n % 3 == 0 for n in range(ROWS)],
]


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
@pytest.mark.parametrize("values", OF_EVERY_TYPE)
def test_the_sizes_of_an_honest_block_are_known_before_it_is_read(codec, values):
    rows = columns.of_lists(KEYS, values)
    sizes = arrow_sizes.of(body_of(rows, codec))
    assert sizes.rows == ROWS
    assert rows.size() - ROWS <= sizes.raw <= rows.size() + 2 * 8 * (ROWS + 1) + 512
    assert rows_of(read(blocks.write(rows, codec))) == list(zip(KEYS, values, strict=True))


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 33, 1 << 50, (1 << 63) - 1])
def test_a_buffer_that_claims_to_become_huge_is_refused_unread(claimed, monkeypatch):
    monkeypatch.setattr(polars, "read_ipc_stream", None)
    with pytest.raises(CorruptionError, match=f"claims to become {claimed} bytes"):
        read(framed(with_raw_size(body_of(HONEST), 8 * ROWS, claimed)))


@pytest.mark.parametrize("claimed", [1 << 33, (1 << 63) - 1])
def test_zstd_has_no_ratio_and_is_bounded_by_the_largest_block(claimed, monkeypatch):
    monkeypatch.setattr(polars, "read_ipc_stream", None)
    with pytest.raises(CorruptionError, match=f"a block of {ROWS} rows holds {ROWS}, of "):
        read(framed(with_raw_size(body_of(HONEST, "zstd"), 8 * ROWS, claimed, "zstd")))


def test_a_block_that_truly_becomes_too_large_is_refused_unread(monkeypatch):
    large = Block([b"k"], [b"\0" * (1 << 20)])
    frame = blocks.write(large, "lz4")
    assert len(frame) < 20_000
    assert (read(frame).keys, read(frame).values) == (large.keys, large.values)
    monkeypatch.setattr(blocks, "MAX_RAW", 1 << 19)
    monkeypatch.setattr(blocks, "_SLACK", 1000)
    monkeypatch.setattr(polars, "read_ipc_stream", None)
    with pytest.raises(CorruptionError, match="a block of 1 rows holds 1, of 10"):
        read(frame)


def test_a_row_that_no_block_can_hold_is_refused_when_it_is_written(monkeypatch):
    monkeypatch.setattr(blocks, "MAX_RAW", 1 << 19)
    with pytest.raises(ValueEncodingError, match="a key and its value take 524289 bytes"):
        blocks.write(Block([b"k"], [b"v" * (1 << 19)]), "lz4")


@pytest.mark.parametrize(("rows", "kind"), [(0, 1), (blocks.MAX_ROWS + 1, 1), (2**32 - 1, 0), (ROWS - 1, 1)])
def test_a_head_that_no_block_of_ours_has_is_refused(rows, kind):
    with pytest.raises(CorruptionError):
        read(framed(body_of(HONEST), rows, kind))


@pytest.mark.parametrize("kind", [3, 255])
def test_a_block_of_a_newer_kind_is_told_as_one_that_this_engine_does_not_read(kind):
    with pytest.raises(CorruptionError, match=f"a block is of the kind {kind}: this engine does not read it"):
        read(framed(body_of(HONEST), ROWS, kind))


@pytest.mark.parametrize(("length", "kind"), [(2**32 - 1, 1), (100_000, 0), (2**32 - 1, 2)])
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
        polars.DataFrame({"key": KEYS, "value": [1.5] * ROWS}, schema={"key": polars.Binary, "value": polars.Float32}),
        polars.DataFrame({"key": KEYS, "packed": [1] * ROWS}),
        polars.DataFrame({"key": KEYS, "other": KEYS}),
        polars.DataFrame({"value": KEYS, "key": KEYS}),
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


def test_text_that_is_no_text_is_refused():
    body = body_of(columns.of_lists(KEYS, ["ab"] * ROWS), "none")
    assert body.count(b"abab") > 100
    with pytest.raises(CorruptionError, match="no Arrow stream"):
        read(framed(body.replace(b"abab", b"a\xffab", 1)))


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
def test_a_forged_body_is_refused_or_gives_rows(codec):
    """Whatever Polars makes of it, also where it panics: no reader dies of it, and no row is half read."""
    chance = random.Random(6)
    body = body_of(columns.of_lists(KEYS[:200], ["ä" * (n % 30) for n in range(200)]), codec)
    refused = 0
    for _ in range(300):
        forged = bytearray(body)
        forged[chance.randrange(200, len(body))] ^= 1 << chance.randrange(8)
        try:
            assert len(rows_of(read(framed(bytes(forged), 200)))) == 200
        except CorruptionError:
            refused += 1
    assert refused > 50


def test_a_batch_of_an_unknown_codec_is_refused():
    body = body_of(columns.of_integers(KEYS[:200], [7] * 200), "zstd")
    forged = [at for at in range(1000) if codec_of(body[:at] + b"\x07" + body[at + 1 :]) == "unknown"]
    assert len(forged) == 1


def codec_of(body: bytes) -> str:
    try:
        arrow_sizes.of(body)
    except CorruptionError as error:
        return "unknown" if "compressed by the codec 7" in str(error) else ""
    return ""


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
