"""A reduce attempt of a job with `reduce_batch`: whole keys as frames, in the order of their keys.

Where a frame ends depends on the rows of the partition alone. Neighbours: `reduce_task` (merges the rows, and calls
this), `batch_frames`, `key_columns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import polars as pl

from mapreduce.errors import UserError
from mapreduce.keys import KeyType
from mapreduce.spec import MIB
from mapreduce_worker.engine import batch_frames, emitted, failure, key_columns, sorted_values
from mapreduce_worker.engine.grouping import Groups
from mapreduce_worker.engine.instance import Progress
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.part import Sink
from mapreduce_worker.engine.reduce_task import ReduceRun, Sources

BATCH: Final = 16 * MIB
"""Bytes of rows in a frame, at most, unless one key has more."""
ROW: Final = 16
"""What a row counts besides its text or bytes."""
KEY: Final = BATCH
"""Bytes that the rows of one key may have in any case, and …"""
SHARE: Final = 8
"""… the part of an attempt's memory that they may have, one in so many: as objects they are larger."""
_CHUNK: Final = 4096
_METHOD: Final = "reduce_batch"
_COLUMNS: Final = ("key", "value")


class _Held:
    """The rows of some keys."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: list[Any] = []
        self.size = 0

    def add(self, key: bytes, values: list[Any]) -> None:
        self.keys += [key] * len(values)
        self.values += values
        self.size += _size(key, values)


def _size(key: bytes, values: list[Any]) -> int:
    texts = sum(len(value) for value in values if type(value) is str or type(value) is bytes)
    return (ROW + len(key)) * len(values) + texts


class BatchReduceRun(ReduceRun):
    """One attempt over rows that come in key order. Keys are kept, so that its part holds values alone."""

    def __init__(
        self, job_class: type[Any], options: TaskOptions, *, key_type: KeyType, partition: int, progress: Progress
    ) -> None:
        """Make a fresh job; nothing of the user's is called yet but its constructor."""
        super().__init__(job_class, options, key_type=key_type, partition=partition, progress=progress)
        self._most = max(KEY, options.memory // SHARE)
        self._group_type = sorted_values.split(key_type)[0]

    def _run(self, sources: Sources, writer: Sink) -> int:
        batch = emitted.Collector(writer)
        for held in self._batches(self._groups(sources.merged(lambda rows: rows))):
            self._call(held, batch)
            self._tell(batch.written)
        batch.close()
        return batch.written

    def _batches(self, groups: Groups) -> Iterator[_Held]:
        held = _Held()
        for encoded, _, group in groups:
            found = self._collected(encoded, group)
            if held.keys and held.size + found.size > BATCH:
                yield held
                held = found
            else:
                held.keys += found.keys
                held.values += found.values
                held.size += found.size
        if held.keys:
            yield held

    def _collected(self, encoded: bytes, values: Iterator[Any]) -> _Held:
        found = _Held()
        while chunk := list(islice(values, _CHUNK)):
            found.add(encoded, chunk)
            if found.size > self._most:
                where = f"key {self._shown(encoded)}, partition {self._partition}"
                raise failure.UserTaskError(
                    where,
                    f"a key has more than {self._most // MIB} MiB of values, which is too much for one frame: define "
                    "def reduce(self, key, values), which takes them one by one",
                )
        return found

    def _call(self, rows: _Held, out: emitted.Collector) -> None:
        assert self._job.reduce_batch is not None  # noqa: S101 - it is why this runs
        try:
            found = batch_frames.checked(self._job.reduce_batch(self._frame(rows)), _METHOD, _COLUMNS)
            if found is None:
                return
            for encoded, value in self._in_order(found, rows):
                out.add(encoded, emitted.pack_value(value))
        except BaseException as error:  # noqa: BLE001 - the boundary to user code
            first, last = self._shown(rows.keys[0]), self._shown(rows.keys[-1])
            keys_ = f"key {first}" if rows.keys[0] == rows.keys[-1] else f"keys {first} to {last}"
            failure.blame(error, f"{keys_}, partition {self._partition}", _METHOD)

    def _frame(self, rows: _Held) -> pl.DataFrame:
        keys = key_columns.decode(pl.Series("key", rows.keys, dtype=pl.Binary), self._group_type)
        return pl.DataFrame([keys, key_columns.series_of("value", rows.values)])

    def _in_order(self, found: pl.DataFrame, rows: _Held) -> Iterator[tuple[bytes, Any]]:
        """Yield encoded keys and values by key, those of one key as they stand; raises for a key that was not given."""
        objects = key_columns.objects(found["key"])
        encoded = key_columns.encode_objects(objects, self._group_type)
        if strange := set(encoded) - set(rows.keys):
            key = objects[encoded.index(min(strange))]
            raise UserError(
                f"reduce_batch returned the key {key!r:.80}, which it was not given: it must keep the keys, so that "
                "the output has an order; define def reduce(self, key, values), which may yield others"
            )
        values = found["value"].to_list()
        for at in sorted(range(len(encoded)), key=encoded.__getitem__):
            yield encoded[at], values[at]

    def _shown(self, encoded: bytes) -> str:
        return f"{self._decoder()(encoded)!r:.80}"
