"""Where files are divided whose records cannot be told apart without reading: looked up when the job is planned.

The places go into the plan, so that every attempt reads the same bytes. Most of what may be wrong with a file is not
told here: it is not divided then, and whoever reads it says so. Neighbours: `mapreduce.plan` (asks), `csv_bounds`,
`ranges`; the gateway's planner and `--sequential` are the callers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

from mapreduce.plan import Cut, Cuts, ListedFile
from mapreduce.spec import InputFormat
from mapreduce_worker.engine import csv_bounds, long_lines, parquet_footer, ranges, records
from mapreduce_worker.engine.failure import RecordTooLong

MAX_HEADER: Final = 64 << 10
"""Bytes of the header of a CSV file that is divided: each of its ranges carries it."""
HEADER_SHARE: Final = 16
"""A range is at least so many times as long as the header that it carries: else the plan could outgrow its input."""

MAX_TAIL: Final = 64 << 20
"""Bytes behind the rows of a parquet file that is divided, indexes and footer: each of its ranges is sent with them."""
TAIL_SHARE: Final = 4
"""A range is at least so many times as long as what is sent with it."""


def finder(root: Path, input_format: InputFormat, max_record: int, *, skips: bool) -> Cut | None:
    """Return what divides files below `root`; None for a format whose records end at line ends, or never.

    `max_record` are the bytes that a record may have, `skips` whether the job skips bad records. What is returned
    raises `InputChanged` for a file that is not the listed one, `InputUnreadable`, `InputDamaged` for a
    parquet file without a footer, and `RecordTooLong` for a record of CSV that is so long that reading it would end the
    job.
    """
    if input_format == "parquet":
        return partial(_of_parquet, root)
    if input_format != "csv":
        return None
    reach = max_record + (long_lines.BEYOND if skips else 0)

    def cut(file: ListedFile, split_size: int) -> Cuts:
        with ranges.opened(root, file) as opened:
            try:
                return _of_csv(opened, file, split_size, reach)
            except csv_bounds.Endless as error:
                # Else it would be sent to a worker whole, however many gigabytes it has.
                raise _too_long(file, error.begin, reach) from None

    return cut


def _too_long(file: ListedFile, offset: int, reach: int) -> RecordTooLong:
    message = (
        f"the record at byte {offset} of {file.name} is longer than {reach} bytes, the most that is read of one "
        "(maxRecordBytes): is a quote in it not closed?"
    )
    return RecordTooLong(message, f"{file.name}:{offset}")


def _of_csv(file: BinaryIO, listed: ListedFile, split_size: int, reach: int) -> Cuts:
    head = file.read(MAX_HEADER)
    end = csv_bounds.first_end(head, 0, inside=False)
    try:
        header = records.without_mark(0, csv_bounds.bare(head[:end])).decode()
    except UnicodeDecodeError:
        return Cuts()
    if not header or header.endswith("\r"):
        return Cuts()
    step = max(split_size, HEADER_SHARE * end)
    file.seek(0)
    found = csv_bounds.cut_points(_blocks(file), range(step, listed.size, step), reach)
    at = tuple(point for point in found if point < listed.size)
    return Cuts(at, header) if at else Cuts()


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(ranges.CHUNK):
        yield block


def _of_parquet(root: Path, listed: ListedFile, split_size: int) -> Cuts:
    """Return cuts between groups of rows, where those are in the order of their rows."""
    with ranges.opened(root, listed) as file:
        footer = parquet_footer.read(file, listed.name)
    groups = [group for group in footer.groups if group.rows]
    tail = max((group.end for group in groups), default=0)
    if any(one.end > other.start for one, other in pairwise(groups)) or listed.size - tail > MAX_TAIL:
        return Cuts()
    step = max(split_size, TAIL_SHARE * (listed.size - tail))
    at: list[int] = []
    for group in groups[1:]:
        if group.start - (at[-1] if at else 0) >= step:
            at.append(group.start)
    return Cuts(tuple(at), tail=tail) if at else Cuts()
