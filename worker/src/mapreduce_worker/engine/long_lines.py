"""Lines that are longer than a record may be: what is read of one, and how far its end is looked for.

Where a job skips bad records, such a line is one of them. It may be most of a file, so of what it has beyond
a record's limit a `Gap` is told in the place of the bytes, and one that goes on and on ends the job as without the
option. Neighbours: `ranges` (the bytes of a file), `records` (finds the lines), `gateway.input_server` (sends a gap).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Final

import msgspec

from mapreduce.errors import RecordTooLongError, SystemFault
from mapreduce.spec import MIB
from mapreduce_worker.engine.failure import RecordRefused
from mapreduce_worker.engine.sparse import At

BEYOND: Final = 256 * MIB
"""Bytes by which a line may be longer than a record may, and be skipped: who serves a range reads so far before a
byte of it is sent, and who waits for that gives up after some seconds."""


class Gap(msgspec.Struct, frozen=True):
    """Bytes in the midst of a line that are left out of a stream of chunks: `size` of them, at least one.

    In front of it stand more bytes of that line than a record may have; behind it, the line's or the file's end.
    """

    size: int


Chunk = bytes | Gap | At
"""A piece of a range, of any size but 0; or where the next one begins, where a range is not in one piece."""


def shortened(chunks: Generator[bytes], limit: int) -> Iterator[Chunk]:
    """Yield the chunks, which begin where a line does, with a gap for what a line has beyond what tells that it is
    longer than `limit` bytes. Where the chunks end plays no part in which bytes are left out of a line of many chunks.
    """
    # One byte more than too many, as the last may be a carriage return that a line feed follows.
    kept = limit + 2
    line = gap = 0
    # It holds an open file.
    with closing(chunks):
        for chunk in chunks:
            if line >= kept:
                end = chunk.find(b"\n")
                gap += end if end >= 0 else len(chunk)
                if end < 0:
                    continue
                if gap:
                    yield Gap(gap)
                line, gap, chunk = 0, 0, chunk[end:]  # noqa: PLW2901 - what is left of it
            cut = chunk.rfind(b"\n") + 1
            line = len(chunk) - cut if cut else line + len(chunk)
            gap = max(0, line - kept)
            yield chunk[: len(chunk) - gap]
        if gap:
            yield Gap(gap)


def whole(chunk: Chunk) -> bytes:
    """Return a chunk where there can be no gap; raises `SystemFault` for one."""
    if not isinstance(chunk, bytes):
        raise SystemFault(f"bytes of the input are left out where they are needed: {chunk}")
    return chunk


def require_skippable(name: str, offset: int, size: int, limit: int) -> None:
    """Raise `RecordRefused` for a line, which begins at `offset`, with so many bytes that it is not skipped."""
    if size > limit + BEYOND:
        raise endless(name, offset, limit)


def too_long(name: str, offset: int, limit: int) -> RecordRefused:
    """Return the error for a record, which begins at `offset`, of more than `limit` bytes."""
    return _refused(
        f"{name}:{offset}",
        f"the record at byte {offset} of {name} is longer than {limit} bytes, which is the limit (maxRecordBytes)",
    )


def endless(name: str, offset: int, limit: int) -> RecordRefused:
    """Return the error for a line that is too long to be skipped, where records of `limit` bytes are allowed."""
    return _refused(
        f"{name}:{offset}",
        f"the record at byte {offset} of {name} is more than {BEYOND // MIB} MiB longer than {limit} bytes, the limit "
        "(maxRecordBytes): the end of such a line is not looked for, and it is not skipped either",
    )


def _refused(where: str, message: str) -> RecordRefused:
    error = RecordRefused(where, message)
    error.__cause__ = RecordTooLongError(message)
    return error
