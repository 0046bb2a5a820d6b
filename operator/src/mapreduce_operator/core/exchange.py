"""One exchange: what the worker says is taken in, then it is answered or parked.

An exchange tells all that is so now. So a lost message is healed by the next one, and a repeated
one changes nothing. Neighbours: `reports.py` (each report), `scheduling.py` (new work),
`answers.py` (what is said back).
"""

from __future__ import annotations

from typing import Final, Literal

from mapreduce.ids import AttemptId
from mapreduce.protocol import Exchange, Outcome, Progress, ReduceSucceeded, Report
from mapreduce_operator.core import (
    adoption,
    attempts,
    credible,
    epochs,
    failures,
    fleet,
    hanging,
    reports,
    storage,
    stuck,
    usage,
)
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.events import Exchanged, Refuse
from mapreduce_operator.core.tasks import Attempt
from mapreduce_operator.core.workers import Parked, Worker

REPORTS_AT_ONCE: Final = 500
"""Reports of one worker that are applied in one event: other workers, and other jobs, wait for it."""


def exchanged(book: Book, event: Exchanged) -> None:
    """Take in one exchange; its answer is made when the rest of the event is done."""
    worker = book.registry.by_session(event.session)
    if worker is None:
        _refuse(book, event.request, 401, "SessionUnknown", "the session is unknown: register again")
        return
    if event.body.epoch > book.epoch:
        _refuse(book, event.request, 409, "EpochOld", epochs.claimed(book, worker, event.body.epoch))
        return
    if event.body.seen < worker.seen:
        _refuse(book, event.request, 409, "Superseded", "a later request of this session came before this one")
        return
    if worker.parked is not None:
        _refuse(book, worker.parked.number, 409, "Superseded", "a newer request of this session took its place")
    worker.parked = Parked(event.request, book.now)
    worker.heard = book.now
    _note_what_it_saw(worker, event.body)
    adoption.hear(book, worker, event.body)
    _note_slots(worker, event.body)
    usage.note(worker, event.body.usage)
    before = worker.opened
    reported = _apply_reports(book, worker, event.body.reports)
    _note_journal(book, worker, event.body, first=not before)
    _compare_running(book, worker, event.body, reported)
    if event.body.draining:
        fleet.drain(book, worker)
    _count_free_slots(worker, event.body)
    if worker.free > 0 and worker.role == "worker":
        book.registry.maybe_free.add(worker.number)
    applied = any(report.number <= worker.applied for report in event.body.reports)
    worker.prompt = worker.prompt or applied or worker.seen < worker.answered
    book.news.add(worker.number)


def _note_journal(book: Book, worker: Worker, body: Exchange, *, first: bool) -> None:
    """Note what is durable. A journal that lacks what was durable before was lost with its volume:
    the frames that it lacks are gone here too, so nothing can ever be written behind the gap."""
    if worker.role != "gateway" or not worker.opened or worker.index != 0:
        return
    storage.note_journal_trouble(book, body.journal_trouble)
    if body.journal_lost:
        storage.close(book, worker)
        return
    if first and body.journal_written < book.journal.written and not book.found_published:
        book.journal.torn = True
        book.fail("StorageFailed", "the job's journal on the output's volume lost what had been written to it")
    book.journal.acknowledge(body.journal_written)


def disconnected(book: Book, request: int) -> None:
    """A parked request must not be answered any more."""
    for worker in book.registry.alive():
        if worker.parked is not None and worker.parked.number == request:
            worker.parked = None
            return


def _refuse(book: Book, request: int, status: Literal[401, 409], reason: str, message: str) -> None:
    book.commands.append(Refuse(request=request, status=status, reason=reason, message=message))


def _note_what_it_saw(worker: Worker, body: Exchange) -> None:
    worker.seen = body.seen if body.seen <= worker.answered else 0
    worker.locations_seen = body.locations_seen
    for attempt_id in [attempt_id for attempt_id, told in worker.discard.items() if 0 < told <= worker.seen]:
        del worker.discard[attempt_id]


