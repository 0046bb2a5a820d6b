"""A reduce attempt of a job whose built-in reducer folds: accumulators are merged, and finished once.

Rows are added up in memory as they come, map by map, since nothing needs an order but the output. Where keys turn out
to be too many for that, what is added up so far becomes the first source of a merge. Neighbours: `reduce_task` (the
base, and the caller), `folding`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NoReturn

from mapreduce.selection import Unique
from mapreduce_worker.engine import blocks, emitted, failure, folding, merging, native, text_lists
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.columns import Columns
from mapreduce_worker.engine.part import Sink
from mapreduce_worker.engine.reduce_task import ReduceRun, Sources

SHARE: Final = 2
"""The part of an attempt's memory, one in so many, that rows may take before they are merged as streams."""


class FoldReduceRun(ReduceRun):
    """One attempt over accumulators. Its part holds results alone: each has the key of its row."""

    _has_text = False
    """All accumulators are lists of text, and so is what they become."""

    def _run(self, sources: Sources, writer: Sink) -> int:
        held = folding.Folding(self._job.reduce, sources.memory // SHARE, self._blame)
        self._has_text = type(self._job.reduce) is Unique
        for number, source in enumerate(sources.each(), 1):
            for rows in source:
                self._rows += rows.count
                self._tell(0)
                self._has_text = self._has_text and text_lists.are_few(rows)
                if not held.add(rows):
                    # Nobody has looked at what comes.
                    self._has_text = False
                    sources.replace(number, self._folded(merging.merge([blocks.cut([held.take()]), source])))
                    return self._write(self._folded(self._counted(sources.merged(self._folded))), writer)
        return self._write(held.finish(), writer)

    def _folded(self, rows: Iterable[Rows]) -> Iterator[Rows]:
        return folding.folded(rows, self._job.reduce, self._blame)

    def _counted(self, given: Iterable[Rows]) -> Iterator[Rows]:
        """Count rows; those that were read before count once."""
        count = 0
        for rows in given:
            count += rows.count
            self._rows = max(self._rows, count)
            self._tell(0)
            yield rows

    def _write(self, folded: Iterable[Rows], writer: Sink) -> int:
        written = 0
        for rows in writer.divided(map(self._finished, blocks.cut(folded))):
            writer.add(rows)
            written += rows.size()
            self._tell(written)
        return written

    def _finished(self, rows: Rows) -> Rows:
        """Return rows of results."""
        # Refuses rows whose keys nobody can read.
        self._decoder()
        if not rows.packed and type(self._job.reduce) in native.PLAIN:
            return rows
        if self._has_text or (
            type(self._job.reduce) is Unique and isinstance(rows, Columns) and text_lists.are_all(rows.value_series)
        ):
            return rows
        encoded = rows.keys
        results = self._each(self._job.reduce.finish, encoded, rows.unpacked())
        if set(map(type, results)) == {float}:
            return blocks.of_objects(encoded, results)
        return blocks.of_packed(encoded, self._each(emitted.pack_value, encoded, results))

    def _each(self, function: Callable[[Any], Any], encoded: list[bytes], values: list[Any]) -> list[Any]:
        found: list[Any] = []
        try:
            found.extend(map(function, values))
        except BaseException as error:  # noqa: BLE001 - a reducer may be the user's own
            self._blame(encoded[len(found)], error)
        return found

    def _blame(self, encoded: bytes, error: BaseException) -> NoReturn:
        key = self._decoder()(encoded)
        failure.blame(folding.told(key, error), f"key {key!r:.80}, partition {self._partition}", "reduce")
