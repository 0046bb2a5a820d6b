"""Parts: staged once a reduce, on the gateway's word; lost while they are not.

Neighbours: `reports.py` (a reduce reported), `storage.py` (the gateway staged it), `fleet.py` (its
worker is gone before that).
"""

from __future__ import annotations

from mapreduce_operator.core import attempts, maps
from mapreduce_operator.core.book import Book, Part
from mapreduce_operator.core.states import TaskState


def offer(book: Book, partition: int, part: Part, sequence: int) -> None:
    """A reduce reported: let the output's gateway fetch its part.

    Not before what it consumed is in the journal (at `sequence`): whoever finds the part staged,
    after a restart, must be able to tell that no map has given another output since.
    """
    book.tasks["reduce"].move(partition, "reported")
    book.parts[partition] = part
    book.tasks["stage"].blocked[partition] = sequence
    book.to_stage.add(partition)


def accept(book: Book, partition: int, part: Part) -> None:
    """Take a staged part as the result of its reduce, once."""
    reduces = book.tasks["reduce"]
    if reduces.is_in(partition, TaskState.SUCCEEDED):
        return
    before = book.parts.get(partition)
    if before is not None and before.worker >= 0:
        attempts.discard(book, book.registry.by_number(before.worker), before.attempt)
    book.parts[partition] = part
    book.to_stage.discard(partition)
    reduces.move(partition, "staged")
    book.tasks["stage"].move(partition, "succeeded")
    book.finished += 1
    attempts.cancel_all(book, "reduce", partition, "Cancelled")
    attempts.cancel_all(book, "stage", partition, "Cancelled")


def lose(book: Book, partition: int, reason: str) -> None:
    """A part that is not staged is gone: the reduce runs again, unless another attempt does."""
    part = book.parts.pop(partition)
    holder = book.registry.by_number(part.worker)
    book.record("Lost", attempt=part.attempt, worker=holder, reason=reason, message="its part was not staged")
    attempts.discard(book, holder, part.attempt)
    book.to_stage.discard(partition)
    attempts.cancel_all(book, "stage", partition, reason)
    attempts.put_back(book, "stage", partition)
    reduces = book.tasks["reduce"]
    reduces.move(partition, "part_lost")
    if any(attempt.worker.usable for attempt in reduces.live_attempts(partition)):
        reduces.move(partition, "assigned")
    maps.run_orphans_again(book)
