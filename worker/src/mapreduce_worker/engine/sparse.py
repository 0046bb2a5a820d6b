"""Bytes of a file at their own places: what a reader gets that looks into a file here and there.

A range of such a file travels as chunks like any other, with an `At` where some bytes are left out, and is laid into
a scratch file of the same size with holes. Neighbours: `ranges` (makes the chunks), `parquet_rows` (reads the file).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from mapreduce.errors import SystemFault


class At(msgspec.Struct, frozen=True):
    """The next chunk begins at `offset` of the file, which is behind the end of the last."""

    offset: int


def laid(offset: int, chunks: Iterable[object], folder: Path | None) -> BinaryIO:
    """Return a file of the bytes, of which the first belongs at `offset`; it has no name, and goes when it is closed.

    `folder` is where there is room for it; the default is that of the machine. Raises `SystemFault` for what is no
    chunk of such a range, and what the chunks raise.
    """
    # Every slot imports this module and few come here; tempfile brings random and three compressors.
    import tempfile  # noqa: PLC0415 - see above

    file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - the caller closes it
    try:
        file.seek(offset)
        for chunk in chunks:
            if isinstance(chunk, At):
                file.seek(chunk.offset)
            elif isinstance(chunk, bytes):
                _write(file, chunk)
            else:
                raise SystemFault(f"{chunk!r:.80} has no place in a file")
    except BaseException:  # interrupted too: the file is closed
        file.close()
        raise
    return file


def _write(file: BinaryIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]
