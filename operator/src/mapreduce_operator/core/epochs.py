"""A worker that says it obeys a newer master: a hint, which only the Lease can confirm.

User code can speak for its worker, so an epoch that a worker names proves nothing: it makes the
master ask (`ReadEpoch`). Neighbours: `exchange.py` (hears the claim), `mapreduce_operator.runtime`
(reads the epoch), `fleet.py` (loses who lied).
"""

from __future__ import annotations

from mapreduce_operator.core import fleet
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.events import EpochRead, ReadEpoch, StepDown
from mapreduce_operator.core.workers import Worker


def claimed(book: Book, worker: Worker, epoch: int) -> str:
    """Note that a worker names a newer epoch, and ask, once a beat; return what is wrong with it."""
    worker.claims = max(worker.claims, epoch)
    if book.now >= book.epoch_asked_again:
        book.epoch_asked_again = book.now + book.spec.timing.beat
        book.commands.append(ReadEpoch())
    return f"epoch {epoch} was named, this master is of epoch {book.epoch}"


def read(book: Book, event: EpochRead) -> None:
    """Step down if there is a newer master; else give up whoever claimed that."""
    if event.epoch is None:
        return
    if event.epoch > book.epoch:
        book.deposed = True
        book.commands.append(StepDown(f"there is a master of epoch {event.epoch}, this one is of epoch {book.epoch}"))
        return
    for worker in book.registry.alive():
        if worker.claims > book.epoch:
            fleet.lose(book, worker, "WorkerLost", f"it named the epoch {worker.claims}, which there never was")
