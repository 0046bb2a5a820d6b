"""What the frames of a journal tell, read one by one into a `Recovered`.

Neighbours: `entries.py` (`Recovered`), `rebuild.py` (the caller, which goes on from it), `journal.py` (writes them).
"""

from __future__ import annotations

from typing import Final

import msgspec

from mapreduce import failure_texts
from mapreduce.history import Frame, HistoryEvent, PlanMade, PlanPage
from mapreduce.ids import AttemptId, TaskId
from mapreduce_operator.core import failures, shape
from mapreduce_operator.core.book import KEPT_FAILURES
from mapreduce_operator.core.entries import Failure, Part, Recovered
from mapreduce_operator.core.events import TaskFailure
from mapreduce_operator.core.pace import Pace

TRACEBACKS: Final = 100
"""Tracebacks that are remembered while a journal is read, as others may be told to be the same."""


def read(found: Recovered, frame: Frame) -> None:
    """Note what one frame tells; frames come in the order of the journal."""
    entry = frame.entry
    if isinstance(entry, PlanPage):
        if found.header is None:
            if entry.number == 0:
                found.pages = []
            if entry.number == len(found.pages):
                found.pages.append(entry.splits)
    elif isinstance(entry, PlanMade):
        if found.header is None and entry.pages == len(found.pages):
            found.header = entry.header
    else:
        if entry.event == "Failed":
            _read_texts(found, frame, entry)
        _read_event(found, entry)


def _read_event(found: Recovered, entry: HistoryEvent) -> None:
    # A disruption is charged by the event that tells of it, everything else by an event of its own; `Charged` with
    # `disruption` says that this budget is spent, which is not one more.
    says_so_itself = entry.budget == "disruption"
    if entry.budget and (entry.event == "Charged") != says_so_itself:
        found.charges[entry.budget] = found.charges.get(entry.budget, 0) + 1
    if entry.task is not None:
        _read_of_task(found, entry, entry.task)
        if entry.attempt is not None:
            _read_of_part(found, entry, entry.attempt)
        return
    match entry.event:
        case "EpochOpened":
            found.started_wall = entry.wall if found.started_wall is None else found.started_wall
            found.active_wall = entry.wall if found.active_wall is None else found.active_wall
        case "Divided":
            found.boundaries = entry.boundaries
        case "Resumed":
            found.active_wall = entry.wall
        case "Sizes":
            found.sizes, found.heavy = entry.sizes, entry.heavy
        case "JobFailed":
            found.failure = Failure(entry.reason, entry.message)
        case _:
            pass


def _read_texts(found: Recovered, frame: Frame, entry: HistoryEvent) -> None:
    found.texts += failure_texts.size(entry)
    if entry.traceback and len(found.tracebacks) < TRACEBACKS:
        found.tracebacks[frame.epoch, frame.sequence] = entry.traceback
    told = found.tracebacks.get((frame.epoch, entry.same_as), "")
    found.failed = msgspec.structs.replace(entry, traceback=entry.traceback or told)


def _read_of_task(found: Recovered, entry: HistoryEvent, task: TaskId) -> None:
    if entry.event == "Finished":
        found.printed += failure_texts.size(entry)
    if entry.event == "Finished" and entry.seconds > 0:
        found.paces.setdefault(task.kind, Pace()).add(entry.seconds)
    match entry.event:
        case "Charged" if entry.budget == "user":
            _read_charge(found, entry, task)
        case "Staged" if entry.attempt is not None:
            found.staged.setdefault(task.index, _part(entry, entry.attempt))
            found.last_error.pop(task, None)
            found.has_reduce = task.kind == "reduce"
        case "Consumed":
            found.consumed = entry.checksum
            found.key_type = entry.key_type or found.key_type
        case "LeftOut":
            found.left_out.append(task)
        case "Finished" if task.kind == "load":
            found.has_reduce = entry.message != shape.MAP_ONLY
        case "Finished" | "Held" if task.kind == "map":
            found.has_reduce = entry.message != shape.MAP_ONLY
            _read_map(found, entry, task)
        case _:
            pass


def _read_charge(found: Recovered, entry: HistoryEvent, task: TaskId) -> None:
    found.charged[task] = found.charged.get(task, 0) + 1
    if not _has_part(found, task):
        found.judged[task] = found.charged[task]
    found.last_error[task] = (entry.message, entry.worker)
    if entry.reason == failures.OVER_MEMORY:
        found.alone.add(task)
    found.failures = [*found.failures, _failure(found, entry)][-KEPT_FAILURES:]


def _read_map(found: Recovered, entry: HistoryEvent, task: TaskId) -> None:
    found.finished[task.index] = entry.checksum
    if found.has_reduce:
        found.last_error.pop(task, None)
    if entry.records:
        found.records[task.index] = entry.records
    found.counters[task.index] = entry.counters
    found.bad[task.index] = entry.bad


def _read_of_part(found: Recovered, entry: HistoryEvent, attempt: AttemptId) -> None:
    """Note the parts that were finished, and may be on their workers still."""
    index = attempt.task.index
    made = found.made.get(index)
    match entry.event:
        case "Finished" if attempt.task.kind == "reduce" or (
            attempt.task.kind == "map" and entry.message == shape.MAP_ONLY
        ):
            found.made[index] = (_part(entry, attempt), entry.worker)
        case "Lost" if made is not None and made[0].attempt == attempt:
            del found.made[index]
        case "Assigned" if made is not None and made[0].attempt.task == attempt.task:
            # Its worker was not there any more when an older master had begun.
            del found.made[index]
        case "Consumed":
            found.vouched.add(attempt)
        case _:
            pass


def _has_part(found: Recovered, task: TaskId) -> bool:
    """Tell whether an attempt of a task has made a part that was still there: what others met then did not matter."""
    made = found.made.get(task.index)
    if made is None or made[0].attempt.task != task:
        return False
    return task.kind == "map" or made[0].attempt in found.vouched


def _part(entry: HistoryEvent, attempt: AttemptId) -> Part:
    facts = (entry.checksum, entry.rows, entry.size)
    return Part(attempt, *facts, -1, entry.records, entry.counters, entry.bad)


def _failure(found: Recovered, entry: HistoryEvent) -> TaskFailure:
    """What people see of a charged failure of an older epoch; the failure itself was told just before the charge."""
    failed = found.failed
    if failed is None or failed.attempt != entry.attempt:
        failed = entry
    return TaskFailure(
        task=str(entry.task),
        worker=entry.worker,
        reason=entry.reason,
        message=entry.message.removesuffix(f" (at {failed.where})"),
        where=failed.where,
        traceback=failed.traceback,
        output=failed.log,
        peak_memory=failed.peak_memory,
        wall=entry.wall,
    )