def _note_slots(worker: Worker, body: Exchange) -> None:
    """Note which slot each attempt has, before its end is taken in: many end before they were named as running."""
    for progress in body.running:
        attempt = worker.attempts.get(progress.attempt)
        if attempt is not None and -1 < progress.slot < worker.slots:
            attempt.slot = progress.slot


def _apply_reports(book: Book, worker: Worker, new: tuple[Report, ...]) -> set[AttemptId]:
    """Apply each report once, in order; return the attempts that this exchange reports on."""
    named: set[AttemptId] = set()
    applied = 0
    for report in new:
        attempt_id = reports.attempt_of(report.outcome)
        named.add(attempt_id)
        if report.number <= worker.applied or applied == REPORTS_AT_ONCE:
            # What is left comes again with the next exchange.
            continue
        applied += 1
        if _too_early(book, worker, report.outcome):
            worker.kept_back = True
            break
        worker.applied = report.number
        if credible.report(book, worker, report.outcome, attempt_id):
            reports.apply(book, worker, report)
    return named


def _too_early(book: Book, worker: Worker, outcome: Outcome) -> bool:
    """After a restart, what older attempts report must wait: first until the journal was read and they
    were taken over, and a finished reduce until it is known which map outputs there are."""
    if worker.role == "gateway" or reports.attempt_of(outcome).epoch == book.epoch:
        return False
    return not worker.taken_over or (isinstance(outcome, ReduceSucceeded) and not book.grace_over)


def _compare_running(book: Book, worker: Worker, body: Exchange, reported: set[AttemptId]) -> None:
    """What it was given and does not have was never begun; what it has and nobody knows is stopped."""
    running = {progress.attempt for progress in body.running}
    for progress in body.running:
        attempt = worker.attempts.get(progress.attempt)
        if attempt is None:
            continue
        _note_progress(book, attempt, progress)
        if not attempt.started:
            attempt.started = True
            if progress.attempt.task.kind != "publish":
                attempt.slot_told = attempt.slot >= 0
                book.record("Started", attempt=attempt.id, worker=worker, slot=attempt.slot)
    for attempt in [attempt for attempt in worker.attempts.values() if attempt.id not in running]:
        told = 0 < attempt.sent <= worker.seen
        if (attempt.started or told) and attempt.id not in reported:
            _vanished(book, attempt)
    if book.rebuilt and (worker.taken_over or worker.role == "gateway"):
        unknown = running - worker.attempts.keys() - reported
        worker.unwanted = {attempt_id: worker.unwanted.get(attempt_id, 0) for attempt_id in unknown}
    stuck.note(book, worker, running - reported)


def _note_progress(book: Book, attempt: Attempt, progress: Progress) -> None:
    """Note how far an attempt is; user code that hangs costs its task an attempt. Whoever waits does not hang."""
    reached = (progress.records, progress.size, progress.marks)
    attempt.waiting = progress.waiting
    if progress.waiting or not attempt.started or reached != attempt.progress:
        attempt.progress = reached
        attempt.moved_at = book.now
        attempt.asked_at = 0.0
    else:
        hanging.judge(book, attempt)


def _vanished(book: Book, attempt: Attempt) -> None:
    if attempt.cancel:
        attempts.end(book, attempt)
    elif attempt.started:
        failures.attempt_lost(book, attempt, "WorkerLost", "its worker does not know it any more")
    else:
        # It may be about to stop: something else should have the task, or it later.
        attempt.worker.rest_until = book.now + book.spec.timing.beat
        failures.attempt_lost(book, attempt, "NotStarted")


def _count_free_slots(worker: Worker, body: Exchange) -> None:
    unseen = len(worker.attempts.keys() - {progress.attempt for progress in body.running})
    worker.free = min(body.free_slots - unseen, worker.slots - len(worker.attempts))
