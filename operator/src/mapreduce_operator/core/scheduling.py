"""Who gets what: the program to look at, maps, reduces; and which waiting reduce makes room.

Maps go first. A reduce is given out when no map waits. Where a map waits and no slot is free, a
reduce attempt that only waits is preempted, else reducers that wait for a lost segment would
hold every slot for ever. Neighbours: `alone.py` (tasks that run alone), `early.py` (reduces beside maps),
`attempts.py` (gives), `policies.py` (how many make room).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final, Literal

from mapreduce.spec import LARGEST
from mapreduce_operator.core import alone, attempts, divide, maps, policies, storage
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.states import JobState, TaskState
from mapreduce_operator.core.tasks import Attempt
from mapreduce_operator.core.workers import Worker

MAKING_WAY: Final = 0.5
"""Seconds that a map waits for a slot on another worker, where a reduce that gathers early had it."""


def advance(book: Book) -> None:
    """Give out what can run now."""
    book.registry.reserved.clear()
    if not book.grace_over:
        return
    if book.state in (JobState.PENDING, JobState.PLANNING):
        _load(book)
    elif book.state in (JobState.MAPPING, JobState.REDUCING):
        _maps(book)
        if book.state is JobState.REDUCING and divide.is_known(book) and not _map_waits(book):
            _reduces(book)


def program_known(book: Book) -> bool:
    """Tell whether the program can be loaded: somebody did."""
    return book.has_reduce is not None


def _load(book: Book) -> None:
    if program_known(book) or book.tasks["load"].live:
        return
    for _, number in _idle(book)[:1]:
        storage.give_once(book, book.registry.by_number(number), "load")


def is_free(book: Book, worker: Worker) -> bool:
    """Tell whether a worker can get an attempt."""
    if worker.number in book.registry.reserved or worker.runs_alone:
        return False
    return worker.free > 0 and worker.takes_work and worker.rest_until <= book.now


def idle(book: Book) -> list[Worker]:
    """Return the workers that can get an attempt."""
    candidates = [book.registry.by_number(number) for number in book.registry.maybe_free]
    for worker in candidates:
        if worker.free <= 0 or not worker.alive:
            book.registry.maybe_free.discard(worker.number)
    return [worker for worker in candidates if is_free(book, worker)]


def _idle(book: Book) -> list[tuple[int, int]]:
    """Return the workers that `idle` returns as a heap of (attempts that it has, number)."""
    return sorted((len(worker.attempts), worker.number) for worker in idle(book))


def _map_waits(book: Book) -> bool:
    return book.tasks["map"].counts[TaskState.WAITING] > 0 and (book.map_only or maps.outputs_needed(book))


def _maps(book: Book) -> None:
    if not _map_waits(book):
        return
    alone.advance(book, "map")
    for attempt in list(waiting_reduces(book, reserved=True)):
        preempt(book, attempt)
    if not give_out(book, "map") and _make_room(book):
        # What was not told to its worker yet has left its slot already.
        give_out(book, "map")


def give_out(book: Book, kind: Literal["map", "reduce"], most: int = LARGEST) -> bool:
    """Give what waits to who is free, spread evenly, `most` at most; tell whether nothing more can run now."""
    table = book.tasks[kind]
    idle = _idle(book)
    while idle and most > 0:
        most -= 1
        index = table.first_ready(book.now, book.journal.written)
        if index is None:
            return True
        avoided = _avoided(book, kind, index)
        if kind == "map" and _gets_better_slot(book, index, idle, avoided):
            continue
        worker = book.registry.by_number(_pick(idle, avoided))
        attempts.give(book, worker, kind, index)
        if is_free(book, worker):
            heapq.heappush(idle, (len(worker.attempts), worker.number))
    return False


def _avoided(book: Book, kind: Literal["map", "reduce"], index: int) -> set[int]:
    """Return the workers that a task should not get again: it was moved away, or its code failed there.

    A fault of one worker must not spend a task's whole budget, and one that follows the task is its own.
    """
    moved = book.avoid.get(index, set()) if kind == "reduce" else set()
    failed = book.tasks[kind].last_error.get(index)
    worker = book.registry.by_name(failed.worker) if failed else None
    return moved | {worker.number} if worker is not None else moved


def _gets_better_slot(book: Book, index: int, idle: list[tuple[int, int]], avoided: set[int]) -> bool:
    """Tell whether a map waits a little for a slot that a reduce which gathers early leaves to it.

    So it is where only workers are free that the map should not get again: without that reduce it had another one.
    """
    if not avoided or any(number not in avoided for _, number in idle):
        return False
    for attempt in waiting_reduces(book):
        if attempt.early and attempt.worker.number not in avoided:
            preempt(book, attempt)
            book.tasks["map"].paused[index] = book.now + MAKING_WAY
            return True
    return False


def _pick(idle: list[tuple[int, int]], avoid: set[int]) -> int:
    """Take the least busy worker, if possible not one that the task avoids."""
    if avoid:
        preferred = [candidate for candidate in idle if candidate[1] not in avoid]
        if preferred:
            idle.remove(min(preferred))
            heapq.heapify(idle)
            return min(preferred)[1]
    return heapq.heappop(idle)[1]


def maps_beside_others(book: Book) -> int:
    """Return how many maps wait for a slot, and not for a whole worker."""
    return book.tasks["map"].counts[TaskState.WAITING] - book.tasks["map"].waiting_alone


def _make_room(book: Book) -> bool:
    """Preempt reduce attempts that only wait, so that each waiting map gets a slot; tell whether there were any."""
    waiting = maps_beside_others(book)
    if not waiting or not book.tasks["reduce"].live:
        return False
    candidates = list(waiting_reduces(book))
    count = policies.to_preempt(waiting, 0, being_preempted(book), len(candidates))
    for attempt in candidates[:count]:
        preempt(book, attempt)
    return count > 0


def preempt(book: Book, attempt: Attempt) -> None:
    """Take a reduce attempt that only waits from its slot."""
    attempts.cancel(book, attempt, "Preempted")
    if attempt.gathers_early:
        attempts.put_off(book, attempt)
    else:
        attempts.put_back(book, "reduce", attempt.id.task.index)


def waiting_reduces(book: Book, *, reserved: bool = False) -> Iterator[Attempt]:
    """Yield the reduce attempts that wait for segments, on workers that could run a map instead.

    `reserved`: those on workers that are kept free for a map that runs alone, else those on the others.
    """
    for live in book.tasks["reduce"].live.values():
        for attempt in live.values():
            if (
                attempt.waiting
                and attempt.worker.takes_work
                and (attempt.worker.number in book.registry.reserved) == reserved
            ):
                yield attempt


def being_preempted(book: Book) -> int:
    """Return how many cancelled attempts still hold a slot that a map could have."""
    return sum(
        1
        for worker in book.registry.alive("worker")
        if worker.takes_work and worker.number not in book.registry.reserved
        for attempt in worker.attempts.values()
        if attempt.cancel
    )


def _reduces(book: Book) -> None:
    if book.tasks["reduce"].counts[TaskState.WAITING]:
        alone.advance(book, "reduce")
        give_out(book, "reduce")
