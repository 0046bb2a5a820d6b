"""What people see of a job, made of the book; and why it waits, in plain words.

Neighbours: `suspension.py` (what is said of a job that is suspended), `master.py` publishes the
status when it changed; the shells render it.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from mapreduce.ids import Kind
from mapreduce_operator.core import stuck, suspension
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.events import Charges, Condition, JobStatus, PhaseCounts, PublishStatus
from mapreduce_operator.core.states import JobState, TaskState, WorkerState

NAMED_TASKS: Final = 20
"""Tasks that a status and a message name, the first ones; the schema of the resource takes no more."""
_PHASES: dict[
    JobState,
    Literal["Pending", "Planning", "Mapping", "Reducing", "Publishing", "Succeeded", "Failed", "Suspended"],
] = {
    JobState.PENDING: "Pending",
    JobState.PLANNING: "Planning",
    JobState.MAPPING: "Mapping",
    JobState.REDUCING: "Reducing",
    JobState.PUBLISHING: "Publishing",
    JobState.SUCCEEDED: "Succeeded",
    JobState.FAILED: "Failed",
    JobState.SUSPENDED: "Suspended",
}


def publish(book: Book) -> None:
    """Publish the status if it is another one than before."""
    made = make(book)
    if made != book.published_status:
        book.published_status = made
        book.commands.append(PublishStatus(made))


def make(book: Book) -> JobStatus:
    """Return the status as it is now."""
    ready = book.registry.ready
    moves = book.state in (JobState.MAPPING, JobState.REDUCING) and ready > 0
    waits = "" if book.over else _hindrance(book) if moves else waiting_for(book)
    _set_conditions(book, ready)
    return JobStatus(
        phase=_PHASES[book.state],
        conditions=tuple(book.conditions.values()),
        start_wall=book.started_wall,
        completion_wall=book.completed_wall,
        maps=_counts(book, "map"),
        reduces=_counts(book, "reduce"),
        workers_desired=book.wanted.workers,
        workers_ready=ready,
        records=book.done_records,
        size=book.done_size,
        total_size=book.header.size if book.header is not None else 0,
        counters=counters(book),
        last_failures=tuple(book.last_failures),
        charges=Charges(
            user=book.charges["user"], disruption=book.charges["disruption"], segments=book.charges["segments"]
        ),
        failed_tasks=failed_tasks(book),
        bad_records=bad_count(book),
        skew=book.sizes.told,
        output=book.summary,
        message=waits,
    )


def counters(book: Book) -> dict[str, int]:
    """Return the sums of what user code counted; those of an output that was found published are in it."""
    published = book.summary.counters if book.summary is not None else {}
    return published or book.tally.totals()


def failed_tasks(book: Book) -> tuple[str, ...]:
    """Return the names of the first tasks that are left out; the manifest names all."""
    published = book.summary.left_out if book.summary is not None else ()
    return published[:NAMED_TASKS] or tuple(str(task) for task in book.left_out[:NAMED_TASKS])


def bad_count(book: Book) -> int:
    """Return how many records are left out; those of an output that was found published are in it."""
    published = book.summary.bad_records if book.summary is not None else 0
    return published or book.bad_count


def _counts(book: Book, kind: Kind) -> PhaseCounts:
    table = book.tasks[kind]
    counts = table.counts
    return PhaseCounts(
        total=table.count,
        active=counts[TaskState.RUNNING] + counts[TaskState.STAGING],
        succeeded=counts[TaskState.SUCCEEDED],
        failed=counts[TaskState.FAILED],
        retried=table.again,
        speculative=table.speculative,
    )


def _set_conditions(book: Book, ready: int) -> None:
    desired = book.wanted.workers
    suspended = book.state is JobState.SUSPENDED
    if suspended:
        _set(book, "WorkersReady", False, suspension.SUSPENDED, suspension.SHORT)
    elif not book.over:
        enough = ready >= desired
        reason, message = ("Running", "") if enough else _missing_worker(book)
        told = f"{ready} of {desired} workers are registered"
        _set(book, "WorkersReady", enough, reason or "Unready", f"{told}; {message}" if message else told)
    elif "WorkersReady" in book.conditions:
        _set(book, "WorkersReady", False, "JobEnded", "the job is over, and its workers are stopped")
    if suspended:
        _put(book, suspension.begun(book.at.wall))
    elif "Suspended" in book.conditions:
        _put(book, suspension.over(book.at.wall))
    if book.state is JobState.SUCCEEDED:
        _set(book, "Complete", True, "Succeeded", _published(book))
    if book.state is JobState.FAILED and book.failure is not None:
        _set(book, "Failed", True, book.failure.reason, book.failure.message)


def _published(book: Book) -> str:
    named = failed_tasks(book)
    if not named:
        return "the output is published"
    count = len(book.summary.left_out) if book.summary is not None else len(book.left_out)
    more = f" and {count - len(named)} more" if count > len(named) else ""
    return f"the output is published, but without {', '.join(named)}{more}, which failed"


def _set(
    book: Book, kind: Literal["Complete", "Failed", "WorkersReady", "Suspended"], holds: bool, reason: str, message: str
) -> None:
    status: Literal["True", "False"] = "True" if holds else "False"
    _put(book, Condition(type=kind, status=status, reason=reason, message=message, since=book.at.wall))


def _put(book: Book, condition: Condition) -> None:
    """Change a condition; `since` moves only when its status does."""
    before = book.conditions.get(condition.type)
    if before is not None and before.status == condition.status:
        condition = msgspec.structs.replace(condition, since=before.since)
    book.conditions[condition.type] = condition


# --- why it waits -------------------------------------------------------------------------------


def waiting_for(book: Book) -> str:
    """Return why the job does not move, or nothing if nobody knows of a reason."""
    if book.state is JobState.SUSPENDED:
        return suspension.MESSAGE
    if book.input_problem.reason:
        return f"{book.input_problem.reason}: {book.input_problem.message}"
    reason, message = _missing_worker(book)
    if reason:
        return f"{reason}: {message}"
    return _store_trouble(book) or _missing(book)


def _hindrance(book: Book) -> str:
    """Return what keeps a job that moves from moving faster."""
    return _missing_gateway(book) or _store_trouble(book) or stuck.told(book)


def _missing_worker(book: Book) -> tuple[str, str]:
    """Return the reason and message for which a worker or gateway is not there, if somebody said one."""
    for seat in book.registry.seats.values():
        worker = seat.worker
        if worker is not None and worker.state is WorkerState.EXPECTED and worker.reason:
            return worker.reason, worker.message or worker.name
        if seat.waiting_for[0]:
            return seat.waiting_for
    return "", ""


def _missing_gateway(book: Book) -> str:
    if book.output_gateway is None:
        return "waiting for the gateway to register"
    if book.input_gateway is None:
        return "waiting for the input's gateway to register"
    return ""


def _store_trouble(book: Book) -> str:
    """What the store said when it failed; the task is tried again after a pause."""
    if book.journal_trouble is not None:
        return f"the journal cannot be written: {book.journal_trouble.message}"
    kinds: tuple[Kind, ...] = ("open", "plan", "publish")
    for kind in kinds:
        if book.tasks[kind].paused and book.last_failures:
            return f"{kind} is tried again: {book.last_failures[-1].message}"
    return ""


def _missing(book: Book) -> str:
    if book.context.resumed and not book.listed:
        return "waiting for the list of the job's Pods"
    if book.output_gateway is None:
        return _missing_gateway(book)
    if book.sought:
        return f"finding out whether jobs that left something at the output live: {', '.join(book.sought)}"
    if not book.grace_over:
        return "waiting for the workers to register again"
    if book.input_gateway is None:
        return _missing_gateway(book)
    if not book.registry.ready:
        return "waiting for a worker to register"
    return ""
