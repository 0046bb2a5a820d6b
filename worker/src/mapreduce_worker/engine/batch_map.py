"""Map attempts of a job with `map_batch`: frames of records become the same rows as single records do.

What the user's code returns is checked (`batch_frames`), and added up as a frame where the reducer adds integers
(`batch_sums`), or handed on as a frame where nobody looks at rows before the reduce. All else takes the way of
`map_run` and `map_part`: to them a frame is a record that yields its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import length_hint
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec
import polars as pl

from mapreduce import keys
from mapreduce.api import Job
from mapreduce.errors import UnsupportedKeyError
from mapreduce.ids import AttemptId
from mapreduce.keys import KeyType
from mapreduce.protocol import MapOutput
from mapreduce.reducers import Reducer
from mapreduce_worker.engine import batch_frames, batch_sums, columns, emitted, failure, key_columns, native
from mapreduce_worker.engine.batch_sums import Sums
from mapreduce_worker.engine.batch_window import Window
from mapreduce_worker.engine.instance import Instance, Progress
from mapreduce_worker.engine.map_part import MapPartRun
from mapreduce_worker.engine.map_run import MapRun
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.part import PartResult

_METHOD: Final = "map_batch"
KEPT: Final = 2
"""A frame with one byte in so many of its records', or more, may hold the memory of all of them."""


class _Caller:
    """Calls the user's code, and counts the records that it was given."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.records = 0
        self._span = ""
        self._frame: pl.DataFrame | None = None
        self._left: Iterator[Any] = iter(())

    def progress(self, _: int, size: int) -> None:
        """Tell records where the loop counts windows."""
        self._progress(self.records, size)

    def call(self, user: Instance, window: Window) -> pl.DataFrame | None:
        """Return what `map_batch` makes of a window, as far as it has rows."""
        job = user.job
        assert job.map_batch is not None  # noqa: S101 - it is why this runs
        keys_only = isinstance(job.reduce, Reducer) and job.reduce.keys_only
        # The columns tell where a record comes from.
        user.has_record = False
        try:
            # Held here no longer than by the user's code.
            found = job.map_batch(window.take())
            found = batch_frames.checked(found, _METHOD, ("key",) if keys_only else ("key", "value"))
        except BaseException as error:  # noqa: BLE001 - the boundary to user code
            failure.blame(error, window.span(), _METHOD)
        self.records += window.height
        self._span, self._frame = window.span(), None
        return found

    def rows(self, frame: pl.DataFrame) -> Iterable[Any]:
        """Return the rows of what `call` returned as Python objects: keys alone, or pairs."""
        found = key_columns.objects(frame["key"])
        self._frame, self._left = frame, iter(found)
        return zip(self._left, frame["value"].to_list(), strict=True) if frame.width > 1 else found

    def blame(self, error: BaseException, key_type: KeyType) -> NoReturn:
        """Raise `UserTaskError` for an error at what `call` returned, where the keys before it are of this type."""
        row = -1 if self._frame is None else self._row(self._frame, key_type)
        at = f", row {row} of what {_METHOD} returned" if row >= 0 else ""
        failure.blame(error, f"{self._span}{at}", _METHOD)

    def _row(self, frame: pl.DataFrame, key_type: KeyType) -> int:
        """Return the row that was taken last, or -1 where that is not known."""
        if frame.width > 1:
            return frame.height - length_hint(self._left) - 1
        # Keys alone are taken many at a time.
        found = key_columns.objects(frame["key"])
        return next((at for at, key in enumerate(found) if not _is_key(key, key_type)), -1)


def _is_key(key: Any, key_type: KeyType) -> bool:
    try:
        keys.encode(key, key_type or None)
    except UnsupportedKeyError:
        return False
    return True


class BatchRun(MapRun):
    """One attempt over windows; nothing that a window's rows become depends on where it ends."""

    by_record = False

    def __init__(self, job_class: type[Job], options: TaskOptions, out: Path, progress: Progress) -> None:
        """Make a fresh job; nothing of the user's is called yet but its constructor."""
        self._caller = _Caller(progress)
        super().__init__(job_class, options, out, self._caller.progress)
        # No column is encoded in descending order.
        ascends = not self._job.descending
        self._adds = ascends and type(self._reducer) in native.SUMS
        # Rows as they are, where nobody looks at them on this side.
        self._passes = ascends and not (self._reducer or self._job.sort_values or self._job.combine)
        # As much as a table of Python objects holds.
        self._sums = Sums(min(options.flush_bytes, options.memory // 6), options.memory // 4)

    def _user_map(self) -> Any:
        return self._caller.rows

    def run(self, batches_: Iterator[Any], attempt: AttemptId) -> MapOutput:
        """Map everything, then write the output."""
        return msgspec.structs.replace(super().run(batches_, attempt), records=self._caller.records)

    def _consume(self, part: Iterator[Any]) -> None:
        for window in part:
            frame = self._caller.call(self._user, window)
            try:
                if frame is not None and not self._took(frame, window.size):
                    super()._consume(iter((frame,)))
            except BaseException as error:  # noqa: BLE001 - the boundary to user code
                self._caller.blame(error, self._guard.key_type)

    def _took(self, frame: pl.DataFrame, size: int) -> bool:
        """Take a frame as it is, if that gives the same rows as looking at one after the other.

        `size` is that of the records that it was made of, in bytes.
        """
        counts = frame.width == 1
        rows: pl.DataFrame | None = None
        if self._adds:
            rows = key_columns.only_keys(frame) if counts else batch_sums.summed(frame)
        elif self._passes:
            rows = key_columns.typed(frame)
        if rows is None:
            # From here on one after the other, and what was taken comes before them.
            with failure.own_work():
                self._empty()
            self._adds = self._passes = False
            return False
        self._guard.admit(rows["key"][0])
        with failure.own_work():
            if self._passes:
                made = key_columns.encoded(rows)
                # What is most of the batch may as well stay where it is.
                most = made.estimated_size() * KEPT >= size
                self._hand_over(columns.Columns(made if most else batch_sums.apart(made)))
            else:
                if counts:
                    self._sums.count(rows["key"])
                else:
                    self._sums.add(rows)
                if self._sums.is_full:
                    self._hand_over(self._sums.take())
        return True

    def _empty(self) -> None:
        self._hand_over(self._sums.take())
        super()._empty()


class BatchPartRun(MapPartRun):
    """One attempt of a job without reduce."""

    by_record = False

    def __init__(self, job_class: type[Job], options: TaskOptions, progress: Progress) -> None:
        """Make a fresh job; nothing of the user's is called yet but its constructor."""
        self._caller = _Caller(progress)
        super().__init__(job_class, options, self._caller.progress)

    def _user_map(self) -> Any:
        return self._rows

    def run(self, batches: Iterable[Any], out: Path) -> PartResult:
        """Map everything into the file `out`."""
        return msgspec.structs.replace(super().run(batches, out), records=self._caller.records)

    def _rows(self, window: Window) -> Iterable[Any]:
        frame = self._caller.call(self._user, window)
        return () if frame is None else self._caller.rows(frame)

    def _consume(self, records: Iterator[Any], collector: emitted.Collector) -> None:
        try:
            super()._consume(records, collector)
        except BaseException as error:  # noqa: BLE001 - the boundary to user code
            self._caller.blame(error, "")
