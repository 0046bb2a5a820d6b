"""Sessions: who may register, and what a registration changes.

Neighbours: `adoption.py` (what the worker announced), `fleet.py` (who is expected),
`exchange.py` (what happens within a session).
"""

from __future__ import annotations

import msgspec

from mapreduce.program import Program
from mapreduce.protocol import VERSION, JobContext, Register, Registered
from mapreduce_operator.core import adoption, failures, fleet, naming, policies, storage, suspension, usage
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.entries import Failure
from mapreduce_operator.core.events import Refuse, Welcome, WorkerRegistered
from mapreduce_operator.core.workers import Worker


def registered(book: Book, event: WorkerRegistered) -> None:
    """Answer a registration with a session, or refuse it."""
    if event.body.version != VERSION:
        message = f"the worker speaks version {event.body.version} of the protocol, the master {VERSION}"
        book.commands.append(Refuse(request=event.request, status=426, reason="ProtocolVersion", message=message))
        return
    worker = book.registry.by_name(event.worker)
    problem = _problem(book, event, worker)
    place = naming.read(event.worker)
    if worker is None and place is not None and problem is None:
        worker = _newcomer(book, event.worker, place)
    if problem is not None or worker is None:
        reason, message = (problem.reason, problem.message) if problem is not None else ("NotWanted", event.worker)
        book.commands.append(Refuse(request=event.request, status=410, reason=reason, message=message))
        return
    _begin_session(book, worker, event)
    book.commands.append(Welcome(event.request, _welcome(book, worker)))
    adoption.hear_first(book, worker, event.body)
    if worker.role == "gateway":
        book.wake_all()


def _problem(book: Book, event: WorkerRegistered, worker: Worker | None) -> Failure | None:
    if not book.wants(event.body.role):
        return Failure("JobEnded", "the job is over" if book.over else suspension.SHORT)
    if worker is None and not _may_be_ours(book, event):
        return Failure("NotWanted", f"{event.worker} is no worker of this job")
    if worker is not None and (not worker.alive or worker.uid not in ("", event.uid)):
        return Failure("NotWanted", f"{event.worker} was given up: {worker.reason or 'it was replaced'}")
    if worker is not None and worker.role != event.body.role:
        return Failure("NotWanted", f"{event.worker} is a {worker.role}, and registered as a {event.body.role}")
    if event.body.engine != (wanted := _wanted_engine(book, event.body.engine)):
        message = f"the worker's engine is {event.body.engine}, the job is run with {wanted}"
        book.announce_once("Warning", "PodRefused", message)
        return Failure("EngineVersion", message)
    return None


def _wanted_engine(book: Book, offered: str) -> str:
    """The plan's engine. After a restart, before the plan was read, whatever the workers run:
    the job keeps the image that it was planned with, and this master may be a newer one."""
    if book.header is not None:
        return book.header.engine_version
    return offered if book.context.resumed else book.context.engine_version


def _may_be_ours(book: Book, event: WorkerRegistered) -> bool:
    """After a restart, before the platform was listed, every worker of an older epoch is welcome."""
    place = naming.read(event.worker)
    if place is None or place.role != event.body.role:
        return False
    if (place.role, place.index) not in book.registry.seats and not fleet.is_surplus(book, place):
        return False
    return book.context.resumed and not book.listed and place.epoch < book.epoch


def _newcomer(book: Book, name: str, place: naming.Place) -> Worker:
    worker = book.registry.add(name, place)
    worker.began = book.now
    book.registry.take_seat(worker)
    worker.surplus = fleet.is_surplus(book, place)
    return worker


def _begin_session(book: Book, worker: Worker, event: WorkerRegistered) -> None:
    if worker.parked is not None:
        message = "another registration of this worker took this session's place"
        book.commands.append(Refuse(request=worker.parked.number, status=401, reason="SessionUnknown", message=message))
        worker.parked = None
    book.registry.move(worker, "registered")
    book.registry.open_session(worker, event.session)
    seat = book.registry.seats.get((worker.role, worker.index))
    if seat is not None and seat.worker is worker:
        seat.failed_starts = 0
        seat.waiting_for = ("", "")
    body = event.body
    begins = worker.boot != body.boot
    if begins:
        _new_process(book, worker)
    worker.uid = event.uid
    worker.boot = body.boot
    worker.address = event.address
    worker.directory = body.directory
    # A worker that claims more would be given every task.
    worker.slots = min(body.slots, book.spec.slots) if worker.role == "worker" else body.slots
    worker.free = 0
    worker.heard = book.now
    worker.answered = worker.seen = 0
    worker.locations_seen = 0
    worker.journal_sent = 0
    worker.unwanted.clear()
    worker.told_address = ""
    worker.reason = worker.message = ""
    adoption.begin(book, worker, body)
    worker.discard = dict.fromkeys(worker.discard, 0)
    _compare_running(book, worker, body)
    if begins and worker.begun <= policies.BEGINNINGS_TOLD:
        book.record("WorkerReady", worker=worker, node=worker.node, number=worker.number, slots=worker.slots)


def _compare_running(book: Book, worker: Worker, body: Register) -> None:
    """What it was given and does not name is gone, or never arrived."""
    running = set(body.running)
    for attempt in list(worker.attempts.values()):
        attempt.told = 0
        if attempt.id in running:
            attempt.started = True
        else:
            failures.attempt_lost(book, attempt, "WorkerLost" if attempt.started else "NotStarted")


def _new_process(book: Book, worker: Worker) -> None:
    """The worker's process was started again: reports count anew, and a gateway must open again."""
    worker.applied = 0
    worker.begun += 1
    usage.begin(worker)
    if worker.role != "gateway":
        return
    worker.opened = False
    storage.must_open_again(book, worker)


def _welcome(book: Book, worker: Worker) -> Registered:
    spec = book.spec
    bare = msgspec.structs.replace(spec, program=Program(spec.program.file, b"", spec.program.class_name))
    gateway = worker.role == "gateway"
    keeps_history = gateway and worker.index == 0
    context = JobContext(
        spec=spec if keeps_history else bare,
        program_digest=spec.program.digest,
        read_input_directly=book.context.read_input_directly,
        serves_input=gateway and (worker.index == 1 or not spec.separate_input),
        serves_output=keeps_history,
    )
    keys = (book.context.ticket_key, book.context.previous_ticket_key)
    return Registered(
        session=worker.session,
        worker=worker.name,
        epoch=book.epoch,
        job=context,
        timing=spec.timing,
        limits=spec.limits,
        ticket_keys=tuple(key for key in keys if key is not None),
    )
