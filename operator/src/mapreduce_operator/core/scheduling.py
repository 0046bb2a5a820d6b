"""Who gets what: the program to look at, maps, reduces; and which waiting reduce makes room.

Maps go first. A reduce is given out when no map waits. Where a map waits and no slot is free, a
reduce attempt that only waits is preempted, else reducers that wait for a lost segment would
hold every slot for ever. Neighbours: `attempts.py` (gives), `policies.py` (how many make room).
"""

from __future__ import annotations

from collections.abc import Iterator

from mapreduce_operator.core import attempts, maps, policies, storage
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.states import JobState, TaskState
from mapreduce_operator.core.tasks import Attempt
from mapreduce_operator.core.workers import Worker


def advance(book: Book) -> None:
    """Give out what can run now."""
    if not book.grace_over:
        return
    if book.state in (JobState.PENDING, JobState.PLANNING):
        _load(book)
    elif book.state in (JobState.MAPPING, JobState.REDUCING):
        _maps(book)
        if book.state is JobState.REDUCING and not _map_waits(book):
            _reduces(book)


def program_known(book: Book) -> bool:
    """Tell whether the program can be loaded: somebody did."""
    return book.shape is not None or book.program_proved


def _load(book: Book) -> None:
    if program_known(book) or book.tasks["load"].live:
        return
    for worker in _idle(book)[:1]:
        storage.give_once(book, worker, "load")


def is_free(book: Book, worker: Worker) -> bool:
    """Tell whether a worker can get an attempt."""
    return worker.free > 0 and worker.usable and worker.rest_until <= book.now


def _idle(book: Book) -> list[Worker]:
    """The workers that can get an attempt, the least busy first."""
    candidates = [book.registry.by_number(number) for number in book.registry.maybe_free]
    for worker in candidates:
        if worker.free <= 0 or not worker.alive:
            book.registry.maybe_free.discard(worker.number)
    idle = [worker for worker in candidates if is_free(book, worker)]
    idle.sort(key=lambda worker: (len(worker.attempts), worker.number))
    return idle


def _map_waits(book: Book) -> bool:
    return book.tasks["map"].counts[TaskState.WAITING] > 0 and maps.outputs_needed(book)


def _maps(book: Book) -> None:
    if not _map_waits(book):
        return
    table = book.tasks["map"]
    for worker in _idle(book):
        while is_free(book, worker):
            index = table.first_ready(book.now, book.journal.written)
            if index is None:
                return
            attempts.give(book, worker, "map", index)
    _make_room(book)


def _make_room(book: Book) -> None:
    """Preempt reduce attempts that only wait, so that each waiting map gets a slot."""
    waiting = book.tasks["map"].counts[TaskState.WAITING]
    if not waiting or not book.tasks["reduce"].live:
        return
    candidates = list(waiting_reduces(book))
    count = policies.to_preempt(waiting, 0, being_preempted(book), len(candidates))
    for attempt in candidates[:count]:
        attempts.cancel(book, attempt, "Preempted")
        attempts.put_back(book, "reduce", attempt.id.task.index)


def waiting_reduces(book: Book) -> Iterator[Attempt]:
    """Yield the reduce attempts that wait for segments, on workers that could run a map instead."""
    for live in book.tasks["reduce"].live.values():
        for attempt in live.values():
            if attempt.waiting and attempt.worker.usable:
                yield attempt


def being_preempted(book: Book) -> int:
    """Return how many cancelled attempts still hold a slot that a map could have."""
    return sum(
        1
        for worker in book.registry.alive("worker")
        if worker.usable
        for attempt in worker.attempts.values()
        if attempt.cancel
    )


def _reduces(book: Book) -> None:
    table = book.tasks["reduce"]
    if not table.counts[TaskState.WAITING]:
        return
    idle = _idle(book)
    while idle:
        index = table.first_ready(book.now, book.journal.written)
        if index is None:
            return
        worker = _spread(idle, book.avoid.get(index, set()))
        attempts.give(book, worker, "reduce", index)
        if not is_free(book, worker):
            idle.remove(worker)


def _spread(idle: list[Worker], avoid: set[int]) -> Worker:
    """Return the least busy worker, if possible not one that the reduce was moved away from."""
    preferred = [worker for worker in idle if worker.number not in avoid] or idle
    return min(preferred, key=lambda worker: (len(worker.attempts), worker.number))
