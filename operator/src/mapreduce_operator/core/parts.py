"""Parts: staged once a reduce (or map, where there is none), on the gateway's word; lost while they are not.

Neighbours: `reports.py` (who made it reported), `storage.py` (the gateway staged it), `fleet.py` (its
worker is gone before that).
"""

from __future__ import annotations

from mapreduce_operator.core import attempts, maps
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.entries import Part
from mapreduce_operator.core.states import TaskState


def offer(book: Book, partition: int, part: Part, sequence: int) -> None:
    """An attempt reported that it made a part: let the output's gateway fetch it.

    Of a reduce, not before what it consumed is in the journal (at `sequence`): whoever finds the part
    staged, after a restart, must be able to tell that no map has given another output since.
    """
    book.producers.move(partition, "reported")
    book.parts[partition] = part
    book.tasks["stage"].blocked[partition] = sequence
    book.to_stage.add(partition)


def accept(book: Book, partition: int, part: Part) -> None:
    """Take a staged part as the result of its task, once."""
    made_by = book.producers
    if made_by.is_in(partition, TaskState.SUCCEEDED) or made_by.is_in(partition, TaskState.FAILED):
        return
    before = book.parts.get(partition)
    if before is not None and before.worker >= 0:
        attempts.discard(book, book.registry.by_number(before.worker), before.attempt)
    book.parts[partition] = part
    book.to_stage.discard(partition)
    if book.map_only:
        maps.note(book, partition, part.records, part.counters, part.bad)
    made_by.move(partition, "staged")
    book.tasks["stage"].move(partition, "succeeded")
    book.finished += 1
    if book.map_only:
        maps.count(book, partition, 1)
    else:
        maps.add_counters(book, part.counters, str(made_by.id(partition)))
    attempts.cancel_all(book, made_by.kind, partition, "Cancelled")
    attempts.cancel_all(book, "stage", partition, "Cancelled")


def lose(book: Book, partition: int, reason: str) -> None:
    """A part that is not staged is gone: its task runs again, unless another attempt does."""
    part = book.parts.pop(partition)
    holder = book.registry.by_number(part.worker)
    book.record("Lost", attempt=part.attempt, worker=holder, reason=reason, message="its part was not staged")
    attempts.discard(book, holder, part.attempt)
    book.to_stage.discard(partition)
    attempts.cancel_all(book, "stage", partition, reason)
    attempts.put_back(book, "stage", partition)
    made_by = book.producers
    made_by.move(partition, "part_lost")
    if any(attempt.worker.usable for attempt in made_by.live_attempts(partition)):
        made_by.move(partition, "assigned")
    maps.run_orphans_again(book)
