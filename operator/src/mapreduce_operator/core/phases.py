"""The job as a whole: from one phase to the next, the grace after a restart, the deadline.

Everything here looks at what is so and takes the next step; it may run after any event.
Neighbours: `storage.py`, `scheduling.py` (who act within a phase), `ending.py`.
"""

from __future__ import annotations

from mapreduce_operator.core import (
    divide,
    early,
    ending,
    left_records,
    maps,
    policies,
    rebuild,
    scheduling,
    skew,
    status,
    wishes,
)
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.policies import Verdict
from mapreduce_operator.core.states import JobState, WorkerState


def advance(book: Book) -> None:
    """Take every step that can be taken now."""
    if book.over:
        return
    left_records.judge(book)
    if book.failure is not None:
        ending.fail(book, book.failure)
    elif book.found_published:
        ending.publish(book)
    else:
        wishes.advance(book)
        if book.state is not JobState.SUSPENDED:
            _grace(book)
            _next_phase(book)


def _grace(book: Book) -> None:
    """After a restart: wait until every running worker has told what it holds, or for one lease in which none does."""
    if book.grace_over or not book.rebuilt:
        return
    missing = any(
        worker.state is WorkerState.RUNNING or (worker.session and not worker.taken_over)
        for worker in book.registry.alive("worker")
    )
    if book.now >= book.named_at + book.spec.timing.lease or (book.listed and not missing):
        rebuild.end_grace(book)


def _next_phase(book: Book) -> None:
    if book.state is JobState.PENDING and book.rebuilt and book.header is None:
        book.move("opened")
    if book.state in (JobState.PENDING, JobState.PLANNING) and _may_map(book):
        book.move("planned")
        book.announce("Normal", "Mapping", f"{book.outputs.count} maps, {book.tasks['reduce'].count or 'no'} reduces")
    if book.state in (JobState.MAPPING, JobState.REDUCING) and book.producers.done:
        maps.conclude(book)
        book.move("parts_done")
        book.announce("Normal", "Publishing", "every part is staged; the output is being published")
        book.publish_sequence = book.record("Publishing", awaited=True)
        book.journal.closed = True
    if book.state is JobState.MAPPING and book.grace_over and book.tasks["map"].done:
        book.move("maps_done")
        divide.choose(book)
        skew.conclude(book)
        early.conclude(book)
        book.announce("Normal", "Reducing", f"every map has succeeded; {book.tasks['reduce'].count} reduces follow")


def _may_map(book: Book) -> bool:
    """The plan is in the journal, the journal is open, and it is known what the program is."""
    gateway = book.output_gateway
    if gateway is None or not gateway.opened:
        return False
    if book.header is None or not book.journal.is_written(max(1, book.draft_sequence)):
        return False
    return scheduling.program_known(book)


def check_deadline(book: Book) -> None:
    """Give up a job that does not get to run, or that takes longer than its user allows."""
    if book.over or book.state is JobState.SUSPENDED:
        return
    if book.state is not JobState.PUBLISHING:
        _give_up(book, policies.active(book.at.mono - book.active_since, book.wanted.active_deadline))
    if book.state in (JobState.PENDING, JobState.PLANNING):
        waits = book.now - book.pending_since
        # A large input of some formats is read through for that, which only the volume's speed bounds.
        planning = "its input is still being planned" if book.tasks["plan"].live_attempts(0) else ""
        _give_up(book, policies.before_running(waits, book.spec.limits, status.waiting_for(book) or planning))


def _give_up(book: Book, verdict: Verdict | None) -> None:
    if verdict is not None:
        book.fail(verdict.reason, verdict.message)
