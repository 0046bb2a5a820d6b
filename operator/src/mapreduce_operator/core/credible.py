"""Which reports can be true: what a worker says is believed only within what it can know.

User code has the rights of its worker, so a worker may say anything. A report counts only if it
fits the kind of its task, the role of who sends it, and an attempt that can exist; another one is
acknowledged and changes nothing. Neighbours: `exchange.py` and `adoption.py` (ask), `reports.py`.
"""

from __future__ import annotations

from typing import Final

from mapreduce.ids import AttemptId, Kind
from mapreduce.protocol import (
    AttemptCancelled,
    AttemptFailed,
    Cleaned,
    JournalPage,
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
    SegmentsLost,
    Staged,
)
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.workers import Worker

KINDS: Final[dict[type, Kind]] = {
    MapSucceeded: "map",
    MapPartSucceeded: "map",
    ReduceSucceeded: "reduce",
    SegmentsLost: "reduce",
    ProgramLoaded: "load",
    PlanPageMade: "plan",
    PlanFinished: "plan",
    JournalPage: "open",
    Opened: "open",
    OutputContested: "open",
    Staged: "stage",
    Published: "publish",
    Cleaned: "clean",
}
_OF_WORKERS: Final = frozenset(("map", "reduce", "load"))


def attempt(book: Book, attempt_id: AttemptId) -> bool:
    """Tell whether a master can have given this attempt; the plan must be known."""
    task = attempt_id.task
    table = book.tasks[task.kind]
    if task.step != table.step or not 0 <= task.index < table.count or attempt_id.epoch > book.epoch:
        return False
    return attempt_id.epoch < book.epoch or attempt_id.number < table.given(task.index)


def report(book: Book, worker: Worker, outcome: Outcome, attempt_id: AttemptId) -> bool:
    """Tell whether a report may be applied."""
    kind = attempt_id.task.kind
    if (kind in _OF_WORKERS) != (worker.role == "worker"):
        return False
    if not isinstance(outcome, (AttemptFailed, AttemptCancelled)) and kind != KINDS[type(outcome)]:
        return False
    match outcome:
        case Staged():
            source = outcome.source.task
            if worker.index != 0 or source.kind not in ("map", "reduce"):
                return False
            return attempt_id.task.index == source.index == outcome.partition
        case MapPartSucceeded() if book.has_reduce is True:
            return False
        case MapSucceeded() if book.map_only:
            return False
        case _:
            return not book.rebuilt or attempt(book, attempt_id)
