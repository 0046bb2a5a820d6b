"""The workers and gateways as a whole: started, seen by the platform, silent, lost, replaced.

There is a seat for each worker and gateway that the job asks for; whoever is lost, or a worker
that is ending, frees its seat, and the next incarnation takes it under a name of its own. A gateway
is replaced only when it is gone, since two must not write to one claim.
Neighbours: `attempts.py`, `failures.py`, `maps.py`, `parts.py` (what is lost with a worker).
"""

from __future__ import annotations

from typing import Final

from mapreduce_operator.core import answers, attempts, failures, maps, naming, parts, policies, storage, stuck
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.events import (
    Refuse,
    StartWorker,
    StopWorker,
    WorkerClosed,
    WorkerNotStarted,
    WorkerSeen,
    WorkersListed,
)
from mapreduce_operator.core.naming import Place
from mapreduce_operator.core.states import JobState, TaskState, WorkerState
from mapreduce_operator.core.workers import Worker

REGISTRATION_LEASES: Final = 4
"""Leases within which a worker that runs must have registered."""
LIST_DELAY: Final = 5.0
"""A LIST may have been made before a worker that was first seen so many seconds ago."""
REFUSED_PAUSE: Final = 1.0
"""Seconds to wait at least after the platform refused to start somebody."""
UNSEEN_SECONDS: Final = 60.0
"""A worker that was asked for so long ago and that a LIST still lacks was never made."""


def lay_seats(book: Book) -> None:
    """Make the seats that the job asks for."""
    for index in range(2 if book.spec.separate_input else 1):
        book.registry.lay("gateway", index, book.next_incarnation)
    lay_worker_seats(book)


def lay_worker_seats(book: Book) -> None:
    """Make as many seats for workers as are wanted; whoever loses its seat drains."""
    for index in range(book.wanted.workers):
        if ("worker", index) not in book.registry.seats:
            book.registry.lay("worker", index, book.next_incarnation)
    for role, index in list(book.registry.seats):
        if role == "worker" and index >= book.wanted.workers:
            book.registry.take_away(role, index)
    for worker in book.registry.alive("worker"):
        if worker.surplus and worker.usable:
            book.registry.take_seat(worker)
    book.wake_all()


def fill_seats(book: Book) -> None:
    """Start whoever is missing; after a restart only when the platform was listed."""
    if book.context.resumed and not book.listed:
        return
    if not book.registry.vacant:
        return
    for role, index in sorted(book.registry.vacant):
        seat = book.registry.seats[role, index]
        if seat.not_before > book.now or not book.wants(role):
            continue
        if role == "worker" and book.state is JobState.PUBLISHING:
            continue
        place = Place(role, index, book.epoch, seat.number)
        seat.number += 1
        book.next_incarnation = max(book.next_incarnation, seat.number)
        worker = book.registry.add(naming.worker(book.spec, place), place)
        worker.began = book.now
        book.registry.take_seat(worker)
        book.commands.append(
            StartWorker(
                name=worker.name,
                role=role,
                index=index,
                incarnation=place.incarnation,
                serves_input=role == "gateway" and (index == 1 or not book.spec.separate_input),
                serves_output=role == "gateway" and index == 0,
            )
        )


# --- what the platform tells ------------------------------------------------------------------


def listed(book: Book, event: WorkersListed) -> None:
    """Take the whole truth: who was seen before and is not in it is gone."""
    present = {seen.uid for seen in event.workers}
    first = not book.listed
    book.listed = True
    # The newest of a seat first, so that it takes the seat and the older ones are let go.
    for seen in sorted(event.workers, key=_by_age, reverse=True):
        changed(book, seen)
    for worker in book.registry.alive():
        known = worker.seen_by_platform and book.now - worker.seen_since >= LIST_DELAY
        if known and worker.uid not in present:
            lose(book, worker, "PodDeleted", "it is not in the API any more")
        elif not worker.seen_by_platform and not worker.session and book.now - worker.began > UNSEEN_SECONDS:
            _not_started(book, worker, "WorkerLost", "the platform knows nothing of it")
    if first:
        _send_the_surplus_away(book)


def _send_the_surplus_away(book: Book) -> None:
    """Who registered before the first LIST may have a seat that a newer one has too."""
    for worker in book.registry.alive():
        drains = worker.state is WorkerState.DRAINING or worker.surplus
        if not drains and not book.registry.take_seat(worker):
            lose(book, worker, "WorkerLost", "its place is taken")


