"""Slots that cannot be ended: attempts that a worker goes on to name though it was told to end them.

Code may sleep where no signal reaches it, as in a mount whose server is gone. Its slot never becomes free, and its
worker never empty, so `fleet.py` gives such a worker up. Neighbours: `exchange.py` (what a worker names),
`policies.py` (judges), `alone.py` (waits for no such worker), `status.py` (tells).
"""

from __future__ import annotations

from mapreduce.ids import AttemptId
from mapreduce_operator.core import policies
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.workers import Worker


def note(book: Book, worker: Worker, named: set[AttemptId]) -> None:
    """Note which attempts a worker names still though it was told to end them, each since it first did so.

    `named`: what it runs and has not reported on.
    """
    cancelled = {attempt.id for attempt in worker.attempts.values() if attempt.cancel}
    unended = named & (cancelled | worker.unwanted.keys())
    worker.unended = {attempt: worker.unended.get(attempt, book.now) for attempt in unended}
    if unended:
        book.registry.unended.add(worker.number)
    else:
        book.registry.unended.discard(worker.number)


def oldest(book: Book, worker: Worker) -> tuple[AttemptId, float] | None:
    """Return what a worker has not ended for the longest time, and for how many seconds."""
    if not worker.unended:
        return None
    attempt, since = min(worker.unended.items(), key=lambda item: (item[1], item[0]))
    return attempt, book.now - since


def is_stuck(book: Book, worker: Worker) -> bool:
    """Tell whether a worker has not ended something for so long that it may never be empty again."""
    found = oldest(book, worker)
    return found is not None and found[1] > policies.STUCK_TOLD_LEASES * book.spec.timing.lease


def told(book: Book) -> str:
    """Return what people are told while a worker is stuck, or nothing."""
    for number in sorted(book.registry.unended):
        worker = book.registry.by_number(number)
        found = oldest(book, worker)
        if found is not None and worker.role == "worker" and is_stuck(book, worker):
            return f"{worker.name} cannot end {found[0]}, which was cancelled, and is replaced if it does not soon"
    return ""
