"""The instance of the user's job that one attempt works with, and what it has counted.

`map_run`, `map_part` and `reduce_task` make one each; nothing of the user's runs before, or beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mapreduce import api
from mapreduce.api import Job, Place
from mapreduce.counters import Counters
from mapreduce_worker.engine import failure
from mapreduce_worker.engine.options import TaskOptions

Progress = Callable[[int, int], None]
"""Takes the records and bytes so far; whoever calls it is alive, also with the numbers of the last time."""


class Instance:
    """A fresh job, made by its constructor alone. Raises `UserTaskError` for what that raises."""

    def __init__(self, job_class: type[Job], options: TaskOptions, place: Place, progress: Progress) -> None:
        """`place` tells where the current record is, if there is one."""
        self._progress = progress
        self._done = (0, 0)
        self.has_record = True
        """False while user code runs that has no record: combine and partition."""
        self._counters = Counters()
        try:
            self.job = api.make(
                job_class,
                params=options.params,
                counters=self._counters,
                place=lambda: place() if self.has_record else None,
                files=options.files,
                progress=self._alive,
            )
        except BaseException as error:  # noqa: BLE001 - the boundary to user code
            failure.blame(error, "the job's constructor", job_class.__name__)

    def tell(self, records: int, size: int) -> None:
        """Show progress; what user code says of being alive shows the same numbers."""
        self._done = (records, size)
        self._progress(records, size)

    def _alive(self) -> None:
        with failure.own_work():
            self._progress(*self._done)

    @contextmanager
    def aside(self, method: str) -> Iterator[None]:
        """Let user code run that has no record, and is called as often as the engine likes: it may not count."""
        before, had_record = dict(self._counters), self.has_record
        self.has_record = False
        try:
            yield
        finally:
            self.has_record = had_record
        if self._counters != before:
            raise failure.UserTaskError(
                method,
                f"{method} changed a counter: it is called any number of times for a key, so that nothing can "
                "be counted in it; count in map or reduce",
            )

    def counted(self) -> dict[str, int]:
        """Return what was counted so far."""
        return dict(self._counters)

    def count_again_from(self, before: dict[str, int]) -> None:
        """Forget what was counted since."""
        self._counters.clear()
        self._counters.update(before)

    def setup(self) -> None:
        """Call `setup`; what it raises is a `UserTaskError`."""
        failure.call(self.job.setup, "setup")

    def teardown(self) -> dict[str, int]:
        """Call `teardown`, after which nothing is counted any more; return the counters."""
        failure.call(self.job.teardown, "teardown")
        try:
            return self._counters.checked()
        except Exception as error:  # noqa: BLE001 - the boundary to user code
            failure.blame(error, "the job's counters", "counters")
