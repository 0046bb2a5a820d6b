"""What the reports of attempts change, one function for each kind of report.

Each is applied once, in the order of its number (`exchange.py` sees to that). A report of an
attempt that is not known, or not wanted any more, changes nothing but what may be deleted.
Neighbours: `attempts.py`, `failures.py`, `storage.py`, `rebuild.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mapreduce.ids import AttemptId
from mapreduce.protocol import (
    AttemptCancelled,
    AttemptFailed,
    Cleaned,
    JournalPage,
    MapOutput,
    MapPartSucceeded,
    MapSucceeded,
    Opened,
    Outcome,
    OutputContested,
    PlanFinished,
    PlanPageMade,
    ProgramLoaded,
    Published,
    ReduceSucceeded,
    Report,
    SegmentsLost,
    Staged,
)
from mapreduce_operator.core import attempts, failures, hanging, maps, parts, shape, skew, storage
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.entries import Part
from mapreduce_operator.core.states import TaskState
from mapreduce_operator.core.tasks import Attempt
from mapreduce_operator.core.workers import Worker


def attempt_of(outcome: Outcome) -> AttemptId:
    """Return the attempt that a report is about."""
    return outcome.output.attempt if isinstance(outcome, MapSucceeded) else outcome.attempt


def apply(book: Book, worker: Worker, report: Report) -> None:
    """Apply one report of a worker."""
    outcome = report.outcome
    attempt_id = attempt_of(outcome)
    if isinstance(outcome, Staged):
        storage.staged(book, worker, outcome)
        return
    attempt = worker.attempts.get(attempt_id)
    if attempt is None:
        if isinstance(outcome, MapSucceeded) and book.outputs.is_current(attempt_id, worker.number):
            made = outcome.output
            maps.note(book, attempt_id.task.index, outcome.records, made.counters, made.bad)
            skew.note(book, made)
        elif isinstance(outcome, (MapSucceeded, MapPartSucceeded, ReduceSucceeded)):
            discard_unknown(book, worker, attempt_id)
        return
    attempt.started = True
    attempt.spent = report.spent
    _APPLY[type(outcome)](book, attempt, outcome)


def discard_unknown(book: Book, worker: Worker, attempt_id: AttemptId) -> None:
    """Let a worker delete a result that nobody wants; never the part that counts."""
    part = book.parts.get(attempt_id.task.index)
    if part is not None and part.attempt == attempt_id:
        return
    attempts.discard(book, worker, attempt_id)


def _note_finished(
    book: Book,
    attempt: Attempt,
    made: MapOutput | MapPartSucceeded | ReduceSucceeded,
    *,
    records: int = 0,
    message: str = "",
) -> None:
    """Journal what an attempt made; `records`: input records that it read."""
    seconds = attempts.seconds(book, attempt)
    if seconds:
        book.tasks[attempt.id.task.kind].pace.add(seconds)
    book.record(
        "Finished",
        attempt=attempt.id,
        worker=attempt.worker,
        checksum=made.checksum,
        rows=made.rows,
        size=made.size,
        records=records,
        counters=made.counters,
        seconds=round(seconds, 3),
        spills=0 if isinstance(made, MapPartSucceeded) else made.spills,
        bad=() if isinstance(made, ReduceSucceeded) else made.bad,
        message=message,
        log=book.texts.keep_printed(attempt.spent.printed),
        **attempts.cost(attempt),
    )


# --- map ------------------------------------------------------------------------------------


def _map_succeeded(book: Book, attempt: Attempt, report: MapSucceeded) -> None:
    worker, output = attempt.worker, report.output
    shape.learn(book, has_reduce=True)
    if not attempts.end(book, attempt):
        attempts.discard(book, worker, attempt.id)
        return
    if not maps.accepts(book, output):
        attempts.end_in_vain(book, attempt)
        return
    maps.note(book, attempt.id.task.index, report.records, output.counters, output.bad)
    _note_finished(book, attempt, output, records=report.records)
    skew.note(book, output)
    maps.keep(book, output, worker)


def _map_part_succeeded(book: Book, attempt: Attempt, report: MapPartSucceeded) -> None:
    index, worker = attempt.id.task.index, attempt.worker
    shape.learn(book, has_reduce=False)
    if not attempts.end(book, attempt):
        attempts.discard(book, worker, attempt.id)
        return
    if not _awaits_part(book, index):
        attempts.end_in_vain(book, attempt)
        return
    _note_finished(book, attempt, report, records=report.records, message=shape.MAP_ONLY)
    facts = (report.checksum, report.rows, report.size)
    part = Part(attempt.id, *facts, worker.number, report.records, report.counters, report.bad)
    parts.offer(book, index, part, sequence=0)


def _awaits_part(book: Book, index: int) -> bool:
    return book.producers.is_in(index, TaskState.RUNNING) or book.producers.is_in(index, TaskState.WAITING)


# --- reduce -----------------------------------------------------------------------------------


def _reduce_succeeded(book: Book, attempt: Attempt, report: ReduceSucceeded) -> None:
    partition, worker = attempt.id.task.index, attempt.worker
    if not attempts.end(book, attempt):
        attempts.discard(book, worker, attempt.id)
        return
    if not _awaits_part(book, partition):
        attempts.end_in_vain(book, attempt)
        return
    _note_finished(book, attempt, report)
    current = book.outputs.digest() if book.outputs.all_known() else ""
    if report.consumed != current:
        _read_something_else(book, attempt, report, current)
        return
    if book.consumed and book.consumed != current:
        book.fail("NonDeterministicMap", "the maps that ran again gave other outputs than before")
        return
    book.consumed = current
    sequence = book.record(
        "Consumed",
        attempt=attempt.id,
        worker=worker,
        checksum=report.consumed,
        key_type=book.key_type,
        awaited=True,
    )
    part = Part(attempt.id, report.checksum, report.rows, report.size, worker.number, counters=report.counters)
    parts.offer(book, partition, part, sequence)


def _read_something_else(book: Book, attempt: Attempt, report: ReduceSucceeded, current: str) -> None:
    """It read the output of a map that has run again since, or that nobody can vouch for."""
    message = f"it read {report.consumed}, but the maps' outputs are {current or 'not all known'}"
    book.record(
        "Lost",
        attempt=attempt.id,
        worker=attempt.worker,
        reason="SegmentUnreadable",
        message=message,
        budget="disruption",
    )
    attempts.discard(book, attempt.worker, attempt.id)
    failures.disrupt(book, "reduce", attempt.id.task.index, "SegmentUnreadable", message)
    maps.run_orphans_again(book)


# --- the others -------------------------------------------------------------------------------


def _program_loaded(book: Book, attempt: Attempt, report: ProgramLoaded) -> None:
    if not attempts.end(book, attempt):
        return
    book.tasks["load"].move(0, "succeeded")
    message = "" if report.shape.has_reduce else shape.MAP_ONLY
    book.record("Finished", attempt=attempt.id, worker=attempt.worker, message=message, **attempts.cost(attempt))
    shape.learn(book, has_reduce=report.shape.has_reduce)


def _cancelled(book: Book, attempt: Attempt, _: AttemptCancelled) -> None:
    """Asked for: nothing more to do. Not asked for by this master: a disruption."""
    if attempts.end(book, attempt):
        book.record("Cancelled", attempt=attempt.id, worker=attempt.worker, reason="Cancelled", budget="disruption")
        attempts.gave_back(book, attempt)
        failures.disrupted(book, attempt, "Cancelled")


_APPLY: Final[dict[type, Callable[[Book, Attempt, Any], None]]] = {
    MapSucceeded: _map_succeeded,
    MapPartSucceeded: _map_part_succeeded,
    ReduceSucceeded: _reduce_succeeded,
    ProgramLoaded: _program_loaded,
    SegmentsLost: failures.segments_lost,
    AttemptFailed: hanging.report,
    AttemptCancelled: _cancelled,
    PlanPageMade: storage.plan_page,
    PlanFinished: storage.plan_finished,
    JournalPage: storage.journal_page,
    Opened: storage.opened,
    OutputContested: storage.contested,
    Published: storage.published,
    Cleaned: storage.cleaned,
}