def _by_age(seen: WorkerSeen) -> tuple[bool, int, int]:
    place = naming.read(seen.name)
    return seen.state in ("pending", "running"), place.epoch if place else 0, place.number if place else 0


def changed(book: Book, seen: WorkerSeen) -> None:
    """Take what the platform tells of one worker."""
    worker = book.registry.by_name(seen.name)
    if worker is None:
        worker = _stranger(book, seen)
    if worker is None or worker.uid not in ("", seen.uid):
        return
    if not worker.alive:
        if seen.state in ("pending", "running"):
            book.commands.append(StopWorker(name=seen.name, uid=seen.uid, reason="it was given up"))
        return
    _note_seen(book, worker, seen)
    match seen.state:
        case "running":
            if worker.state is WorkerState.EXPECTED:
                worker.began = book.now
            book.registry.move(worker, "seen_running")
        case "ending":
            if seen.reason:
                book.announce_once("Warning", seen.reason, f"{worker.name}: {seen.message}")
            drain(book, worker)
        case "gone":
            lose(book, worker, seen.reason or "WorkerLost", seen.message, oom=seen.oom)
        case _:
            pass


def _note_seen(book: Book, worker: Worker, seen: WorkerSeen) -> None:
    worker.uid = seen.uid
    worker.node = seen.node
    if not worker.seen_by_platform:
        worker.seen_by_platform = True
        worker.seen_since = book.now
    seat = book.registry.seats.get((worker.role, worker.index))
    if seat is not None and seat.worker is worker:
        seat.waiting_for = ("", "")
    worker.reason, worker.message = (seen.reason, seen.message) if seen.state == "pending" else ("", "")
    if worker.reason:
        book.announce_once("Warning", worker.reason, worker.message)


def _stranger(book: Book, seen: WorkerSeen) -> Worker | None:
    """Somebody of an older epoch: takes its seat if that is free, may end in peace, or has to go.

    One that is too many since the job was scaled down may hold what is needed: it drains.
    """
    place = naming.read(seen.name)
    if seen.state == "gone" or place is None:
        return None
    free = (place.role, place.index) in book.registry.vacant or is_surplus(book, place)
    free = free and book.context.resumed and book.wants(place.role)
    if not free and seen.state != "ending":
        book.commands.append(StopWorker(name=seen.name, uid=seen.uid, reason="its place is taken"))
        return None
    worker = book.registry.add(seen.name, place)
    worker.began = book.now
    if seen.state != "ending":
        book.registry.take_seat(worker)
    worker.surplus = is_surplus(book, place)
    return worker


def is_surplus(book: Book, place: Place) -> bool:
    """Tell whether a worker's place is beyond those that are wanted."""
    return place.role == "worker" and place.index >= book.wanted.workers


def not_started(book: Book, event: WorkerNotStarted) -> None:
    """The platform refused to start a worker."""
    worker = book.registry.by_name(event.name)
    if worker is None or not worker.alive:
        return
    book.announce_once("Warning", event.reason, event.message)
    if event.final:
        book.fail(event.reason, event.message)
    else:
        _not_started(book, worker, event.reason, event.message)


def _not_started(book: Book, worker: Worker, reason: str, message: str) -> None:
    seat = book.registry.seats.get((worker.role, worker.index))
    lose(book, worker, reason, message)
    if seat is not None:
        seat.waiting_for = (reason, message)
        seat.not_before = max(seat.not_before, book.now + REFUSED_PAUSE)


def closed(book: Book, event: WorkerClosed) -> None:
    """The platform knows at once that a worker is gone."""
    worker = book.registry.by_name(event.name)
    if worker is not None and worker.alive:
        lose(book, worker, event.reason or "WorkerLost", event.message)


# --- time -------------------------------------------------------------------------------------


def expire(book: Book) -> None:
    """Give up whoever was silent for a lease, and whoever runs and never registered."""
    lease = book.spec.timing.lease
    for worker in book.registry.alive():
        if worker.session:
            if book.now - worker.heard > lease:
                lose(book, worker, "WorkerSilent", f"no word for {lease:g} s")
        elif worker.state is WorkerState.RUNNING and book.now - worker.began > REGISTRATION_LEASES * lease:
            lose(book, worker, "WorkerSilent", "it runs, but never registered")
    _replace_stuck(book)
    _replace_unreadable(book)


