"""The one way the engine makes a file that others will see: all of it, or none of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a file beside `path` for writing; at a clean end flush it to the disk and rename it.

    Without `sync` it may be lost, or torn, when the machine stops: for what is proven whenever it is read.

    After an exception nothing stands under either name. The temporary name carries the process
    number, so that two attempts in one folder never write to one file.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:  # interrupted too: no half-written file stays
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_directory(path.parent)


def begin(file: BinaryIO, start: int, size: int) -> None:
    """Let the disk begin with bytes of a file that is still written, so that less is left to be synced at its end."""
    if hasattr(os, "posix_fadvise"):
        file.flush()
        # Linux writes out what is not needed in memory any more, and waits for nothing.
        os.posix_fadvise(file.fileno(), start, size, os.POSIX_FADV_DONTNEED)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
