"""A reduce attempt of a job with `mr.Each()`: rows of maps are rows of the part, and nobody is called.

The part holds values alone, each with the key of its row, so that values of one type stay columns until they are text.
Neighbours: `reduce_task` (the caller), `fold_reduce` (whose part has the same form).
"""

from __future__ import annotations

from typing import Final

from mapreduce import values
from mapreduce_worker.engine import blocks, emitted, sorted_values
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.fold_reduce import FoldReduceRun
from mapreduce_worker.engine.part import Sink
from mapreduce_worker.engine.reduce_task import Sources

_PLAIN: Final = values.SCALARS
"""Types of values that always have a place in the output."""


class EachRun(FoldReduceRun):
    """One attempt over values as they come."""

    def _run(self, sources: Sources, writer: Sink) -> int:
        written = 0
        for rows in writer.divided(map(self._passed, sources.merged(lambda rows: rows))):
            writer.add(rows)
            written += rows.size()
            self._tell(written)
        return written

    def _passed(self, rows: Rows) -> Rows:
        # Refuses rows whose keys nobody can read.
        self._decoder()
        self._rows += rows.count
        if not (rows.packed or self._sorted):
            return rows
        encoded = list(map(sorted_values.key_of(self._key_type), rows.keys)) if self._sorted else rows.keys
        found = rows.unpacked()
        if set(map(type, found)) <= _PLAIN:
            return blocks.of_objects(encoded, found)
        return blocks.of_packed(encoded, self._each(emitted.pack_value, encoded, found))