def _replace_stuck(book: Book) -> None:
    """Give up workers with a slot that cannot be ended: nobody would ever get that slot again, or the whole worker."""
    for worker in [book.registry.by_number(number) for number in sorted(book.registry.unended)]:
        found = stuck.oldest(book, worker)
        if found is None or worker.role != "worker":
            continue
        verdict = policies.stuck(str(found[0]), found[1], book.spec.timing.lease)
        if verdict is not None:
            lose(book, worker, verdict.reason, verdict.message)


def _replace_unreadable(book: Book) -> None:
    """Give up the worker from which others cannot read: one at a time, since with it gone others may be well again."""
    workers = book.registry.alive("worker")
    worst = max(workers, key=lambda worker: worker.unreadable, default=None)
    verdict = policies.holder(worst.unreadable) if worst is not None else None
    if worst is None or verdict is None:
        return
    lose(book, worst, verdict.reason, verdict.message)
    for worker in workers:
        worker.unreadable = 0


# --- going ------------------------------------------------------------------------------------


def drain(book: Book, worker: Worker) -> None:
    """A worker was told to stop: others take over what it runs, the first to finish wins."""
    if worker.state is WorkerState.DRAINING:
        return
    book.registry.move(worker, "ending")
    if worker.role == "worker":
        book.registry.leave_seat(worker)
    for attempt in list(worker.attempts.values()):
        if not attempt.started and attempt.sent == 0:
            failures.attempt_lost(book, attempt, "NotStarted", "its worker is ending")
        elif not attempt.cancel:
            attempts.put_back(book, attempt.id.task.kind, attempt.id.task.index)


def lose(book: Book, worker: Worker, reason: str, message: str = "", *, oom: bool = False) -> None:
    """Give up a worker or gateway, with all that it ran and held."""
    seat = book.registry.seats.get((worker.role, worker.index))
    if seat is not None and seat.worker is worker and not worker.boot:
        seat.failed_starts += 1
        pauses = policies.LAST_START_PAUSES if book.over else policies.START_PAUSES
        seat.not_before = book.now + policies.pause(seat.failed_starts, pauses)
    unasked = worker.state is not WorkerState.DRAINING
    book.registry.move(worker, "lost")
    worker.reason, worker.message = reason, message
    book.record("WorkerLost", worker=worker, reason=reason, message=message)
    book.announce("Warning", reason, f"{worker.name}: {message}" if message else worker.name)
    _release(book, worker, reason)
    book.registry.bury(worker)
    book.commands.append(StopWorker(name=worker.name, uid=worker.uid, reason=reason))
    for attempt in list(worker.attempts.values()):
        if unasked:
            failures.worker_died(book, attempt)
        failures.attempt_lost(book, attempt, reason, message, oom=oom)
    if worker.role == "gateway":
        storage.must_open_again(book, worker)
        book.wake_all()
        return
    for partition in [number for number, part in book.parts.items() if part.worker == worker.number]:
        if book.producers.is_in(partition, TaskState.STAGING):
            parts.lose(book, partition, reason)
    maps.lose(book, book.outputs.held_by(worker.number), worker, reason)


def stop(book: Book, worker: Worker, reason: str) -> None:
    """Stop somebody who has nothing left to do; what it ran and held is nobody's business any more."""
    answers.finish(book, worker)
    book.registry.move(worker, "lost")
    book.registry.bury(worker)
    worker.reason, worker.message = "NotWanted", reason
    book.commands.append(StopWorker(name=worker.name, uid=worker.uid, reason=reason))


def let_go(book: Book, worker: Worker) -> None:
    """Stop a worker that drained: nobody needs what it holds."""
    stop(book, worker, "nothing is left for it to do")
    book.record("WorkerLost", worker=worker, reason="NotNeeded", message="it drained")
    maps.lose(book, book.outputs.held_by(worker.number), worker, "NotNeeded")


def _release(book: Book, worker: Worker, reason: str) -> None:
    if worker.parked is not None:
        book.commands.append(
            Refuse(request=worker.parked.number, status=410, reason="NotWanted", message=f"given up: {reason}")
        )
        worker.parked = None
