"""A data file of the output as it is written: compressed if it should be, counted and summed on the way.

The bytes depend on the text alone, not on the pieces in which it comes: a compressor gets pieces of one
size, and no time or name goes into the file. Neighbours: `merge`, which makes the text; the gateway, which
says in which style.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec

from mapreduce.spec import Compression, Merge, Order, OutputFormat
from mapreduce_worker.engine import durable

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

PIECE: Final = 1 << 20
"""Bytes that a compressor gets at once."""
GZIP_LEVEL: Final = 6
ZSTD_LEVEL: Final = 3
STRIDE: Final = 16 << 20
"""Bytes after which the disk is told to begin with them: else all of them wait for the file's end."""
ALONG: Final = 1 << 16
"""Bytes from which a thread is worth while that sums them up, and …"""
HELD: Final = 8 << 20
"""… how many may wait for it."""


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """How data files are written. by_key: parts are merged by their group keys, else they follow each other."""

    format: OutputFormat = "tsv"
    compression: Compression = "none"
    by_key: bool = True


def merges_by_key(order: Order, merge: Merge, *, of_maps: bool) -> bool:
    """Tell whether the parts of a job are merged by their group keys.

    Those of maps have none, those of ranges follow each other as their keys do, and one that becomes a file of its own
    is in order.
    """
    return order == "hash" and merge == "sorted" and not of_maps


class DataFile:
    """Writes text to an open file; `finish` comes last."""

    def __init__(self, file: BinaryIO, compression: Compression) -> None:
        """Take the file, which is empty."""
        self._file = file
        self._digest = _Digest()
        self._compressor = _compressor(compression)
        self._held = bytearray()
        self.size = 0
        self._begun = 0
        """The bytes with which the disk has begun."""

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
        if self.size - self._begun >= STRIDE:
            durable.begin(self._file, self._begun, self.size - self._begun)
            self._begun = self.size


class _Digest:
    """The SHA-256 of a file, made beside its writing: it takes as long as all else."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[Future[None], int]] = deque()
        self._held = 0

    def update(self, data: bytes) -> None:
        while self._waiting and self._held + len(data) > HELD:
            self._wait()
        if not self._waiting and not ALONG <= len(data) <= HELD:
            self._digest.update(data)
            return
        if self._thread is None:
            # Only here: it brings logging, and most files are short.
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - see above

            self._thread = ThreadPoolExecutor(1, "sha256")
        self._waiting.append((self._thread.submit(self._digest.update, data), len(data)))
        self._held += len(data)

    def hexdigest(self) -> str:
        while self._waiting:
            self._wait()
        return self._digest.hexdigest()

    def _wait(self) -> None:
        done, size = self._waiting.popleft()
        done.result()
        self._held -= size


def _compressor(compression: Compression) -> Any:
    if compression == "gzip":
        # zlib writes a head without name and with the time 0.
        return zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    if compression == "zstd":
        import zstandard  # noqa: PLC0415 - most outputs are not compressed

        return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()
    return None
