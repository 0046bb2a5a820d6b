"""Tasks that went over their memory: each runs again alone on a worker, with the memory of all its slots.

A worker that is empty takes one, and nothing beside it. Where none is empty, the least busy worker is
reserved: it gets nothing more until it is. As what a reserved worker has only gets less, one becomes empty.
Another one is chosen in its place only if that has less still, or if the first has a slot that cannot be ended.
Neighbours: `scheduling.py` asks first, `failures.py` says which tasks, `attempts.py` gives.
"""

from __future__ import annotations

from typing import Literal

from mapreduce_operator.core import attempts, stuck
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.workers import Worker


def is_empty(book: Book, worker: Worker) -> bool:
    """Tell whether a worker can take a task that wants to be alone."""
    free = worker.slots > 0 and worker.free == worker.slots and not worker.attempts
    return free and worker.takes_work and worker.rest_until <= book.now


def advance(book: Book, kind: Literal["map", "reduce"]) -> None:
    """Give what can be given, and reserve workers for the rest."""
    book.registry.reserved.clear()
    table = book.tasks[kind]
    if not table.waiting_alone:
        return
    candidates = [worker for worker in book.registry.alive("worker") if worker.takes_work and not worker.runs_alone]
    empty = [worker for worker in candidates if is_empty(book, worker)]
    # So many that, beside those that were moved away from a worker, there is one for each.
    left = table.ready_alone(book.now, book.journal.written, most=len(empty) + len(book.avoid))
    for worker in empty[: len(left)]:
        index = left.pop(_choice(book, kind, left, worker))
        attempts.give(book, worker, kind, index, alone=True)
    others = [worker for worker in candidates if not worker.runs_alone]
    others.sort(key=lambda worker: (stuck.is_stuck(book, worker), len(worker.attempts), worker.number))
    book.registry.reserved.update(worker.number for worker in others[: table.waiting_alone])


def _choice(book: Book, kind: str, left: list[int], worker: Worker) -> int:
    """Return the place in `left` of the first task that was not moved away from this worker, else 0."""
    if kind == "map":
        return 0
    fits = (at for at, index in enumerate(left) if worker.number not in book.avoid.get(index, ()))
    return next(fits, 0)
