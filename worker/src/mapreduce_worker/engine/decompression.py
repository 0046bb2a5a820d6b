"""Compressed input to bytes: a stream of bounded chunks, however much a file holds.

Gzip files may have several members, zst files several frames (skippable ones too), one after the other.
Whatever is damaged or cut short is an error of the input, with the file and the offset in it.
Neighbours: `formats` (the caller), `mapreduce.plan` (a compressed file is one split).
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import zstandard

from mapreduce.plan import Suffix
from mapreduce_worker.engine.failure import InputDamaged

CHUNK: Final = 1 << 20
"""Bytes in one chunk, at most."""
_PIECE: Final = 512
"""Bytes that zstd gets at once. Four of them may stand for 128 KiB, and all of that comes at once: 16 MiB a piece."""
_LOOK: Final = 64
"""Chunks that are read behind a damage: a large file is not read to its end for the sake of a better message."""
_GZIP: Final = 16 + zlib.MAX_WBITS


class Stream:
    """The decompressed bytes of a file: an iterator of chunks, none empty. `taken` tells how far it is."""

    def __init__(self, name: str, suffix: Suffix, chunks: Iterator[bytes]) -> None:
        """Take the file's bytes; `name` is what errors call it."""
        self._name = name
        self._chunks = chunks
        self._at = self._told = 0
        self._output = self._gzip() if suffix == ".gz" else self._zstd()

    def __iter__(self) -> Iterator[bytes]:
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return the next chunk; raises `InputDamaged`, and what the file's own chunks raise."""
        return next(self._output)

    def taken(self) -> int:
        """Return how many bytes of the file were read since this was last asked."""
        taken, self._told = self._at - self._told, self._at
        return taken

    def _gzip(self) -> Iterator[bytes]:
        unit: Any = zlib.decompressobj(_GZIP)
        begun, members = False, 0
        for data in self._chunks:
            while data:
                if not begun:
                    # Between members, and behind the last, there may be zeros: tapes are filled up with them.
                    rest = data.lstrip(b"\0") if members else data
                    self._at += len(data) - len(rest)
                    data, begun = rest, bool(rest)  # noqa: PLW2901 - what is left of it
                    continue
                before = len(data)
                chunk = self._call(unit.decompress, data, CHUNK)
                data = unit.unconsumed_tail or unit.unused_data  # noqa: PLW2901 - what is left of it
                self._at += before - len(data)
                if chunk:
                    yield chunk
                if unit.eof:
                    unit, begun, members = zlib.decompressobj(_GZIP), False, members + 1
        if begun or not members:
            raise self._cut_short()

    def _zstd(self) -> Iterator[bytes]:
        decompressor = zstandard.ZstdDecompressor()
        unit: Any = decompressor.decompressobj()
        begun, frames = False, 0
        for data in _pieces(self._chunks):
            while data:
                begun = True
                whole = self._call(unit.decompress, data)
                rest = unit.unused_data if unit.eof else b""
                self._at += len(data) - len(rest)
                for start in range(0, len(whole), CHUNK):
                    yield whole[start : start + CHUNK]
                if unit.eof:
                    unit, begun, frames = decompressor.decompressobj(), False, frames + 1
                data = rest  # noqa: PLW2901 - what is left of it
        if begun or not frames:
            raise self._cut_short()

    def _call(self, decompress: Callable[..., bytes], *arguments: bytes | int) -> bytes:
        try:
            return decompress(*arguments)
        except (zlib.error, zstandard.ZstdError) as error:
            # A file that was changed meanwhile says so at its end, which explains more.
            for _ in itertools.islice(self._chunks, _LOOK):
                pass
            message = (
                f"{self._name} cannot be decompressed near byte {self._at} ({error}): it is damaged, or not what its "
                "name says"
            )
            raise InputDamaged(message, f"{self._name}:{self._at}") from error

    def _cut_short(self) -> InputDamaged:
        message = f"{self._name} is cut short: its {self._at} bytes end in the middle of compressed data"
        return InputDamaged(message, f"{self._name}:{self._at}")


def _pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            yield chunk[start : start + _PIECE]
