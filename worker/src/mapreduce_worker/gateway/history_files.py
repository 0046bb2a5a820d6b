"""The files of `_history`: what happened, the plan, and the job as it was asked for.

Neighbours: `publishing.py` (of a job that ends well), `storage.py` (of one that failed); `mapreduce.history` and
`mapreduce.kept_job` say what is in them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Final

from mapreduce import history, kept_job, paths
from mapreduce.history import Frame, HistoryEvent, PlanMade
from mapreduce_worker.gateway import durable
from mapreduce_worker.gateway.store import Store

_BLOCK: Final = 1 << 20
"""Bytes that are written at a time: the history of a long job is larger than a gateway."""


def write(store: Store, staging: str, frames: Iterable[Frame], job: bytes, mark: str = "new") -> None:
    """Write them whole and durable, from the frames of a journal, which are read once; `job`: content of `job.json`.

    A job without a plan leaves none, and one of which nobody said what was asked for no `job.json`.
    """
    folder = posixpath.join(staging, paths.HISTORY)
    durable.make_directories(store, folder)
    plan: list[Frame] = []
    _put(store, staging, paths.EVENTS, history.render(_apart(frames, plan)), mark)
    if any(isinstance(frame.entry, PlanMade) for frame in plan):
        _put(store, staging, paths.PLAN, kept_job.render_plan(plan), mark)
    if job:
        _put(store, staging, paths.JOB, (job,), mark)
    store.sync(folder)


def _apart(frames: Iterable[Frame], plan: list[Frame]) -> Iterator[Frame]:
    """Yield the events, and put aside what is of the plan."""
    for frame in frames:
        if isinstance(frame.entry, HistoryEvent):
            yield frame
        else:
            plan.append(frame)


def _put(store: Store, staging: str, name: str, lines: Iterable[bytes], mark: str) -> None:
    # Not beside the final name: what stands in that directory is published.
    temporary = durable.temporary_name(posixpath.join(staging, paths.HISTORY), mark)
    durable.discard(store, temporary)
    for block in _blocks(lines):
        store.append(temporary, block)
    store.sync(temporary)
    store.rename(temporary, posixpath.join(staging, name))


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
