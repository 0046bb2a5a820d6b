"""The workers and gateways of one job: who they are, their sessions, leases and parked requests.

Neighbours: `fleet.py` (starts, replaces and loses them), `registration.py` (sessions),
`exchange.py` (what they say), `answers.py` (what they are told).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mapreduce.ids import AttemptId
from mapreduce.protocol import Role, Usage
from mapreduce_operator.core import states
from mapreduce_operator.core.naming import Place
from mapreduce_operator.core.states import WorkerEvent, WorkerState

if TYPE_CHECKING:
    from mapreduce_operator.core.tasks import Attempt


class Parked:
    """A request that waits for its answer; `since` on the master's own clock."""

    __slots__ = ("number", "since")

    def __init__(self, number: int, since: float) -> None:
        self.number = number
        self.since = since


class Worker:
    """One start of a worker or gateway. `number` names it in locations, stable within the epoch.

    Of its session: `answered` is the number of the last answer, `seen` the last that it handled,
    `applied` the last of its reports that was applied. `attempts` holds all that it was given and
    that has not ended, cancelled ones too: each takes a slot.
    """

    def __init__(self, name: str, place: Place, number: int) -> None:
        self.name = name
        self.uid = self.node = ""
        self.role: Role = place.role
        self.index = place.index
        self.number = number
        self.state = WorkerState.EXPECTED
        self.history: list[str] = []
        self.began = 0.0
        """When it was asked for or first seen; when it was first seen running."""
        self.seen_by_platform = False
        self.seen_since = 0.0
        self.reason = self.message = ""
        self.address = self.directory = ""
        self.boot = ""
        self.session = ""
        self.slots = 0
        self.free = 0
        """Slots that may get an attempt, as known now."""
        self.heard = 0.0
        self.answered = self.seen = self.applied = 0
        self._begin_empty()
        self._begin_untold()

    def _begin_empty(self) -> None:
        """Set what it runs and holds."""
        self.attempts: dict[AttemptId, Attempt] = {}
        self.unwanted: dict[AttemptId, int] = {}
        """What it runs and nobody knows, each with the answer that cancelled it, 0 before."""
        self.unended: dict[AttemptId, float] = {}
        """What it was told to end and names still, each since when; see `stuck.py`."""
        self.discard: dict[AttemptId, int] = {}
        """What it may delete, each with the answer that said so, 0 before."""
        self.offered_running: tuple[AttemptId, ...] = ()
        """What it registered with, until the plan is known and it can be `taken_over`."""
        self.unnamed: set[int] = set()
        """Maps of which it held the output when it registered, and which it has not named since."""
        self.held_seen = self.held_total = 0
        """How many held outputs it has named since it registered and was heard, and how many it has."""
        self.taken_over = False

    def _begin_untold(self) -> None:
        """Set what it was told, and what was noticed of it."""
        self.locations_seen = 0
        self.told_address = ""
        self.journal_sent = 0
        self.opened = False
        """Gateway: this start of the process has the output open."""
        self.parked: Parked | None = None
        self.prompt = False
        """The next answer must not wait."""
        self.surplus = False
        """The job was scaled down: it gets no more work, and goes when nobody needs it."""
        self.unreadable = 0
        """How often others could not read map outputs from it, so that these were lost."""
        self.unreadable_at = 0.0
        """When they could not last."""
        self.claims = 0
        """The highest epoch that it named, if that was a newer one than the master's."""
        self.kept_back = False
        """It reported what could not be applied yet."""
        self.begun = 0
        """Processes that have begun under its name."""
        self.usage: Usage | None = None
        """What it said last of its processor time and memory."""
        self.sampled = Usage()
        """What it had said when that went into the history."""
        self.rest_until = 0.0
        """It left an assignment alone: it gets none before this time."""

    def move(self, event: WorkerEvent) -> None:
        """Change state by the table; raises `InvalidTransition` with the worker's history."""
        following = states.after(states.WORKER, self.state, event, self.name, ", ".join(self.history))
        if following is not self.state:
            self.history.append(event)
        self.state = following

    def forget_offers(self) -> None:
        """What it registered with was taken over, or is of no use any more."""
        self.offered_running, self.unnamed = (), set()

    @property
    def usable(self) -> bool:
        """Whether it has a session and may get work."""
        return self.state is WorkerState.REGISTERED and bool(self.session)

    @property
    def takes_work(self) -> bool:
        """Whether it may get another task."""
        return self.usable and not self.surplus

    @property
    def runs_alone(self) -> bool:
        """Whether it has a task that nothing may run beside."""
        return any(attempt.alone for attempt in self.attempts.values())

    @property
    def alive(self) -> bool:
        """Whether it is not lost."""
        return self.state is not WorkerState.LOST

    def reduces(self) -> bool:
        """Tell whether it has a reduce attempt."""
        return any(attempt.task.kind == "reduce" for attempt in self.attempts)


