"""Bytes to the frames that `map_batch` is called with: lines of text, as `records.lines` reads them, many at a time.

A frame holds the records that begin in one window of the split's bytes, of which those of all its ranges count on. So
its boundaries depend on the split alone: not on how bytes come in chunks, nor on memory. No line becomes a Python
object, but where the bytes around it are no UTF-8. Neighbours: `records` (the rules of lines), `batch_map`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import accumulate
from typing import Any, Final

import polars as pl

from mapreduce.plan import FileRange, Split, Suffix, compression
from mapreduce.spec import MIB
from mapreduce_worker.engine import long_lines, records
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.records import Refuse

Source = Callable[[FileRange, int], tuple[int, Iterator[Chunk]]]
"""As in `map_task`."""
WINDOW: Final = 16 * MIB
"""Bytes of a split in which the records of one frame begin."""
_REPLACED: Final = "\ufffd"


class Window:
    """Some consecutive records of a split as a frame: to the loop of records a batch with one record."""

    __slots__ = ("frame", "size")

    def __init__(self, frame: pl.DataFrame, size: int) -> None:
        """Take the columns `value`, `file` and `offset`, and the bytes that they take in their files."""
        self.frame, self.size = frame, size

    @property
    def records(self) -> Sequence[Any]:
        """Return the window itself."""
        return (self,)

    @property
    def name(self) -> str:
        """Return the file of the first record."""
        return str(self.frame["file"][0])

    def offset(self, index: int) -> int:
        """Return where the first record begins in its file."""
        return int(self.frame["offset"][index])

    def where(self, index: int) -> str:
        """Return `file:offset` of the first record."""
        return f"{self.name}:{self.offset(index)}"

    def span(self) -> str:
        """Return `file:offset` of the first record, and of the last."""
        last = f"{self.frame['file'][-1]}:{self.frame['offset'][-1]}"
        return self.where(0) if last == self.where(0) else f"{self.where(0)} to {last}"

    def raw(self, _: int) -> bytes:
        """Return nothing: no record is left out for what user code does with a frame."""
        return b""


def windows(
    split: Split, source: Source, options: TaskOptions, refuse: Refuse = records.never, window: int | None = None
) -> Iterator[Window]:
    """Yield the records of a split of text, in their order; `refuse` is called as by `records.lines`.

    `window` is in bytes, and `WINDOW` if not given. Raises what the chunks raise, and `InputDamaged` for a compressed
    file that is damaged or cut short.
    """
    window = WINDOW if window is None else window
    held = _Held(options.encoding_errors == "bytes")
    # Where the bytes of this range begin in the split, and where the window ends that is being filled.
    base, end = 0, window
    for position, part in enumerate(split.ranges):
        offset, chunks = source(part, position)
        try:
            name, at, reached = part.file.name, offset, 0
            suffix = compression(part.file.path)
            stream = _decompressed(name, suffix, chunks) if suffix is not None else None
            if stream is not None:
                at = 0
            lines = records.whole_lines(name, at, stream or chunks, options.max_record_bytes, refuse)
            for start, raw in lines:
                done = 0
                while done < len(raw):
                    begin = base + start - at + done
                    if begin >= end:
                        yield from held.taken()
                        end = (begin // window + 1) * window
                    # The last record that begins in the window may end after it.
                    cut = raw.find(b"\n", done + end - begin - 1) + 1 or len(raw)
                    held.size += stream.taken() if stream is not None else cut - done
                    for piece in _decoded(name, start + done, raw[done:cut], options, refuse):
                        held.add(name, *piece)
                    done = cut
                reached = start - at + done
            base += reached
        finally:
            # Whatever ended it, a file that is half read must not stay open.
            if isinstance(chunks, Generator):
                chunks.close()
    yield from held.taken()


def _decompressed(name: str, suffix: Suffix, chunks: Iterator[Chunk]) -> Any:
    # Only here: not every slot meets a compressed file.
    from mapreduce_worker.engine.decompression import Stream  # noqa: PLC0415 - see above

    return Stream(name, suffix, map(long_lines.whole, chunks))


def of_records(given: Sequence[Any], start: int, size: int) -> Iterator[Window]:
    """Yield records that are at hand, `size` characters a window; the n-th is at offset n of the file `record`."""
    ends = [total // size for total in accumulate(len(record) + 1 for record in given)]
    begin = 0
    for at in range(1, len(given) + 1):
        if at == len(given) or ends[at] != ends[begin]:
            yield Window(
                frame(given[begin:at], ["record"] * (at - begin), range(start + begin, start + at)), at - begin
            )
            begin = at


def frame(values: Sequence[Any], files: Sequence[str], offsets: Sequence[int]) -> pl.DataFrame:
    """Return the frame of records that are Python objects; raises `TypeError` for what is neither str nor bytes."""
    kind = pl.Binary if values and isinstance(values[0], bytes) else pl.String
    return pl.DataFrame(
        [
            pl.Series("value", values, dtype=kind),
            pl.Series("file", files, dtype=pl.String),
            pl.Series("offset", offsets, dtype=pl.Int64),
        ]
    )


def _decoded(
    name: str, offset: int, raw: bytes, options: TaskOptions, refuse: Refuse
) -> Iterator[tuple[int, bytes, str | None]]:
    """Yield the offset, the bytes and the text of whole lines; no text for bytes that stay what they are."""
    errors = options.encoding_errors
    if errors == "bytes":
        yield offset, raw, None
        return
    for at, part, text in records.decoded_lines(name, offset, raw, errors, refuse):
        if errors == "replace" and _REPLACED in text:
            # Lines are longer or shorter than their bytes, which say where each begins.
            yield from _line_by_line(at, part)
        else:
            yield at, part, text


def _line_by_line(offset: int, raw: bytes) -> Iterator[tuple[int, bytes, str]]:
    for line in _lines(raw):
        yield offset, line, records.without_mark(offset, line).decode("utf-8", "replace")
        offset += len(line)


def _lines(raw: bytes) -> list[bytes]:
    """Return lines with their ends."""
    lines = [line + b"\n" for line in raw.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


class _Held:
    """Whole lines that will be a frame."""

    def __init__(self, as_bytes: bool) -> None:
        self._as_bytes = as_bytes
        self._names: list[str] = []
        self._starts: list[int] = []
        self._texts: list[Any] = []
        self._next = 0
        self.size = 0

    def add(self, name: str, offset: int, raw: bytes, text: str | None) -> None:
        """Add lines that begin at `offset` of a file."""
        if text is None:
            self._push(name, offset, raw)
            return
        if text and len(records.without_mark(offset, raw)) < len(raw):
            # The first line begins with the mark, and what follows after it.
            first, _, text = text.partition("\n")
            self._push(name, offset, f"{first}\n")
            offset += raw.find(b"\n") + 1
        if text:
            self._push(name, offset, text)

    def _push(self, name: str, offset: int, text: str | bytes) -> None:
        self._names.append(name)
        self._starts.append(offset)
        self._texts.append(text)

    def taken(self) -> Iterator[Window]:
        """Yield what is held, if that is anything, and hold it no more."""
        if not self._texts:
            self.size = 0
            return
        window = Window(self._of_bytes() if self._as_bytes else self._of_text(), self.size)
        # Before user code works with them.
        self._names, self._starts, self._texts, self.size = [], [], [], 0
        yield window

    def _of_text(self) -> pl.DataFrame:
        texts = [text.removesuffix("\n") for text in self._texts]
        has_return = any("\r" in text for text in texts)
        made = pl.DataFrame(
            [
                pl.Series("value", texts, dtype=pl.String).str.split("\n"),
                pl.Series("file", self._names, dtype=pl.String),
                pl.Series("offset", self._starts, dtype=pl.Int64),
                pl.Series("before", range(len(texts)), dtype=pl.Int64),
            ]
        )
        before = pl.Series("bytes", texts, dtype=pl.String).str.len_bytes().cast(pl.Int64) + 1
        # Bytes of all lines of the segments before this one: what the sum over all lines has too much.
        made = made.with_columns((before.cum_sum() - before).alias("before")).explode("value")
        length = pl.col("value").str.len_bytes().cast(pl.Int64) + 1
        value = pl.col("value").str.strip_suffix("\r") if has_return else pl.col("value")
        return made.select(
            value, "file", (pl.col("offset") + length.cum_sum() - length - pl.col("before")).alias("offset")
        )

    def _of_bytes(self) -> pl.DataFrame:
        values: list[bytes] = []
        files: list[str] = []
        offsets: list[int] = []
        for name, start, raw in zip(self._names, self._starts, self._texts, strict=True):
            lines = records.split_lines(raw)
            values += lines
            files += [name] * len(lines)
            ends = accumulate((len(line) + 1 for line in raw.split(b"\n")), initial=start)
            offsets += [at for at, _ in zip(ends, lines, strict=False)]
        return frame(values, files, offsets)
