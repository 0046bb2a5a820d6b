"""The life of attempts: given, taken over, ended, cancelled, put back.

Every change of who runs what goes through here, so that a task's state, its live attempts, slots
and history agree. Neighbours: `scheduling.py` and `storage.py` give attempts, `reports.py` and
`fleet.py` end them, `failures.py` charges for them.
"""

from __future__ import annotations

from typing import Final, NotRequired, TypedDict

from mapreduce.ids import AttemptId, Kind
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.states import JobState, TaskState
from mapreduce_operator.core.tasks import Attempt
from mapreduce_operator.core.workers import Worker

DISCARDS: Final = 10_000
"""Results that a worker may still have to be told to delete; those beyond stay until it ends."""


class Cost(TypedDict):
    """Fields of the event of an attempt's end."""

    slot: int
    peak_memory: int
    cpu: NotRequired[float]
    waited: NotRequired[float]


def give(book: Book, worker: Worker, kind: Kind, index: int, *, alone: bool = False) -> Attempt:
    """Give a new attempt of a task to a worker; it goes out with the worker's next answer."""
    table = book.tasks[kind]
    attempt = Attempt(table.new_attempt(index, book.epoch), worker, book.now)
    attempt.alone = alone
    # Until it says otherwise it waits, so that whatever needs its slot can have it.
    attempt.early = attempt.waiting = kind == "reduce" and book.state is JobState.MAPPING
    _hand_out(book, attempt)
    if kind != "publish":
        book.record("Assigned", attempt=attempt.id, worker=worker, reason="Early" if attempt.early else "")
    return attempt


def back_up(book: Book, slow: Attempt, worker: Worker, message: str) -> None:
    """Give a slow attempt's task to another worker as well; the first that finishes counts."""
    task = slow.id.task
    name = book.tasks[task.kind].new_attempt(task.index, book.epoch, speculative=True)
    attempt = Attempt(name, worker, book.now)
    attempt.speculative = True
    slow.backed_up_by = worker
    slow.backups += 1
    attempt.backups = slow.backups
    _hand_out(book, attempt)
    book.record("Assigned", attempt=name, worker=worker, reason="Speculative", message=message)


def _hand_out(book: Book, attempt: Attempt) -> None:
    _begin(book, attempt)
    attempt.worker.free -= 1
    book.news.add(attempt.worker.number)


def adopt(book: Book, worker: Worker, attempt_id: AttemptId) -> Attempt:
    """Take over an attempt of an older epoch that a worker runs."""
    attempt = Attempt(attempt_id, worker, book.now)
    attempt.alone = attempt_id.task.index in book.tasks[attempt_id.task.kind].alone
    attempt.started = True
    _begin(book, attempt)
    worker.free = min(worker.free, worker.slots - len(worker.attempts))
    put_back(book, attempt_id.task.kind, attempt_id.task.index)
    book.record("Started", attempt=attempt_id, worker=worker, message="taken over")
    return attempt


def _begin(book: Book, attempt: Attempt) -> None:
    table = book.tasks[attempt.id.task.kind]
    table.move(attempt.id.task.index, "assigned")
    table.add_live(attempt)
    attempt.worker.attempts[attempt.id] = attempt


def end(book: Book, attempt: Attempt) -> bool:
    """Forget an attempt that has ended; tell whether it still counted for its task."""
    attempt.worker.attempts.pop(attempt.id, None)
    if attempt.cancel and attempt.started:
        gave_back(book, attempt)
    return book.tasks[attempt.id.task.kind].remove_live(attempt)


def seconds(book: Book, attempt: Attempt) -> float:
    """Return how long an attempt that just finished took; 0 of one that an older master gave."""
    return book.now - attempt.began if attempt.id.epoch == book.epoch else 0.0


def cost(attempt: Attempt) -> Cost:
    """Return what the event of an attempt's end says of its slot, if the history has not said it, and of its cost."""
    spent = attempt.spent
    told = Cost(slot=-1 if attempt.slot_told else attempt.slot, peak_memory=spent.peak_memory)
    if spent.cpu_ms:
        told["cpu"] = spent.cpu_ms / 1000
    if spent.waited_ms:
        told["waited"] = spent.waited_ms / 1000
    return told


def gave_back(book: Book, attempt: Attempt) -> None:
    """Note that an attempt which was cancelled has its slot no more."""
    book.record("Ended", attempt=attempt.id, worker=attempt.worker, **cost(attempt))


def end_in_vain(book: Book, attempt: Attempt) -> None:
    """Note that what an attempt made is of no use: another one was faster."""
    book.record("Cancelled", attempt=attempt.id, worker=attempt.worker, reason="Cancelled")
    gave_back(book, attempt)
    discard(book, attempt.worker, attempt.id)


def is_spare(book: Book, attempt: Attempt) -> bool:
    """Tell whether an attempt that has ended was a backup, and its task runs on without it."""
    table, index = book.tasks[attempt.id.task.kind], attempt.id.task.index
    return attempt.speculative and any(other.worker.usable for other in table.live_attempts(index))


def put_off(book: Book, attempt: Attempt, pause: float = 0.0) -> None:
    """Let a reduce wait again whose attempt gathered early and has ended; that attempt does not count.

    pause: seconds for which it does not begin early again, twice as many each time.
    """
    table, index = book.tasks["reduce"], attempt.id.task.index
    before = table.too_early.get(index, 0)
    table.too_early[index] = before + 1
    if pause:
        table.paused[index] = book.now + pause * 2 ** min(before, 6)
    put_back(book, "reduce", index)


def cancel(book: Book, attempt: Attempt, reason: str) -> None:
    """Let an attempt count no more. It keeps its slot until its worker says that it is gone."""
    table = book.tasks[attempt.id.task.kind]
    if not table.remove_live(attempt):
        return
    book.record("Cancelled", attempt=attempt.id, worker=attempt.worker, reason=reason)
    attempt.cancel = reason
    attempt.told = 0
    if attempt.sent == 0 and not attempt.started:
        attempt.worker.attempts.pop(attempt.id, None)
        attempt.worker.free += 1
        book.registry.maybe_free.add(attempt.worker.number)
    book.news.add(attempt.worker.number)


def costs_nothing(book: Book, attempt: Attempt) -> bool:
    """Tell whether no budget pays for an attempt that has ended through no fault of its code."""
    return attempt.gathers_early or is_spare(book, attempt)


def cancel_all(book: Book, kind: Kind, index: int, reason: str, keep: Attempt | None = None) -> None:
    """Cancel every attempt of a task that counts, but `keep`."""
    for attempt in book.tasks[kind].live_attempts(index):
        if attempt is not keep:
            cancel(book, attempt, reason)


def put_back(book: Book, kind: Kind, index: int) -> None:
    """Let a task wait again if nothing runs it that can be relied on.

    An attempt on a worker that is ending may still win, but is not relied on.
    """
    table = book.tasks[kind]
    relied_on = any(attempt.worker.usable for attempt in table.live_attempts(index))
    if table.is_in(index, TaskState.RUNNING) and not relied_on:
        table.move(index, "put_back")


def discard(book: Book, worker: Worker, attempt_id: AttemptId) -> None:
    """Let a worker delete the result of an attempt."""
    if worker.alive and len(worker.discard) < DISCARDS:
        worker.discard.setdefault(attempt_id, 0)
        book.news.add(worker.number)
