"""Bytes to the frames that `map_batch` is called with: the records of a split, many at a time.

A frame of text or CSV holds the records that begin in one window of the split's bytes, of which those of all its ranges
count on, or as many of them as `batch_window` lets a frame have; one of parquet a group of rows, or a piece of it. So
its boundaries depend on the split alone: not on how bytes come in chunks, nor on memory. Neighbours: `batch_lines`,
`batch_csv`, `parquet_frames` (bytes to columns), `batch_map` (the caller).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, Protocol

from mapreduce.plan import FileRange, Split, Suffix, compression
from mapreduce.spec import MIB
from mapreduce_worker.engine import batch_lines, key_columns, long_lines, records
from mapreduce_worker.engine.batch_lines import Lines
from mapreduce_worker.engine.batch_window import Window, places
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.map_task import Source
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.records import Refuse

WINDOW: Final = 16 * MIB
"""Bytes of a split in which the records of one frame begin."""


class Held(Protocol):
    """Whole records of one format that will be a frame."""

    def pieces(self, part: FileRange, offset: int, chunks: Iterator[Chunk]) -> Iterator[tuple[int, bytes]]:
        """Yield whole records, many at a time, with the offset of the first."""

    def end(self, raw: bytes, begin: int, target: int) -> int:
        """Return where the first record ends that does not end before `target`; 0 if none does.

        A record begins at `begin`.
        """

    def add(self, name: str, offset: int, raw: bytes, size: int) -> None:
        """Add whole records that begin at `offset` of a file, in which they take `size` bytes."""

    def full(self) -> Iterator[Window]:
        """Yield what has as many rows as a frame may have, and hold it no more."""

    def taken(self) -> Iterator[Window]:
        """Yield what is held, if that is anything, and hold it no more."""


def windows(
    split: Split,
    source: Source,
    options: TaskOptions,
    refuse: Refuse = records.never,
    window: int | None = None,
    scratch: Path | None = None,
) -> Iterator[Window]:
    """Yield the records of a split, in their order; `refuse` is called as by the reader of single records.

    `window` is in bytes, and `WINDOW` if not given; `scratch` is a folder for a file that is read here and there.
    Raises what the chunks raise, and `InputDamaged` for a file that is damaged or cut short.
    """
    window = WINDOW if window is None else window
    if options.format == "parquet":
        # Only here, as below: an attempt reads one format.
        from mapreduce_worker.engine import parquet_frames  # noqa: PLC0415 - see above

        for position, part in enumerate(split.ranges):
            offset, chunks = source(part, position)
            try:
                yield from parquet_frames.windows(part, offset, chunks, scratch, window)
            finally:
                _close(chunks)
    else:
        yield from _by_bytes(split, source, _held(options, refuse), window)


def _held(options: TaskOptions, refuse: Refuse) -> Held:
    if options.format == "csv":
        from mapreduce_worker.engine.batch_csv import Rows  # noqa: PLC0415 - see `windows`

        return Rows(options, refuse)
    return Lines(options, refuse)


def _by_bytes(split: Split, source: Source, held: Held, window: int) -> Iterator[Window]:
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
            for start, raw in held.pieces(part, at, stream or chunks):
                done = 0
                while done < len(raw):
                    begin = base + start - at + done
                    if begin >= end:
                        yield from held.taken()
                        end = (begin // window + 1) * window
                    # The last record that begins in the window may end after it.
                    cut = held.end(raw, done, done + end - begin - 1) or len(raw)
                    held.add(name, start + done, raw[done:cut], stream.taken() if stream is not None else cut - done)
                    done = cut
                    yield from held.full()
                reached = start - at + done
            base += reached
        finally:
            _close(chunks)
    yield from held.taken()


def _close(chunks: Iterator[Chunk]) -> None:
    """Close what is half read, whatever ended it."""
    if isinstance(chunks, Generator):
        chunks.close()


def _decompressed(name: str, suffix: Suffix, chunks: Iterator[Chunk]) -> Any:
    # Only here: not every slot meets a compressed file.
    from mapreduce_worker.engine.decompression import Stream  # noqa: PLC0415 - see above

    return Stream(name, suffix, map(long_lines.whole, chunks))


def of_records(given: Sequence[Any], start: int, size: int) -> Iterator[Window]:
    """Yield records that are at hand, `size` characters a window; the n-th is at offset n of the file `record`."""
    ends = [total // size for total in accumulate(_characters(record) + 1 for record in given)]
    begin = 0
    for at in range(1, len(given) + 1):
        if at == len(given) or ends[at] != ends[begin]:
            yield _window(given[begin:at], ["record"] * (at - begin), range(start + begin, start + at))
            begin = at


def _characters(record: Any) -> int:
    return sum(len(str(field)) for field in record.values()) if isinstance(record, dict) else len(record)


def _window(given: Sequence[Any], files: Sequence[str], offsets: Sequence[int]) -> Window:
    if not isinstance(given[0], dict):
        return Window(batch_lines.frame(given, files, offsets), len(given))
    columns = key_columns.of_dictionaries(given)
    return Window.of_columns(columns, places(files, offsets), len(given))