class Seat:
    """A place that should be taken: (role, index). `failed_starts` in a row never registered;
    `waiting_for` says why the last one could not even be started."""

    __slots__ = ("failed_starts", "not_before", "number", "waiting_for", "worker")

    def __init__(self, number: int = 0) -> None:
        self.worker: Worker | None = None
        self.number = number
        self.failed_starts = 0
        self.not_before = 0.0
        self.waiting_for = ("", "")


class Registry:
    """Every worker of this epoch, by name, number and session; and the seats."""

    def __init__(self) -> None:
        self.seats: dict[tuple[Role, int], Seat] = {}
        self.vacant: set[tuple[Role, int]] = set()
        """Seats that nobody has."""
        self.maybe_free: set[int] = set()
        """Holds every worker with a free slot; who has none may be in it too."""
        self.reserved: set[int] = set()
        """Workers that get nothing until they are empty; see `alone.py`."""
        self.unended: set[int] = set()
        """Workers that were told to end something and have not yet."""
        self._all: list[Worker] = []
        self._by_name: dict[str, Worker] = {}
        self._by_session: dict[str, Worker] = {}
        self._alive: dict[int, Worker] = {}
        self._ready: int | None = None

    def add(self, name: str, place: Place) -> Worker:
        """Note a new worker."""
        worker = Worker(name, place, len(self._all))
        self._all.append(worker)
        self._by_name[name] = worker
        self._alive[worker.number] = worker
        return worker

    def move(self, worker: Worker, event: WorkerEvent) -> None:
        """Change a worker's state by the table."""
        worker.move(event)
        self._ready = None

    # --- finding ------------------------------------------------------------------------

    def by_name(self, name: str) -> Worker | None:
        """Return the worker with this name."""
        return self._by_name.get(name)

    def by_number(self, number: int) -> Worker:
        """Return the worker with this number."""
        return self._all[number]

    def by_session(self, session: str) -> Worker | None:
        """Return the worker whose session this is."""
        return self._by_session.get(session)

    def alive(self, role: Role | None = None) -> Iterator[Worker]:
        """Yield the workers that are not lost, oldest first."""
        return (worker for worker in tuple(self._alive.values()) if role is None or worker.role == role)

    def leaving(self) -> list[Worker]:
        """Return the workers that are too many, and go as soon as nobody needs them."""
        return [worker for worker in self.alive("worker") if worker.surplus]

    @property
    def ready(self) -> int:
        """How many workers (not gateways) can get work."""
        if self._ready is None:
            self._ready = sum(1 for worker in self.alive("worker") if worker.takes_work)
        return self._ready

    # --- sessions -----------------------------------------------------------------------

    def open_session(self, worker: Worker, session: str) -> None:
        """Begin a session; the one before is over."""
        self.close_session(worker)
        worker.session = session
        self._by_session[session] = worker

    def close_session(self, worker: Worker) -> None:
        """End a worker's session, if it has one."""
        self._by_session.pop(worker.session, None)
        worker.session = ""
        self._ready = None

    def bury(self, worker: Worker) -> None:
        """Take a worker out of the living; its name stays known."""
        self.close_session(worker)
        worker.forget_offers()
        self._alive.pop(worker.number, None)
        self.unended.discard(worker.number)
        self.leave_seat(worker)

    # --- seats --------------------------------------------------------------------------

    def lay(self, role: Role, index: int, incarnation: int = 0) -> None:
        """Make a seat that is to be taken; its next start has the number `incarnation`."""
        self.seats[role, index] = Seat(incarnation)
        self.vacant.add((role, index))

    def take_away(self, role: Role, index: int) -> None:
        """Remove a seat; whoever has it is too many."""
        worker = self.seats.pop((role, index)).worker
        self.vacant.discard((role, index))
        if worker is not None:
            worker.surplus = True
            self._ready = None

    def at(self, role: Role, index: int) -> Worker | None:
        """Return who has a seat now."""
        seat = self.seats.get((role, index))
        return seat.worker if seat is not None else None

    def take_seat(self, worker: Worker) -> bool:
        """Give a worker its seat, if there is one and nobody has it; tell whether it has it now."""
        key = (worker.role, worker.index)
        if key in self.vacant:
            self.vacant.discard(key)
            self.seats[key].worker = worker
            worker.surplus = False
            self.maybe_free.add(worker.number)
            self._ready = None
        return self.at(*key) is worker

    def leave_seat(self, worker: Worker) -> None:
        """Free a worker's seat, if it has it."""
        key = (worker.role, worker.index)
        if self.at(*key) is worker:
            self.seats[key].worker = None
            self.vacant.add(key)
