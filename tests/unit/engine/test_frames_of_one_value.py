"""Rows that all have the same value: the frame has it once, and nothing else shows it."""

import io
import struct
import zlib

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import partitioning
from mapreduce.errors import CorruptionError
from mapreduce.values import encode
from mapreduce_worker.engine import blocks, columns, partitions
from mapreduce_worker.engine.columns import Columns
from mapreduce_worker.engine.framing import Digest, Framer
from tests.support import budget

KEYS = [b"key %d" % at for at in range(2000)]
VALUES = [["corpus/a.txt"], "text", b"bytes", 7, None, ["x" * 40]]


def read(frame):
    return blocks.read(io.BytesIO(frame), len(frame))[0]


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
@pytest.mark.parametrize("value", VALUES)
def test_rows_come_out_of_a_frame_as_they_went_in(value, codec):
    rows = columns.of_one(KEYS, encode(value))
    framer = Framer(codec)
    for frame in (blocks.write(rows, codec), framer.frame(rows)):
        found = read(frame)
        assert (found.keys, found.unpacked(), found.one) == (KEYS, [value] * len(KEYS), encode(value))
        assert len(frame) < len(b"".join(KEYS)) + 9 * len(KEYS) + 1000


@pytest.mark.parametrize("value", VALUES)
def test_the_checksum_is_that_of_rows_with_a_value_each(value):
    rows = columns.of_one(KEYS, encode(value))
    known, unknown, framed = Digest(), Digest(), Framer("lz4")
    known.update(rows)
    unknown.update(Columns(rows.frame))
    framed.frame(rows)
    assert known.hexdigest() == unknown.hexdigest() == framed.digest.hexdigest()


@pytest.mark.parametrize(
    ("begin", "columns_", "words"),
    [
        (b"", None, "claims that this has 0 bytes"),
        (b"\x00", "key", "claims that this has 0 bytes"),
        (b"\x41" + b"v" * 65, "key", "claims that this has 65 bytes"),
        (b"\x01v", "value", "where keys alone stand"),
        (b"\x01v", "both", "where keys alone stand"),
        (b"\x01v", "none", "where keys alone stand"),
        (b"\x01v", None, "holds 0|no Arrow stream"),
    ],
)
def test_a_block_that_is_not_what_it_claims_is_refused(begin, columns_, words):
    rows = columns.of_one(KEYS, b"v")
    frame = {
        "key": rows.frame.select("key"),
        "value": rows.frame.select("key").rename({"key": "value"}),
        "both": rows.frame,
        "none": polars.DataFrame(height=len(KEYS)),
    }.get(columns_)
    body = begin + (blocks.stream(frame) if frame is not None else b"")
    tail = struct.pack(">IB", len(KEYS), 2)
    with pytest.raises(CorruptionError, match=words):
        read(struct.pack(">II", len(body), zlib.crc32(body, zlib.crc32(tail))) + tail + body)


@budget.examples(20)
@given(st.lists(st.binary(max_size=20), min_size=1), st.integers(1, 9))
def test_keys_of_a_column_go_where_each_of_them_goes(keys, count):
    found = partitions.by_hash(columns.of_one(keys, b"v").key_series, count)
    assert found.to_list() == [partitioning.partition(key, count) for key in keys]
