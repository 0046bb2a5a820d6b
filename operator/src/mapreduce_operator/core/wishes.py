"""What the user may change while the job lives: how many workers there are, and whether it runs at all.

`SpecChanged` says what is wanted; what follows is done when it can be done, step by step. A suspended
job has no process; its staging directory and journal stay, and a resume opens them again. Surplus
workers get no more work, and go when nobody needs what they run or hold. Neighbours: `fleet.py` (who
comes and goes), `phases.py` (calls `advance`), `ending.py`, `suspension.py` (what is said).
"""

from __future__ import annotations

from mapreduce_operator.core import attempts, fleet, maps, parts, storage, suspension
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.events import SpecChanged
from mapreduce_operator.core.states import JobState, TaskState
from mapreduce_operator.core.workers import Worker


def changed(book: Book, event: SpecChanged) -> None:
    """Note what the user wants now."""
    before = book.wanted
    book.wanted = event
    if event.workers != before.workers and not book.over:
        fleet.lay_worker_seats(book)
        book.announce("Normal", "Scaled", f"from {before.workers} to {event.workers} workers")


def advance(book: Book) -> None:
    """Suspend the job, or let it go on. A job that publishes already comes to its end first."""
    if book.wanted.suspend:
        if book.state in (JobState.PENDING, JobState.PLANNING, JobState.MAPPING, JobState.REDUCING):
            _suspend(book)
    elif book.state is JobState.SUSPENDED:
        _resume(book)


def _suspend(book: Book) -> None:
    """Stop everybody. What was staged stays; what maps and reduces made is gone with their workers."""
    book.move("suspended")
    book.record("Suspended")
    book.announce("Normal", "Suspended", "all Pods of the job are stopped; what is staged stays")
    for table in book.tasks.values():
        for live in list(table.live.values()):
            for attempt in list(live.values()):
                attempts.cancel(book, attempt, "Suspended")
                attempts.put_back(book, attempt.id.task.kind, attempt.id.task.index)
    for worker in book.registry.alive():
        _send_away(book, worker)
    for index in range(book.producers.count):
        if book.producers.is_in(index, TaskState.STAGING):
            parts.lose(book, index, "Suspended")


def _send_away(book: Book, worker: Worker) -> None:
    fleet.stop(book, worker, suspension.SHORT)
    if worker.role == "gateway":
        storage.must_open_again(book, worker)
    else:
        maps.lose(book, book.outputs.held_by(worker.number), worker, "Suspended")


def _resume(book: Book) -> None:
    """Begin anew with what is staged; the times that the job may take begin anew too."""
    book.move("resumed")
    book.record("Resumed")
    book.announce("Normal", "Resumed", "the job goes on with what is staged")
    book.resumes += 1
    book.active_since = book.at.mono
    book.pending_since = book.now


# --- workers that are too many --------------------------------------------------------------------


def release(book: Book) -> None:
    """Let go of workers that are to go, and that nobody needs any more."""
    for worker in book.registry.leaving():
        if not worker.attempts and not _is_needed(book, worker):
            fleet.let_go(book, worker)


def _is_needed(book: Book, worker: Worker) -> bool:
    """Tell whether somebody still reads what a worker holds; after a restart it must have told that first."""
    if not book.grace_over or (worker.session and not worker.taken_over):
        return True
    if maps.outputs_needed(book) and book.outputs.holds(worker.number):
        return True
    return any(part.worker == worker.number for part in book.parts.values())
