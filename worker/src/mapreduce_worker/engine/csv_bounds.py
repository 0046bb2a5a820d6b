"""Where the records of a CSV file end: at a `\\n` with an even number of quotes before it in the file.

That is all that RFC 4180 needs, it can be counted in C, and it is the same wherever one begins to read, as long as a
record begins there. Quotes that stand where they must not are found when a record is read, by `csv_rows`.
Neighbours: `long_lines` (records that are too long), `cuts` (divides files when the job is planned).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mapreduce_worker.engine import long_lines
from mapreduce_worker.engine.failure import RecordRefused
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.records import Refuse

QUOTE: Final = b'"'


def first_end(data: bytes, at: int, inside: bool) -> int:
    """Return where the first record ends that does not end before `at`, behind its `\\n`; 0 if none does.

    `inside`: there is an odd number of quotes before `at`.
    """
    while True:
        if inside:
            at = data.find(QUOTE, at) + 1
            if not at:
                return 0
        end = data.find(b"\n", at) + 1
        if not end or not data.count(QUOTE, at, end) & 1:
            return end
        at, inside = end, True


def last_end(data: bytes, inside: bool) -> tuple[int, bool]:
    """Return where the last record ends, 0 if none does, and whether the number of quotes is odd at the data's end.

    `inside`: it is odd at their beginning.
    """
    odd = inside ^ bool(data.count(QUOTE) & 1)
    end, within = len(data), odd
    while True:
        if within:
            end = data.rfind(QUOTE, 0, end)
            if end < 0:
                return 0, odd
        at = data.rfind(b"\n", 0, end)
        within = bool(data.count(QUOTE, at, end) & 1) if at >= 0 else False
        if not within:
            return at + 1, odd
        end = at


def records(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each record begins and ends, its `\\n` included; the last may lack it."""
    at = 0
    while at < len(raw):
        end = first_end(raw, at, inside=False) or len(raw)
        yield at, end
        at = end


def bare(record: bytes) -> bytes:
    """Return a record without its end."""
    return record.removesuffix(b"\n").removesuffix(b"\r")


def whole_records(
    name: str, offset: int, chunks: Iterator[Chunk], limit: int, refuse: Refuse
) -> Iterator[tuple[int, bytes]]:
    """Yield whole records, many at a time, with the offset of the first; only the last may lack its `\\n`.

    Calls `refuse`, after the records before it were yielded, for one of more than `limit` bytes, and raises
    `RecordRefused` for one that is too long to be left out.
    """
    held: list[bytes] = []
    size = 0
    inside = False
    refused: int | None = None
    for data in map(long_lines.whole, chunks):
        if refused is not None:
            # The rest of a record that is left out.
            end = first_end(data, 0, inside)
            offset += end or len(data)
            long_lines.require_skippable(name, refused, offset - refused, limit)
            if not end:
                inside ^= bool(data.count(QUOTE) & 1)
                continue
            refused, inside, data = None, False, data[end:]  # noqa: PLW2901 - what is left of it
        cut, inside = last_end(data, inside)
        if cut:
            raw = b"".join([*held, data[:cut]])
            yield from _within(name, offset, raw, limit, refuse)
            offset += len(raw)
            held, size = [data[cut:]], len(data) - cut
        else:
            held.append(data)
            size += len(data)
        # One byte more, as it may be a carriage return that a line feed follows.
        if size > limit + 1:
            begin = b"".join(held)[:limit]
            refuse(too_long(name, offset, begin), name, offset, begin)
            long_lines.require_skippable(name, offset, size, limit)
            refused = offset
            offset += size
            held, size = [], 0
    if size:
        yield from _within(name, offset, b"".join(held), limit, refuse)


def _within(name: str, offset: int, raw: bytes, limit: int, refuse: Refuse) -> Iterator[tuple[int, bytes]]:
    """Yield records, but those that are too long."""
    begin = 0
    if len(raw) > limit:
        for at, end in records(raw):
            size = len(bare(raw[at:end]))
            if size > limit:
                if at > begin:
                    yield offset + begin, raw[begin:at]
                kept = raw[at : at + limit]
                refuse(too_long(name, offset + at, kept), name, offset + at, kept)
                long_lines.require_skippable(name, offset + at, size, limit)
                begin = end
    if begin < len(raw):
        yield offset + begin, raw[begin:] if begin else raw


def too_long(name: str, offset: int, begin: bytes) -> RecordRefused:
    """Return the error for a record at `offset`, which begins so, and has more bytes."""
    error = long_lines.too_long(name, offset, len(begin))
    if not begin.count(QUOTE) & 1:
        return error
    told = RecordRefused(error.where, f"{error}; a quote in it may not be closed")
    told.__cause__ = error.__cause__
    return told


class Endless(Exception):
    """A record is longer than a job reads on; `begin` is its offset."""

    def __init__(self, begin: int) -> None:
        super().__init__(f"no record ends far behind byte {begin}")
        self.begin = begin


def cut_points(blocks: Iterator[bytes], targets: Sequence[int], reach: int) -> Iterator[int]:
    """Yield, for each of some growing offsets, where the first record begins that does not begin before it.

    `blocks` are all the bytes of a file. Nothing is yielded for an offset behind which no record begins, or twice.
    Raises `Endless` where more than about `reach` bytes behind an offset belong to the record before it.
    """
    wanted = iter(targets)
    target = next(wanted, None)
    base = begin = 0
    inside = False
    for block in blocks:
        last, odd = last_end(block, inside)
        at = 0
        while target is not None and target <= base + len(block):
            # The end of the line before a record that begins at the target is looked at too.
            skipped = max(at, target - 1 - base)
            inside ^= bool(block.count(QUOTE, at, skipped) & 1)
            at = skipped
            found = first_end(block, at, inside)
            if not found:
                break
            at, inside = found, False
            yield base + found
            while target is not None and target <= base + found:
                target = next(wanted, None)
        inside = odd
        begin = base + last if last else begin
        base += len(block)
        if target is None:
            return
        if base - target > reach:
            raise Endless(begin)
