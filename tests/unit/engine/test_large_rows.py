"""A frame with a very large value is put together without Polars, and is the same to whoever reads it."""

import io
import random

import pytest

from mapreduce import values
from mapreduce_worker.engine import blocks, columns, framing, large_rows
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.framing import Framer

NOISE = random.Random(3).randbytes(9000)
LAST = {"text": "naïve " * 9000, "bytes": NOISE, "list": ["x" * 9000, 1], "nothing": b""}


def rows_with(last, count):
    """Packed rows, of which the last is `last`."""
    packed = [values.encode(number if number % 2 else f"v{number}" * 5) for number in range(count - 1)]
    return Block([b"key %d" % at for at in range(count)], [*packed, values.encode(last)])


@pytest.mark.parametrize("count", [1, 2, 1500])
@pytest.mark.parametrize("name", LAST)
def test_the_stream_is_to_the_byte_what_polars_writes(name, count):
    rows = rows_with(LAST[name], count)
    stream = b"".join(large_rows.stream(rows, 0))
    assert stream == blocks.stream(columns.of_packed(rows.keys, rows.values).frame)


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
@pytest.mark.parametrize("name", ["text", "bytes", "list"])
def test_rows_and_checksum_are_those_of_a_frame_that_polars_wrote(monkeypatch, codec, name):
    rows = rows_with(LAST[name], 3)
    expected = Framer(codec)
    expected.frame(rows)
    monkeypatch.setattr(large_rows, "LARGE", 1000)
    monkeypatch.setattr(large_rows, "_LOOK", 1000)
    framer = Framer(codec)
    frame = framer.frame(rows)
    found, _ = blocks.read(io.BytesIO(frame), len(frame))
    assert blocks.as_block(found) == rows
    assert framer.digest.hexdigest() == expected.digest.hexdigest()
    smaller = len(frame) * framing.GAIN < rows.size() * (framing.GAIN - 1)
    assert smaller == (codec != "none" and name != "bytes")


@pytest.mark.parametrize("kind", ["text", "bytes"])
def test_columns_of_one_type_are_carried_as_well(monkeypatch, kind):
    objects = [type(LAST[kind])()] * 1500 + [LAST[kind]]
    rows = columns.of_lists([b"%d" % at for at in range(1501)], objects)
    expected = Framer("lz4")
    expected.frame(rows)
    monkeypatch.setattr(large_rows, "LARGE", 1000)
    framer = Framer("lz4")
    frame = framer.frame(rows)
    found, _ = blocks.read(io.BytesIO(frame), len(frame))
    assert found.unpacked() == objects
    assert framer.digest.hexdigest() == expected.digest.hexdigest()
