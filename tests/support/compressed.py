"""Compressed files for the tests of input and output, whole and otherwise."""

from __future__ import annotations

import gzip

import zstandard

from mapreduce.plan import Suffix

SKIPPED = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"a\n\x00\xff!"
"""A zst frame that holds no data, as some tools write them."""


def compress(suffix: Suffix, data: bytes) -> bytes:
    """Return one gzip member, or one zst frame with a checksum."""
    if suffix == ".gz":
        return gzip.compress(data, mtime=0)
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def decompress(suffix: Suffix, data: bytes) -> bytes:
    """Return what is in all members or frames."""
    if suffix == ".gz":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
