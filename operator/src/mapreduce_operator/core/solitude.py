"""Tasks that went over their memory: each runs again alone on a worker, with the memory of all its slots.

A worker that is empty takes one, and nothing beside it. Where none is empty, the least busy worker is
reserved: it gets nothing more until it is. As what a reserved worker has only gets less, and another
one is chosen in its place only if that has less still, one becomes empty.
Neighbours: `scheduling.py` asks first, `failures.py` says which tasks, `attempts.py` gives.
"""

from __future__ import annotations

from typing import Literal

from mapreduce_operator.core import attempts
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.states import TaskState
from mapreduce_operator.core.workers import Worker


def waiting(book: Book, kind: Literal["map", "reduce"]) -> list[int]:
    """Return the tasks that wait for a worker of their own."""
    table = book.tasks[kind]
    return [index for index in sorted(table.greedy) if table.is_in(index, TaskState.WAITING)]


def ready(book: Book, kind: Literal["map", "reduce"]) -> list[int]:
    """Return those that may run now: what the others were charged is not journalled yet."""
    table = book.tasks[kind]
    return [index for index in waiting(book, kind) if table.may_run(index, book.now, book.journal.written)]


def is_empty(book: Book, worker: Worker) -> bool:
    """Tell whether a worker can take a task that wants to be alone."""
    free = worker.slots > 0 and worker.free == worker.slots and not worker.attempts
    return free and worker.takes_work and worker.rest_until <= book.now


def advance(book: Book, kind: Literal["map", "reduce"]) -> None:
    """Give what can be given, and reserve workers for the rest."""
    book.registry.reserved.clear()
    if not book.tasks[kind].greedy:
        return
    count, left = len(waiting(book, kind)), ready(book, kind)
    candidates = [worker for worker in book.registry.alive("worker") if worker.takes_work and not worker.solitary]
    for worker in [worker for worker in candidates if is_empty(book, worker)][: len(left)]:
        index = left.pop(_choice(book, kind, left, worker))
        attempts.give(book, worker, kind, index, alone=True)
        count -= 1
    busy = sorted((len(worker.attempts), worker.number) for worker in candidates if not worker.solitary)
    book.registry.reserved.update(number for _, number in busy[:count])


def _choice(book: Book, kind: str, left: list[int], worker: Worker) -> int:
    """Return the place in `left` of the first task that was not moved away from this worker, else 0."""
    if kind == "map":
        return 0
    fits = (at for at, index in enumerate(left) if worker.number not in book.avoid.get(index, ()))
    return next(fits, 0)
