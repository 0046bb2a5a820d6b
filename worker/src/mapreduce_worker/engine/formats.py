"""Which reader makes records of an input file's bytes: by the job's format, and the file's suffix.

Neighbours: `records`, `json_lines` (the readers), `decompression`; `map_task` is the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from mapreduce.plan import ListedFile
from mapreduce.spec import InputFormat
from mapreduce_worker.engine import json_lines, records
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.records import Batch

Reader = Callable[[str, int, Iterator[bytes], TaskOptions], Iterator[Batch]]
"""Takes a file's name, the offset of the first byte, the bytes, and the options."""

_READERS: Final[dict[InputFormat, Reader]] = {
    "text": records.lines,
    "jsonl": json_lines.read,
    "wholefile": records.whole_file,
}


def read(file: ListedFile, offset: int, chunks: Iterator[bytes], options: TaskOptions) -> Iterator[Batch]:
    """Yield the records of the bytes that begin at `offset` of a file; chunks may end anywhere.

    Raises `RecordRefused` for a record that cannot be read, and what the chunks raise.
    """
    return _READERS[options.format](file.name, offset, chunks, options)
