"""Which reader makes records of an input file's bytes: by the job's format, and the file's suffix.

Neighbours: `records`, `json_lines`, `csv_rows`, `parquet_rows` (the readers), `decompression`, `map_task` (the caller).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from mapreduce.plan import FileRange, ListedFile, compression
from mapreduce.spec import InputFormat
from mapreduce_worker.engine import csv_rows, json_lines, long_lines, records
from mapreduce_worker.engine.csv_rows import RowBatch
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.records import Batch, LineBatch, Refuse, WholeBatch

FileBatch = LineBatch | WholeBatch | RowBatch
Reader = Callable[[str, int, Iterator[Chunk], TaskOptions, Refuse], Iterator[FileBatch]]
"""Takes a file's name, the offset of the first byte, the bytes, the options, and what to do with a bad record."""

_READERS: Final[dict[InputFormat, Reader]] = {
    "text": records.lines,
    "jsonl": json_lines.read,
    "wholefile": records.whole_file,
}
"""Those that need no more than the bytes; of the other formats see `_reader`."""


def read_range(
    part: FileRange,
    offset: int,
    chunks: Iterator[Chunk],
    options: TaskOptions,
    refuse: Refuse = records.never,
    scratch: Path | None = None,
) -> Iterator[Batch]:
    """Yield the records of a range of the plan, whose bytes begin at `offset` of its file; chunks may end anywhere.

    `scratch` is a folder for a file that is read here and there. Of a compressed file the chunks are all its bytes, and
    offsets are those of the decompressed text. Raises what `refuse` does for a record that cannot be read,
    `InputDamaged` for a file that is damaged or cut short, and what the chunks raise.
    """
    try:
        if options.format == "parquet":
            yield from _parquet(part, offset, chunks, scratch)
        else:
            yield from _read(part.file, offset, chunks, options, refuse, _reader(options, part.header))
    finally:
        # Whatever ended it, a file that is half read must not stay open.
        if isinstance(chunks, Generator):
            chunks.close()


def read(
    file: ListedFile, offset: int, chunks: Iterator[Chunk], options: TaskOptions, refuse: Refuse = records.never
) -> Iterator[Batch]:
    """Yield the records of a file from `offset` on; see `read_range`."""
    return read_range(FileRange(file, offset, file.size), offset, chunks, options, refuse)


def _parquet(part: FileRange, offset: int, chunks: Iterator[Chunk], scratch: Path | None) -> Iterator[Batch]:
    # Only here: it imports Polars, which not every slot needs at its first record.
    from mapreduce_worker.engine import parquet_rows  # noqa: PLC0415 - see above

    yield from parquet_rows.read(part, offset, chunks, scratch)


def _reader(options: TaskOptions, header: str) -> Reader:
    if options.format == "csv":
        return partial(csv_rows.read, header=header)
    return _READERS[options.format]


def _read(
    file: ListedFile, offset: int, chunks: Iterator[Chunk], options: TaskOptions, refuse: Refuse, reader: Reader
) -> Iterator[FileBatch]:
    suffix = compression(file.path)
    if suffix is None:
        yield from reader(file.name, offset, chunks, options, refuse)
        return
    # Only here: not every slot meets a compressed file.
    from mapreduce_worker.engine.decompression import Stream  # noqa: PLC0415 - see above

    stream = Stream(file.name, suffix, map(long_lines.whole, chunks))
    for batch in reader(file.name, 0, stream, options, refuse):
        # Progress counts the bytes of the split, which are the compressed ones.
        batch.size = stream.taken()
        yield batch
