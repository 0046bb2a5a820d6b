"""A part of lines: the text of the output, made by the attempt that has the rows.

Where parts are merged by key nobody can do without the keys of rows. All others follow each other: those of maps, those
of ranges of keys, and those that become a file each. They need only be copied to be published, and the text is made in
all slots at once. Which parts have lines depends on the job alone.
Neighbours: `part` (the file), `render` (text), `merge` (which copies).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from xxhash import xxh3_128

from mapreduce.keys import KeyType
from mapreduce_worker.engine import blocks, data_file, part, render
from mapreduce_worker.engine.blocks import MAX_ROWS, NATIVE_ROWS, Rows
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.part import LineFormat, PartResult, Sink, Summary

MOST_BYTES: Final = 4 << 20
"""Bytes of rows that become text at once, unless a row has more."""


def open_writer(file: BinaryIO, options: TaskOptions, key_type: KeyType, *, of_map: bool) -> Sink:
    """Return what writes the part of an attempt to an open file: of pairs for a map, at first values for a reduce."""
    lines = options.lines
    if lines is None or data_file.merges_by_key(options.order, options.merge, of_maps=of_map):
        return part.Writer(file, key_type, own=not of_map)
    return LinesWriter(file, lines, key_type, own=not of_map)


class LinesWriter:
    """Writes rows as lines to an open file; `finish` returns what to report."""

    def __init__(self, file: BinaryIO, lines: LineFormat, key_type: KeyType, *, own: bool) -> None:
        """Write the head. own: rows will be values, else pairs."""
        self._file = file
        self._lines = lines
        self._key_type = key_type
        self._own = own
        self._digest = xxh3_128()
        self._rows = self._length = 0
        file.write(part.LINES_HEAD)

    def divided(self, given: Iterable[Rows]) -> Iterator[Rows]:
        """Divide and join rows only where they are too many or too few: no frame ends with a block of lines."""
        held: list[Rows] = []
        count = size = 0
        for rows in given:
            more = rows.size()
            if NATIVE_ROWS <= rows.count <= MAX_ROWS and more <= MOST_BYTES:
                yield from blocks.cut(held)
                held, count, size = [], 0, 0
                yield rows
                continue
            held.append(rows)
            count, size = count + rows.count, size + more
            if count >= NATIVE_ROWS or size >= MOST_BYTES:
                yield from blocks.cut(held)
                held, count, size = [], 0, 0
        yield from blocks.cut(held)

    def add(self, block: Rows) -> None:
        """Write one block; its group keys do not come before those of the last.

        Raises `RowTooLargeError` for rows that no part of rows could have either.
        """
        blocks.check(block)
        for text in render.pieces(block, self._lines, self._key_type, own=self._own):
            self._digest.update(text)
            self._length += self._file.write(text)
        self._rows += block.count

    def become_pairs(self) -> None:
        """From here on rows are pairs; before, they were values."""
        self._own = False

    def finish(self) -> PartResult:
        """Write summary and footer."""
        summary = Summary(
            key_type=self._key_type,
            rows=self._rows,
            length=self._length,
            checksum=part.checksum_of(self._digest),
            lines=self._lines,
        )
        return part.write_end(self._file, summary)
