"""A data file of the output as it is written: compressed if it should be, counted and summed on the way.

The bytes depend on the text alone, not on the pieces in which it comes: a compressor gets pieces of one
size, and no time or name goes into the file. Neighbours: `merge`, which makes the text; the gateway, which
says in which style.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any, BinaryIO, Final

import msgspec

from mapreduce.spec import Compression, OutputFormat

PIECE: Final = 1 << 20
"""Bytes that a compressor gets at once."""
GZIP_LEVEL: Final = 6
ZSTD_LEVEL: Final = 3


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """How data files are written. by_key: parts are merged by their group keys, else they follow each other."""

    format: OutputFormat = "tsv"
    compression: Compression = "none"
    by_key: bool = True


class DataFile:
    """Writes text to an open file; `finish` comes last."""

    def __init__(self, file: BinaryIO, compression: Compression) -> None:
        """Take the file, which is empty."""
        self._file = file
        self._digest = hashlib.sha256()
        self._compressor = _compressor(compression)
        self._held = bytearray()
        self.size = 0

    @property
    def checksum(self) -> str:
        """The SHA-256 of the bytes so far, `sha256:<hex>`."""
        return f"sha256:{self._digest.hexdigest()}"

    def write(self, text: bytes) -> None:
        """Add text."""
        if self._compressor is None:
            self._put(text)
            return
        self._held += text
        while len(self._held) >= PIECE:
            self._put(self._compressor.compress(bytes(self._held[:PIECE])))
            del self._held[:PIECE]

    def finish(self) -> None:
        """Write what is held back."""
        if self._compressor is not None:
            self._put(self._compressor.compress(bytes(self._held)))
            self._put(self._compressor.flush())
            self._held.clear()

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)


def _compressor(compression: Compression) -> Any:
    if compression == "gzip":
        # zlib writes a head without name and with the time 0.
        return zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    if compression == "zstd":
        import zstandard  # noqa: PLC0415 - most outputs are not compressed

        return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()
    return None
