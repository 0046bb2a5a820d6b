"""Data files of an output as the text that they hold: gzip and Zstandard, piece by piece."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from mapreduce_cli.cluster.problems import Broken, Refused

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 512
"""Bytes that a library gets at once: of zstd they stand for 16 MiB at most, of gzip for half of one."""


class Reader:
    """Decompresses one file: `feed` each piece, then `end`. Raises `Broken` for damaged data."""

    def __init__(self, name: str, make: Callable[[], Any], fault: type[Exception]) -> None:
        self._name = name
        self._make = make
        self._fault = fault
        self._inner = make()
        self._began = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what this piece holds, in bounded pieces; a file may be several members or frames."""
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            while piece:
                if self._inner.eof:
                    self._inner = self._make()
                try:
                    made = self._inner.decompress(piece)
                except self._fault as error:
                    raise Broken(f"{self._name} is damaged: {error}") from error
                self._began = True
                if made:
                    yield made
                piece = self._inner.unused_data

    def end(self) -> None:
        """The file has ended."""
        if self._began and not self._inner.eof:
            raise Broken(f"{self._name} is truncated")


class Plain:
    """A file that is not compressed."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the piece."""
        yield data

    def end(self) -> None:
        """There is nothing to check."""


def reader(name: str, *, raw: bool) -> Reader | Plain:
    """Return the reader for a file of this name. Raises `Refused` if its library is missing."""
    if name.endswith(".gz") and not raw:
        return Reader(name, lambda: zlib.decompressobj(_GZIP), zlib.error)
    if name.endswith(".zst") and not raw:
        try:
            library = importlib.import_module("zstandard")
        except ImportError as error:
            raise Refused(f"{name} needs the library zstandard", hint="pip install zstandard, or --raw") from error
        return Reader(name, lambda: library.ZstdDecompressor().decompressobj(), library.ZstdError)
    return Plain()
