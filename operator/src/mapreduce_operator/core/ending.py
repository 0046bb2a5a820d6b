"""The end of a job: published, failed or deleted; then cleaned up, stopped, over.

Workers go at once. The output's gateway stays until the store is clean, for at most a minute; that begins anew while
the platform does not answer, since without it there may be no gateway, and nobody can be told of the end either.
Neighbours: `phases.py` (when it begins), `storage.py` (gives `clean`).
"""

from __future__ import annotations

from typing import Final, Literal

from mapreduce_operator.core import attempts, fleet, status, storage
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.entries import Ending, Failure
from mapreduce_operator.core.events import Ended

CLEAN_SECONDS: Final = 60.0
UNANSWERED_SECONDS: Final = 600.0
"""How long a platform that does not answer may put off the end: one that never will must not keep a job for ever."""


def publish(book: Book) -> None:
    """The output is published: nothing is left to do."""
    book.move("published")
    book.ending = Ending("published", book.now, book.now, cleaned=True)
    book.completed_wall = book.at.wall
    where = f"{book.spec.output}: {book.summary.records} records" if book.summary is not None else book.spec.output
    book.announce("Normal", "Succeeded", where)


def fail(book: Book, failure: Failure) -> None:
    """The job failed: tell, and keep only the history."""
    book.move("failed")
    book.journal.closed = False
    book.record("JobFailed", reason=failure.reason, message=failure.message, awaited=True)
    book.announce("Warning", failure.reason, failure.message)
    _end(book, "failed")


def delete(book: Book) -> None:
    """The user deleted the job: keep nothing."""
    if book.ending is not None and book.ending.mode != "failed":
        return
    _end(book, "deleted")


def _end(book: Book, mode: Literal["failed", "deleted"]) -> None:
    # An output that was refused to this job is none of its business.
    touched = book.opened_once or book.context.resumed or bool(book.tasks["open"].live)
    book.journal.closed = True
    book.ending = Ending(mode, book.now + CLEAN_SECONDS, book.now + UNANSWERED_SECONDS, cleaned=not touched)
    book.completed_wall = book.completed_wall or book.at.wall
    for table in book.tasks.values():
        for live in list(table.live.values()):
            for attempt in list(live.values()):
                attempts.cancel(book, attempt, "Cancelled")
                attempts.put_back(book, attempt.id.task.kind, attempt.id.task.index)
    for worker in book.registry.alive("worker"):
        fleet.stop(book, worker, "the job is over")


def put_off(book: Book) -> None:
    """The platform did not answer: until it does, the time for cleaning does not pass."""
    if book.ending is not None:
        book.ending.until = min(book.now + CLEAN_SECONDS, book.ending.at_last)


def advance(book: Book) -> None:
    """Clean up if that can be done, and end when it is done or took too long."""
    ending = book.ending
    if ending is None or book.ended:
        return
    if not ending.cleaned and book.now < ending.until:
        _clean(book, ending)
        return
    for worker in book.registry.alive():
        fleet.stop(book, worker, "the job is over")
    book.ended = True
    status.publish(book)
    phases: Final[dict[str, Literal["Succeeded", "Failed", "Deleted"]]] = {
        "published": "Succeeded",
        "failed": "Failed",
        "deleted": "Deleted",
    }
    book.commands.append(Ended(phases[ending.mode]))


def _clean(book: Book, ending: Ending) -> None:
    gateway = book.output_gateway
    if gateway is None or not gateway.usable:
        return
    if ending.mode == "failed" and not book.open_refused:
        if not gateway.opened:
            # A gateway that was started again has to find the journal before it can end it.
            storage.give_open(book, gateway)
            return
        journal = book.journal
        if not (journal.is_written(journal.last) or journal.torn or book.journal_trouble):
            return
    if not gateway.attempts:
        storage.give_once(book, gateway, "clean")
