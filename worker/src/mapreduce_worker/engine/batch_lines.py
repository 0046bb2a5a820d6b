"""Lines of text to the frames that `map_batch` is called with, as `records.lines` reads them, many at a time.

No line becomes a Python object, but where the bytes around it are no UTF-8. Neighbours: `batches` (says where a frame
ends), `records` (the rules of lines), `batch_csv` (the same for CSV).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final

import polars as pl

from mapreduce.plan import FileRange
from mapreduce_worker.engine import records
from mapreduce_worker.engine.batch_window import FILE, OFFSET, Window
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.records import Refuse

_REPLACED: Final = "\ufffd"


class Lines:
    """Whole lines that will be a frame: see `batches.Held`."""

    def __init__(self, options: TaskOptions, refuse: Refuse) -> None:
        """Call `refuse` as `records.lines` does."""
        self._options, self._refuse = options, refuse
        self._as_bytes = options.encoding_errors == "bytes"
        self._names: list[str] = []
        self._starts: list[int] = []
        self._texts: list[Any] = []
        self._size = 0

    def pieces(self, part: FileRange, offset: int, chunks: Iterator[Chunk]) -> Iterator[tuple[int, bytes]]:
        """Yield whole lines, many at a time, with the offset of the first."""
        return records.whole_lines(part.file.name, offset, chunks, self._options.max_record_bytes, self._refuse)

    def end(self, raw: bytes, _: int, target: int) -> int:
        """Return where the first line ends that does not end before `target`; 0 if none does."""
        return raw.find(b"\n", target) + 1

    def add(self, name: str, offset: int, raw: bytes, size: int) -> None:
        """Add whole lines that begin at `offset` of a file, in which they take `size` bytes."""
        self._size += size
        for piece in _decoded(name, offset, raw, self._options, self._refuse):
            self._add(name, *piece)

    def _add(self, name: str, offset: int, raw: bytes, text: str | None) -> None:
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
            self._size = 0
            return
        window = Window(self._of_bytes() if self._as_bytes else self._of_text(), self._size)
        # Before user code works with them.
        self._names, self._starts, self._texts, self._size = [], [], [], 0
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
