"""Lines of text to the frames that `map_batch` is called with, as `records.lines` reads them, many at a time.

No line becomes a Python object, but where the bytes around it are no UTF-8. Neighbours: `batches` (says where a frame
ends), `records` (the rules of lines), `batch_csv` (the same for CSV).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import IO, Any, Final

import polars as pl

from mapreduce.plan import FileRange
from mapreduce_worker.engine import batch_window, records
from mapreduce_worker.engine.batch_window import FILE, OFFSET, Window
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.records import Refuse

_REPLACED: Final = "\ufffd"
_COUNTED: Final = 8 << 20
"""Bytes of lines that are counted at once, at most, and those of a piece more."""
_MANY: Final = 1 << 20
"""Bytes of lines from which on it is worth while to ask Polars how many they are."""
_SAMPLE: Final = "a\rb\r\n\n\v\f\x1c\x1d\x1e\x85\u2028\u2029\0\n\r\n\nlast".encode()
"""Lines with everything that anybody may take for the end of one."""
_FEW: Final = 4
"""Up to so many pieces of files are read one by one: each begins with some tenths of a millisecond."""


class Lines:
    """Whole lines that will be a frame: see `batches.Held`."""

    def __init__(self, options: TaskOptions, refuse: Refuse) -> None:
        """Call `refuse` as `records.lines` does."""
        self._options, self._refuse = options, refuse
        self._as_bytes = options.encoding_errors == "bytes"
        self._held: list[_Lines] = []
        self._size = self._height = 0
        self._waiting: _Lines | None = None
        """Lines that nobody has counted yet."""
        self._done: list[tuple[list[_Lines], int]] = []

    def pieces(self, part: FileRange, offset: int, chunks: Iterator[Chunk]) -> Iterator[tuple[int, bytes]]:
        """Yield whole lines, many at a time, with the offset of the first."""
        return records.whole_lines(part.file.name, offset, chunks, self._options.max_record_bytes, self._refuse)

    def end(self, raw: bytes, _: int, target: int) -> int:
        """Return where the first line ends that does not end before `target`; 0 if none does."""
        return raw.find(b"\n", target) + 1

    def add(self, name: str, offset: int, raw: bytes, size: int) -> None:
        """Add whole lines that begin at `offset` of a file, in which they take `size` bytes."""
        self._size += size
        for at, lines in _decoded(name, offset, raw, self._options, self._refuse):
            self._add(name, at, lines)

    def _add(self, name: str, offset: int, raw: bytes) -> None:
        lines = raw if self._as_bytes else records.without_mark(offset, raw)
        if len(lines) < len(raw):
            # The first line begins with the mark, and what follows after it.
            end = lines.find(b"\n") + 1 or len(lines)
            self._push(name, offset, lines[:end])
            offset += len(raw) - len(lines) + end
            lines = lines[end:]
        self._push(name, offset, lines)

    def _push(self, name: str, offset: int, raw: bytes) -> None:
        if not raw:
            return
        last = self._waiting
        if last is None or last.name != name or last.end != offset:
            self._count_waiting()
            last = self._waiting = _Lines(name, offset)
        last.add(raw)
        if last.end - last.start >= _COUNTED:
            self._count_waiting()

    def _count_waiting(self) -> None:
        lines, self._waiting = self._waiting, None
        if lines is None:
            return
        most = batch_window.most_rows(1)
        offset, raw = lines.start, lines.joined()
        while raw:
            count, room = _count(raw), most - self._height
            if count > room:
                count = _count_exactly(raw)
            end = _end_of(raw, room) if count > room else len(raw)
            self._hold(lines.name, offset, raw[:end], min(count, room))
            offset, raw = offset + end, raw[end:]
            self._height += min(count, room)
            if self._height == most:
                self._end()

    def _hold(self, name: str, offset: int, raw: bytes, count: int) -> None:
        last = self._held[-1] if self._held else None
        if last is None or last.name != name or last.end != offset:
            last = _Lines(name, offset)
            self._held.append(last)
        last.add(raw, count)

    def _end(self) -> None:
        self._done.append((self._held, self._size))
        self._held, self._size, self._height = [], 0, 0

    def full(self) -> Iterator[Window]:
        """Yield what will not grow, and hold it no more."""
        while self._done:
            held, size = self._done.pop(0)
            window = Window(_of_bytes(held) if self._as_bytes else _of_text(held), size)
            # Before user code works with them.
            held.clear()
            yield window

    def taken(self) -> Iterator[Window]:
        """Yield what is held, if that is anything, and hold it no more."""
        self._count_waiting()
        if self._held:
            self._end()
        self._size = 0
        return self.full()


def _count(raw: bytes) -> int:
    """Return how many lines these are: many are counted by Polars, in half of the time."""
    if len(raw) < _MANY or not _are_counted_alike():
        return _count_exactly(raw)
    return int(pl.scan_lines(raw).select(pl.len()).collect().item())


def _count_exactly(raw: bytes) -> int:
    return raw.count(b"\n") + (not raw.endswith(b"\n"))


@cache
def _are_counted_alike() -> bool:
    """Tell whether this Polars ends a line where we do, and nowhere else."""
    return bool(pl.scan_lines(_SAMPLE).select(pl.len()).collect().item() == _count_exactly(_SAMPLE))


def _end_of(raw: bytes, number: int) -> int:
    """Return where the line of this number ends, from one on, of lines that are more."""
    low, high = 0, len(raw)
    while high - low > 1:
        middle = (low + high) // 2
        found = raw.count(b"\n", low, middle)
        if found >= number:
            high = middle
        else:
            low, number = middle, number - found
    return high


class _Lines:
    """Consecutive lines of one file, as bytes."""

    __slots__ = ("count", "end", "name", "parts", "start")

    def __init__(self, name: str, start: int) -> None:
        self.name, self.start, self.end = name, start, start
        self.count = 0
        self.parts: list[bytes] = []

    def add(self, raw: bytes, count: int = 0) -> None:
        """Add lines, of which so many are counted."""
        self.parts.append(raw)
        self.end += len(raw)
        self.count += count

    def joined(self) -> bytes:
        """Return all lines; they stay in one piece."""
        if len(self.parts) > 1:
            self.parts = [b"".join(self.parts)]
        return self.parts[0]


def _of_text(held: Sequence[_Lines]) -> pl.DataFrame:
    if len(held) > _FEW:
        return _of_many(held)
    frames = []
    for lines in held:
        found = _of_one(lines)
        if found is None:
            return _of_many(held)
        frames.append(found)
    return pl.concat(frames)


def _of_one(lines: _Lines) -> pl.DataFrame | None:
    """Return lines by Polars' own reader; None where it does not tell where each begins, as it drops returns.

    It takes a third of the time of dividing a text. Polars calls it unstable, so its lines are counted, and their bytes
    added up.
    """
    parts = lines.parts
    source: bytes | list[IO[bytes]] = parts[0] if len(parts) == 1 else [io.BytesIO(part) for part in parts]
    found = pl.read_lines(source, name="value").get_column("value")
    ends = (found.str.len_bytes().cast(pl.Int64) + 1).cum_sum()
    if len(found) != lines.count or ends[-1] != lines.end - lines.start + (not parts[-1].endswith(b"\n")):
        return None
    starts = ends.shift(1, fill_value=0) + lines.start
    names = pl.Series([lines.name], dtype=pl.String).new_from_index(0, len(found))
    return pl.DataFrame([found, names.alias(FILE), starts.alias(OFFSET)])


def _of_many(held: Sequence[_Lines]) -> pl.DataFrame:
    texts = [lines.joined().decode().removesuffix("\n") for lines in held]
    has_return = any("\r" in text for text in texts)
    made = pl.DataFrame(
        [
            pl.Series("value", texts, dtype=pl.String).str.split("\n"),
            pl.Series(FILE, [lines.name for lines in held], dtype=pl.String),
            pl.Series(OFFSET, [lines.start for lines in held], dtype=pl.Int64),
            pl.Series("before", range(len(texts)), dtype=pl.Int64),
        ]
    )
    before = pl.Series("bytes", texts, dtype=pl.String).str.len_bytes().cast(pl.Int64) + 1
    # Bytes of all lines of the segments before this one: what the sum over all lines has too much.
    made = made.with_columns((before.cum_sum() - before).alias("before")).explode("value")
    length = pl.col("value").str.len_bytes().cast(pl.Int64) + 1
    value = pl.col("value").str.strip_suffix("\r") if has_return else pl.col("value")
    return made.select(value, FILE, (pl.col(OFFSET) + length.cum_sum() - length - pl.col("before")).alias(OFFSET))


def _of_bytes(held: Sequence[_Lines]) -> pl.DataFrame:
    values: list[bytes] = []
    files: list[str] = []
    offsets: list[int] = []
    for segment in held:
        raw = segment.joined()
        lines = records.split_lines(raw)
        values += lines
        files += [segment.name] * len(lines)
        ends = accumulate((len(line) + 1 for line in raw.split(b"\n")), initial=segment.start)
        offsets += [at for at, _ in zip(ends, lines, strict=False)]
    return frame(values, files, offsets)


def frame(values: Sequence[Any], files: Sequence[str], offsets: Sequence[int]) -> pl.DataFrame:
    """Return the frame of records that are Python objects; raises `TypeError` for what is neither str nor bytes."""
    kind = pl.Binary if values and isinstance(values[0], bytes) else pl.String
    return pl.DataFrame(
        [
            pl.Series("value", values, dtype=kind),
            pl.Series(FILE, files, dtype=pl.String),
            pl.Series(OFFSET, offsets, dtype=pl.Int64),
        ]
    )


def _decoded(name: str, offset: int, raw: bytes, options: TaskOptions, refuse: Refuse) -> Iterator[tuple[int, bytes]]:
    """Yield the offset of whole lines, and these: as UTF-8, but where bytes stay what they are."""
    errors = options.encoding_errors
    if errors == "bytes" or raw.isascii():
        yield offset, raw
        return
    for at, part, text in records.decoded_lines(name, offset, raw, errors, refuse):
        if errors == "replace" and _REPLACED in text:
            # Lines are longer or shorter than their bytes, which say where each begins.
            yield from _line_by_line(at, part)
        else:
            yield at, part


def _line_by_line(offset: int, raw: bytes) -> Iterator[tuple[int, bytes]]:
    for line in _lines(raw):
        yield offset, line.decode("utf-8", "replace").encode()
        offset += len(line)


def _lines(raw: bytes) -> list[bytes]:
    """Return lines with their ends."""
    lines = [line + b"\n" for line in raw.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
