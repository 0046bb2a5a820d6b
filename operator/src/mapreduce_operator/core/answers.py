"""What a worker is told: when there is something to say, and all of it in one answer.

A request is answered as soon as there is news for its worker, and with nothing at the beat.
Neighbours: `exchange.py` (parks requests), `outputs.py` (locations), `journal.py` (frames).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from mapreduce import protocol, tickets
from mapreduce.history import Frame
from mapreduce.ids import AttemptId
from mapreduce.plan import Split
from mapreduce.protocol import (
    Answer,
    Assignment,
    CleanUp,
    LoadProgram,
    Locations,
    MakePlan,
    OpenOutput,
    PublishOutput,
    RunMap,
    RunReduce,
    StagePart,
)
from mapreduce_operator.core import divide, left_records, manifest
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.events import Reply
from mapreduce_operator.core.states import JobState
from mapreduce_operator.core.tasks import Attempt
from mapreduce_operator.core.workers import Worker

ASSIGNMENT_ROOM: Final = 6 << 20
"""Bytes of assignments in one answer, unless a single one takes more; the rest of the body is for a
page of the journal or of locations."""

DISCARD_PAGE: Final = 1000
"""Results to delete that one answer names."""

_decode_split = msgspec.msgpack.Decoder(Split).decode


def send(book: Book) -> None:
    """Answer the parked requests that have news."""
    for number in sorted(book.news):
        worker = book.registry.by_number(number)
        if worker.parked is not None and _has_news(book, worker):
            _answer(book, worker)
    book.news.clear()


def beat(book: Book) -> None:
    """Answer what was parked for a beat, and gateways whose frames were kept back long enough."""
    for worker in book.registry.alive():
        if worker.parked is None:
            continue
        if book.now - worker.parked.since >= book.spec.timing.beat or _journal_due(book, worker):
            _answer(book, worker)


def finish(book: Book, worker: Worker) -> None:
    """Tell a worker that the job is over, if it waits for an answer."""
    if worker.parked is not None:
        worker.answered += 1
        answer = Answer(
            epoch=book.epoch,
            number=worker.answered,
            acknowledged=worker.applied,
            beat=book.spec.timing.beat,
            finished=True,
        )
        book.commands.append(Reply(worker.parked.number, answer))
        worker.parked = None


def _has_news(book: Book, worker: Worker) -> bool:
    """Tell whether a worker must be answered at once. While maps run, new places of outputs wait for the beat: each map
    that ends changes them, and a reduce that gathers early is in no hurry."""
    return (
        worker.prompt
        or worker.told_address != book.input_address
        or any(told == 0 for told in worker.discard.values())
        or any(told == 0 for told in worker.unwanted.values())
        or any(_is_news(attempt) for attempt in worker.attempts.values())
        or (book.state is not JobState.MAPPING and _locations_due(book, worker))
        or _journal_due(book, worker)
    )


def _is_news(attempt: Attempt) -> bool:
    if attempt.cancel or attempt.asked_at:
        return attempt.told == 0
    return not attempt.started and attempt.sent == 0


def _locations_due(book: Book, worker: Worker) -> bool:
    return worker.locations_seen < book.outputs.version and worker.reduces()


def _journal_due(book: Book, worker: Worker) -> bool:
    return worker.opened and worker.index == 0 and book.journal.due(worker.journal_sent, book.now)


def _answer(book: Book, worker: Worker) -> None:
    parked = worker.parked
    if parked is None:
        return
    worker.parked = None
    worker.prompt = False
    worker.answered += 1
    discard = tuple(islice(worker.discard, DISCARD_PAGE))
    answer = Answer(
        epoch=book.epoch,
        number=worker.answered,
        acknowledged=worker.applied,
        assignments=_assignments(book, worker),
        cancellations=tuple(_cancellations(worker)),
        hanging=tuple(_hanging(worker)),
        locations=_locations(book, worker),
        journal=_frames(book, worker),
        input_address=book.input_address,
        held_seen=worker.held_seen,
        discard=discard,
        beat=book.spec.timing.beat,
    )
    for attempt_id in discard:
        worker.discard[attempt_id] = worker.discard[attempt_id] or worker.answered
    worker.told_address = answer.input_address
    book.commands.append(Reply(parked.number, answer))


def _assignments(book: Book, worker: Worker) -> tuple[Assignment, ...]:
    """What was not told, or told in an answer that was not seen, as much as fits.

    What an earlier answer told and this one has no room for counts as never told: else it would
    count as left alone once this answer is seen.
    """
    due = [
        attempt
        for attempt in worker.attempts.values()
        if not attempt.cancel and not attempt.started and not 0 < attempt.sent <= worker.seen
    ]
    told = tuple(fitting((assignment(book, attempt) for attempt in due), ASSIGNMENT_ROOM))
    for position, attempt in enumerate(due):
        attempt.sent = worker.answered if position < len(told) else 0
    return told


def fitting(messages: Iterable[Assignment], room: int) -> Iterator[Assignment]:
    """Yield the first messages that take at most `room` bytes together when encoded, and always one."""
    for position, message in enumerate(messages):
        room -= len(protocol.encode(message))
        if position and room < 0:
            return
        yield message


def _cancellations(worker: Worker) -> list[AttemptId]:
    found = list(worker.unwanted)
    worker.unwanted = dict.fromkeys(found, worker.answered)
    for attempt in worker.attempts.values():
        if attempt.cancel:
            attempt.told = worker.answered
            found.append(attempt.id)
    return found


def _hanging(worker: Worker) -> list[AttemptId]:
    asked = [attempt for attempt in worker.attempts.values() if attempt.asked_at and not attempt.cancel]
    for attempt in asked:
        attempt.told = worker.answered
    return [attempt.id for attempt in asked]


def _locations(book: Book, worker: Worker) -> Locations | None:
    if not _locations_due(book, worker):
        return None
    return book.outputs.since(worker.locations_seen, book.registry)


def _frames(book: Book, worker: Worker) -> tuple[Frame, ...]:
    if not worker.opened or worker.index != 0:
        return ()
    frames = book.journal.page()
    if frames:
        worker.journal_sent = frames[-1].sequence
    return frames


# --- assignments --------------------------------------------------------------------------------


def assignment(book: Book, attempt: Attempt) -> Assignment:
    """Return the message that assigns an attempt."""
    task = attempt.id.task
    match task.kind:
        case "map":
            return RunMap(
                attempt=attempt.id,
                split=_decode_split(book.splits[task.index]),
                ticket=book.input_ticket(),
                makes_part=book.map_only,
                samples=divide.samples(book, task.index),
                alone=attempt.alone,
            )
        case "reduce":
            return RunReduce(
                attempt=attempt.id,
                partition=task.index,
                maps=book.outputs.count,
                ticket=book.ticket(tickets.partition_scope(task.step, task.index)),
                key_type=book.key_type,
                range=divide.range_of(book, task.index),
                alone=attempt.alone,
            )
        case "stage":
            return _stage(book, attempt)
        case "load":
            return LoadProgram(attempt=attempt.id)
        case "open":
            live, dead = sorted(book.live_jobs), sorted(book.dead_jobs)
            judge = book.context.judge
            return OpenOutput(attempt=attempt.id, live_jobs=tuple(live), dead_jobs=tuple(dead), judge=judge)
        case "plan":
            return MakePlan(attempt=attempt.id)
        case "publish":
            return PublishOutput(
                attempt=attempt.id,
                journal_through=book.journal.last,
                parts=book.producers.count,
                left_out=tuple(sorted(task.index for task in book.left_out if task.kind == book.producers.kind)),
                manifest=manifest.make(book),
                bad=left_records.in_order(book),
            )
        case _:
            mode = book.ending.mode if book.ending is not None else "failed"
            return CleanUp(attempt=attempt.id, mode="deleted" if mode == "deleted" else "failed")


def _stage(book: Book, attempt: Attempt) -> StagePart:
    partition = attempt.id.task.index
    part = book.parts[partition]
    holder = book.registry.by_number(part.worker)
    return StagePart(
        attempt=attempt.id,
        partition=partition,
        source=part.attempt,
        address=holder.address,
        directory=holder.directory,
        ticket=book.ticket(tickets.part_scope(str(part.attempt))),
        checksum=part.checksum,
        rows=part.rows,
        size=part.size,
        records=part.records,
        counters=part.counters,
        bad=part.bad,
    )
