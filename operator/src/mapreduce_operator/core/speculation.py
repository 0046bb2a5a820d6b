"""Backups: when a phase is nearly done, tasks that are much slower than the others run a second time elsewhere.

The first attempt that finishes counts, of a reduce the first whose part is staged. The other one is cancelled like
any that is not needed, and its files are deleted; no budget pays for it. What waits for a slot comes first.
Neighbours: `policies.py` judges, `attempts.py` gives, `scheduling.py` gives what waits,
`maps.py` and `parts.py` let one attempt win.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from mapreduce_operator.core import attempts, early, policies, scheduling
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.states import JobState, TaskState
from mapreduce_operator.core.tasks import Attempt, TaskTable
from mapreduce_operator.core.workers import Worker

LOOK: Final = 0.5
"""Seconds between two looks at what runs."""


class _Slow(msgspec.Struct, frozen=True):
    """A slow attempt: how many times what is usual it takes, and what is said of it."""

    attempt: Attempt
    times: float
    message: str


def advance(book: Book) -> None:
    """Give backups to the slowest attempts of the phase, as far as there is room."""
    # Who waits for a slot that is being made free gets it at once.
    due = book.now >= book.next_look or book.backups_coming
    if not book.spec.speculation or not due or not book.grace_over:
        return
    if book.state not in (JobState.MAPPING, JobState.REDUCING) or book.failure is not None:
        return
    book.next_look = book.now + LOOK
    table = book.tasks["map" if book.state is JobState.MAPPING else "reduce"]
    without_slot: list[Attempt] = []
    given = []
    for slow in _slowest(book, table)[: _allowed(book)] if _has_room(book, table) else ():
        worker = _elsewhere(book, slow.attempt)
        if worker is not None:
            attempts.back_up(book, slow.attempt, worker, slow.message)
            given.append(slow.message)
        else:
            without_slot.append(slow.attempt)
    early.make_room(book, without_slot)
    if given:
        more = f"; and {len(given) - 1} more" if len(given) > 1 else ""
        book.announce("Normal", "Speculative", f"{given[0]}: it runs a second time elsewhere{more}")


def _has_room(book: Book, table: TaskTable) -> bool:
    """Tell whether the phase is nearly done, and nothing that could run waits.

    A reduce cannot get on while a map runs again, and no map without its input: neither is slow then.
    """
    counts = table.counts
    done = counts[TaskState.SUCCEEDED] + counts[TaskState.STAGING] + counts[TaskState.FAILED]
    if counts[TaskState.WAITING] or not policies.is_nearly_done(done, table.count):
        return False
    if table.kind == "map":
        return book.input_gateway is not None
    return book.tasks["map"].done and not book.outputs.orphans


def _slowest(book: Book, table: TaskTable) -> list[_Slow]:
    """Return the slow attempts that nobody backs up, the slowest first."""
    median = table.pace.median()
    if median is None:
        return []
    found = []
    for attempt in _without_backup(table):
        index, elapsed = attempt.id.task.index, book.now - attempt.began
        if elapsed < policies.YOUNG:
            continue
        size = book.split_sizes[index] if table.kind == "map" else 0
        usual = policies.usual_duration(median, size, book.median_split)
        share = max(0, attempt.progress[1]) / size if size else 0.0
        estimated = policies.estimate(elapsed, usual, share, attempt.moved_at - attempt.began)
        verdict = policies.slow(str(attempt.id.task), attempt.worker.name, estimated, usual, elapsed)
        if verdict is not None:
            found.append(_Slow(attempt, estimated / usual if usual else estimated, verdict.message))
    found.sort(key=lambda slow: (-slow.times, slow.attempt.id.task.index))
    return found


def _without_backup(table: TaskTable) -> Iterator[Attempt]:
    """Yield the attempts that may get a backup: their tasks have no other attempt, and do not run alone.

    Each gets one; another one only if the first was lost with its worker, and not without end.
    """
    for index, live in table.live.items():
        if len(live) != 1 or index in table.alone or not table.is_in(index, TaskState.RUNNING):
            continue
        (attempt,) = live.values()
        backed_up = attempt.backed_up_by is not None and attempt.backed_up_by.alive
        if attempt.worker.usable and not backed_up and attempt.backups < policies.BACKUPS:
            yield attempt


def _allowed(book: Book) -> int:
    """Return how many more backups may run; every attempt beyond the first of its task is one."""
    running = sum(
        sum(1 for attempt in live.values() if attempt.worker.usable) - 1
        for table in (book.tasks["map"], book.tasks["reduce"])
        for live in table.live.values()
        if len(live) > 1
    )
    slots = sum(worker.slots for worker in book.registry.alive("worker") if worker.takes_work)
    return policies.backups_allowed(slots, running)


def _elsewhere(book: Book, attempt: Attempt) -> Worker | None:
    """Return who can run the backup of an attempt: another worker with a free slot, if there is one."""
    candidates = [
        policies.BackupCandidate(worker.number, len(worker.attempts), worker.node, _is_slow(worker))
        for worker in scheduling.idle(book)
        if worker is not attempt.worker
    ]
    if not candidates:
        return None
    return book.registry.by_number(policies.worker_of_backup(attempt.worker.node, candidates))


def _is_slow(worker: Worker) -> bool:
    return any(attempt.backed_up_by is not None for attempt in worker.attempts.values())
