"""Taking over what a worker announced at its registration: outputs that it holds, attempts that it runs.

A worker may register before the plan is known, after a restart of the master. What it holds is not
heard until the journal was read, and nothing of it is kept: the worker names it again. Then each page
is taken over as it comes, and after the last one what the worker does not name is lost.
Neighbours: `registration.py`, `rebuild.py`, `exchange.py` (the callers), `maps.py`.
"""

from __future__ import annotations

import msgspec

from mapreduce.ids import AttemptId
from mapreduce.protocol import Exchange, MapOutput, Register
from mapreduce_operator.core import attempts, credible, maps, parts, shape, skew
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.states import TaskState
from mapreduce_operator.core.workers import Worker


def take_over(book: Book, worker: Worker) -> None:
    """Take over what a worker announced, if the plan is known and it has named all that it holds; a
    gateway announces nothing."""
    if not book.rebuilt or worker.role != "worker" or not worker.session or worker.taken_over:
        return
    if worker.held_seen < worker.held_total:
        return
    worker.taken_over = True
    running = worker.offered_running
    gone = [index for index in sorted(worker.unnamed) if book.outputs.holder[index] == worker.number]
    worker.forget_offers()
    maps.lose(book, gone, worker, "WorkerLost")
    for attempt_id in running:
        _take_attempt(book, worker, attempt_id)
    _take_parts(book, worker)


def _take_parts(book: Book, worker: Worker) -> None:
    """Let parts be staged that an older master was told of, and that this worker still has.

    If it has them no more, staging fails, and they are made again.
    """
    for index in [index for index, (_, name) in book.made.items() if name == worker.name]:
        part, _ = book.made.pop(index)
        table = book.producers
        awaited = table.is_in(index, TaskState.WAITING) or table.is_in(index, TaskState.RUNNING)
        if awaited and not book.over and part.attempt not in worker.attempts:
            parts.offer(book, index, msgspec.structs.replace(part, worker=worker.number), sequence=0)


def begin(book: Book, worker: Worker, body: Register) -> None:
    """Take in what a registration announces."""
    worker.forget_offers()
    worker.offered_running = body.running
    worker.unnamed = set(book.outputs.held_by(worker.number))
    worker.held_seen, worker.held_total = 0, body.held_total
    worker.taken_over = False


def hear_first(book: Book, worker: Worker, body: Register) -> None:
    """Take in the page of held outputs that came with the registration."""
    _hear(book, worker, body.held)
    take_over(book, worker)


def hear(book: Book, worker: Worker, body: Exchange) -> None:
    """Take in a page of held outputs, where it goes on from what is here."""
    if body.held_from > worker.held_seen:
        return
    if _hear(book, worker, body.held[worker.held_seen - body.held_from :]):
        worker.prompt = True
        take_over(book, worker)


def ask_again(book: Book, worker: Worker) -> None:
    """The plan is known now: a worker that holds something is answered, so that it names it again."""
    if worker.session and worker.held_seen < worker.held_total:
        worker.prompt = True
        book.news.add(worker.number)


def _hear(book: Book, worker: Worker, new: tuple[MapOutput, ...]) -> bool:
    """Take over what a page names, if the plan is known; tell whether there was something.

    Before that not even a page is kept: any bound would be shared with jobs whose plan never comes.
    """
    # More than it said that it has is not looked at: it would have no end.
    new = new[: max(0, worker.held_total - worker.held_seen)]
    if not new or not book.rebuilt or worker.role != "worker":
        return False
    worker.held_seen += len(new)
    book.named_at = book.now
    for output in new:
        if book.outputs.is_current(output.attempt, worker.number):
            worker.unnamed.discard(output.attempt.task.index)
        _take_output(book, worker, output)
    return True


def _take_output(book: Book, worker: Worker, output: MapOutput) -> None:
    attempt_id, outputs = output.attempt, book.outputs
    index = attempt_id.task.index
    if outputs.is_current(attempt_id, worker.number) or attempt_id in worker.attempts:
        return
    # Once the output is being published the history is closed: another attempt's counters would be none of it.
    wanted = not book.map_only and attempt_id.task.kind == "map" and not book.journal.closed
    wanted = wanted and credible.attempt(book, attempt_id)
    if wanted and book.tasks["map"].is_in(index, TaskState.SUCCEEDED) and index not in outputs.orphans:
        wanted = False
    if wanted and book.tasks["map"].is_in(index, TaskState.FAILED):
        wanted = False
    if not wanted:
        if credible.attempt(book, attempt_id):
            attempts.discard(book, worker, attempt_id)
        return
    shape.learn(book, has_reduce=True)
    book.record(
        "Held",
        attempt=attempt_id,
        worker=worker,
        checksum=output.checksum,
        rows=output.rows,
        size=output.size,
        records=output.records,
        counters=output.counters,
        bad=output.bad,
    )
    if maps.accepts(book, output):
        maps.note(book, index, output.records, output.counters, output.bad)
        skew.note_keys(book, output)
        maps.keep(book, output, worker)


def _take_attempt(book: Book, worker: Worker, attempt_id: AttemptId) -> None:
    kind, index = attempt_id.task.kind, attempt_id.task.index
    if attempt_id in worker.attempts or attempt_id.epoch >= book.epoch or kind not in ("map", "reduce"):
        return
    if book.journal.closed:
        return
    table = book.tasks[kind]
    if not 0 <= index < table.count or attempt_id.task.step != table.step:
        return
    orphan = kind == "map" and index in book.outputs.orphans
    wanted = table.is_in(index, TaskState.WAITING) or table.is_in(index, TaskState.RUNNING)
    if not wanted and not orphan:
        return
    if orphan:
        maps.run_again(book, index)
    if kind == "reduce":
        shape.learn(book, has_reduce=True)
    attempts.adopt(book, worker, attempt_id)
