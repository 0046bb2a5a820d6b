"""The files of `_history`: what happened, the plan, the job as it was asked for, and its report.

Neighbours: `publishing.py` (of a job that ends well), `storage.py` (of one that failed); `mapreduce.history`,
`mapreduce.kept_job` and `report.py` say what is in them.
"""

from __future__ import annotations

import contextlib
import logging
import posixpath
from collections.abc import Iterable, Iterator
from typing import Final

from mapreduce import history, kept_job, paths
from mapreduce.history import Frame, HistoryEvent, PlanMade
from mapreduce_worker.gateway import durable
from mapreduce_worker.gateway.report import Ending, Report
from mapreduce_worker.gateway.store import Store, StoreError

_log = logging.getLogger(__name__)

_BLOCK: Final = 1 << 20
"""Bytes that are written at a time: the history of a long job is larger than a gateway."""


def write(
    store: Store,
    staging: str,
    frames: Iterable[Frame],
    job: bytes,
    mark: str = "new",
    *,
    ending: Ending | None = None,
) -> None:
    """Write them whole and durable, from the frames of a journal, which are read once; `job`: content of `job.json`.

    A job without a plan leaves none, and one of which nobody said what was asked for neither `job.json` nor a report.
    `ending`: of a job that ends well.
    """
    folder = posixpath.join(staging, paths.HISTORY)
    durable.make_directories(store, folder)
    plan: list[Frame] = []
    report = Report(job) if job else None
    seen = report.seen(frames) if report is not None else frames
    _put(store, staging, paths.EVENTS, history.render(_apart(seen, plan)), mark)
    if any(isinstance(frame.entry, PlanMade) for frame in plan):
        _put(store, staging, paths.PLAN, kept_job.render_plan(plan), mark)
    if report is not None:
        _put(store, staging, paths.JOB, (job,), mark)
        _put_report(store, staging, report.render(ending), mark)
    store.sync(folder)


def _put_report(store: Store, staging: str, content: bytes, mark: str) -> None:
    try:
        _put(store, staging, paths.REPORT, (content,), mark)
    except StoreError as error:
        # Where there is no room for it there may be for the rest.
        _log.warning("the report is not written: %s", error)
        with contextlib.suppress(StoreError):
            durable.discard(store, _temporary(staging, mark))


def _apart(frames: Iterable[Frame], plan: list[Frame]) -> Iterator[Frame]:
    """Yield the events, and put aside what is of the plan."""
    for frame in frames:
        if isinstance(frame.entry, HistoryEvent):
            yield frame
        else:
            plan.append(frame)


def _put(store: Store, staging: str, name: str, lines: Iterable[bytes], mark: str) -> None:
    temporary = _temporary(staging, mark)
    durable.discard(store, temporary)
    for block in _blocks(lines):
        store.append(temporary, block)
    store.sync(temporary)
    store.rename(temporary, posixpath.join(staging, name))


def _temporary(staging: str, mark: str) -> str:
    """Return a name that is not beside the final one: what stands in that directory is published."""
    return durable.temporary_name(posixpath.join(staging, paths.HISTORY), mark)


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to pieces that are worth a write of their own; of no line an empty one."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= _BLOCK:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
