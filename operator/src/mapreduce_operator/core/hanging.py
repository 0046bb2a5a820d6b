"""User code that hangs: its worker is asked where it is, and ends it; the task is charged and runs again.

The worker kills the slot and reports the failure, with the stack. A worker that does not within a lease
may have a slot that cannot be killed: the task must not wait for that. Neighbours: `policies.py` judges,
`exchange.py` notes progress, `answers.py` asks, `reports.py` hears, `failures.py` charges.
"""

from __future__ import annotations

import msgspec

from mapreduce.protocol import AttemptFailed, ErrorInfo
from mapreduce_operator.core import attempts, failures, places, policies
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.tasks import Attempt


def judge(book: Book, attempt: Attempt) -> None:
    """Look at an attempt whose numbers stand still, though it waits for nobody."""
    verdict = policies.progress(book.now - attempt.moved_at, book.spec.limits)
    if verdict is None or attempt.cancel or attempt.id.task.kind not in ("map", "reduce", "load"):
        return
    if not attempt.asked_at:
        attempt.asked_at = book.now
        attempt.told = 0
        book.news.add(attempt.worker.number)
    elif book.now - attempt.asked_at >= book.spec.timing.lease:
        error = _told(book, attempt, ErrorInfo(kind="user", reason=verdict.reason, message=verdict.message))
        attempts.cancel(book, attempt, verdict.reason)
        failures.remember(book, attempt, error)
        failures.charge_user(book, attempt, error)


def report(book: Book, attempt: Attempt, outcome: AttemptFailed) -> None:
    """Apply `AttemptFailed`; that of code that hung with what only the master knows."""
    if outcome.error.reason == "NoProgress":
        outcome = msgspec.structs.replace(outcome, error=_told(book, attempt, outcome.error))
    failures.report(book, attempt, outcome)


def _told(book: Book, attempt: Attempt, error: ErrorInfo) -> ErrorInfo:
    records, size, _ = attempt.progress
    place = places.of(book, attempt.id.task.kind, attempt.id.task.index)
    return msgspec.structs.replace(
        error,
        kind="user",
        message=policies.hung(book.spec.limits),
        where=f"{place}, after {max(0, records)} records, {max(0, size)} bytes",
    )
