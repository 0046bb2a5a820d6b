"""Taking over what a worker announced at its registration: outputs that it holds, attempts that it runs.

A worker may register before the plan is known, after a restart of the master; then this waits
until the journal was read. It also waits until the last page of held outputs has come: what a worker
does not name is lost. Neighbours: `registration.py`, `rebuild.py`, `exchange.py` (the callers), `maps.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from mapreduce.ids import AttemptId
from mapreduce.protocol import Exchange, MapOutput, Register
from mapreduce_operator.core import attempts, credible, maps, parts, shape
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.states import TaskState
from mapreduce_operator.core.workers import Worker

MOST_OFFERED: Final = 128 << 20
"""Bytes of announced outputs that a job's workers may make the master keep until it can take them over.

As much as the outputs of the largest plan take; what is beyond it counts as not named, and is made again.
"""
_BARE: Final = 500
"""Bytes that an announced output takes beside its texts, about."""
_TEXT: Final = 64
"""Bytes that a text takes beside its letters, about."""


def take_over(book: Book, worker: Worker) -> None:
    """Take over what a worker announced, if the plan is known and it has named all that it holds; a
    gateway announces nothing."""
    if not book.rebuilt or worker.role != "worker" or not worker.session or worker.taken_over:
        return
    if worker.held_seen < worker.held_total:
        return
    worker.taken_over = True
    held, running = worker.offered_held, worker.offered_running
    worker.forget_offers()
    _drop_missing(book, worker, held)
    for output in held:
        _take_output(book, worker, output)
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
    worker.held_seen, worker.held_total = 0, body.held_total
    worker.taken_over = False
    _offer(book, worker, body.held)


def hear(book: Book, worker: Worker, body: Exchange) -> None:
    """Take in a page of held outputs, where it goes on from what is here."""
    if body.held_from > worker.held_seen:
        return
    # More than it said that it has is not looked at: it would have no end.
    new = body.held[worker.held_seen - body.held_from :][: max(0, worker.held_total - worker.held_seen)]
    if not new:
        return
    _offer(book, worker, new)
    worker.prompt = True
    take_over(book, worker)


def _offer(book: Book, worker: Worker, new: Iterable[MapOutput]) -> None:
    """Keep what a worker announces, as far as there is room for it; all of it was seen."""
    room = MOST_OFFERED - sum(other.offered_size for other in book.registry.alive())
    for output in new:
        worker.held_seen += 1
        needed = size(output)
        if needed <= room:
            room -= needed
            worker.offered_size += needed
            worker.offered_held.append(output)


def size(output: MapOutput) -> int:
    """Return about how many bytes an announced output takes here."""
    texts = [output.checksum, output.key_at, *output.counters]
    for record in output.bad:
        texts += [record.file, record.message, record.record, record.traceback]
    return _BARE + sum(len(text) + _TEXT for text in texts)


def _drop_missing(book: Book, worker: Worker, held: list[MapOutput]) -> None:
    """What it was known to hold, and does not name, is lost."""
    names = {output.attempt for output in held}
    gone = [index for index in book.outputs.held_by(worker.number) if book.outputs.attempt(index) not in names]
    maps.lose(book, gone, worker, "WorkerLost")


def _take_output(book: Book, worker: Worker, output: MapOutput) -> None:
    attempt_id, outputs = output.attempt, book.outputs
    index = attempt_id.task.index
    if outputs.is_current(attempt_id, worker.number) or attempt_id in worker.attempts:
        return
    wanted = not book.map_only and attempt_id.task.kind == "map" and credible.attempt(book, attempt_id)
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
        maps.keep(book, output, worker)


def _take_attempt(book: Book, worker: Worker, attempt_id: AttemptId) -> None:
    kind, index = attempt_id.task.kind, attempt_id.task.index
    if attempt_id in worker.attempts or attempt_id.epoch >= book.epoch or kind not in ("map", "reduce"):
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
