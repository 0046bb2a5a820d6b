"""Where the real master core runs in a simulation: requests, sessions, restarts, a platform for workers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from mapreduce.protocol import Register
from mapreduce_operator.core import invariants
from mapreduce_operator.core.events import (
    Ended,
    Event,
    Exchanged,
    FindJobs,
    Instant,
    JobsFound,
    JobStatus,
    PublishStatus,
    Refuse,
    Reply,
    StartWorker,
    StopWorker,
    Ticked,
    Welcome,
    WorkerRegistered,
    WorkersListed,
)
from mapreduce_operator.core.master import Master, MasterContext
from tests.support.simulated.toy import ENGINE

if TYPE_CHECKING:
    from tests.support.simulated.world import World

MASTER = "master"
TICK = 0.25
RELIST = 10.0

Respond = Callable[[Any], None]


class Away(msgspec.Struct, frozen=True):
    """What a client gets instead of an answer: the connection was refused, closed, or timed out."""


class MasterHost:
    """The operator's process, as often as it is started. Its requests die with it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count(1)
        self._core: Master | None = None
        self._pending: dict[int, tuple[str, Respond]] = {}
        self._sessions: set[str] = set()
        self._previous_key: bytes | None = None
        self.epoch = 0
        self.status: JobStatus | None = None
        self.ended: str = ""

    @property
    def up(self) -> bool:
        """Whether the process runs."""
        return self._core is not None

    def boot(self) -> None:
        """Start the process with the next epoch."""
        if self.up:
            return
        self.epoch += 1
        key = f"key-{self.epoch}".encode()
        context = MasterContext(
            ticket_key=key,
            previous_ticket_key=self._previous_key,
            engine_version=ENGINE,
            read_input_directly=False,
            resumed=self.epoch > 1,
        )
        self._previous_key = key
        self._core = Master(self._world.spec, context, self.epoch)
        self.post(self._world.wanted)
        self._relist(self.epoch)
        self._tick(self.epoch)

    def crash(self) -> None:
        """Kill the process: parked requests are cut, sessions forgotten."""
        self._core = None
        self._sessions.clear()
        pending, self._pending = self._pending, {}
        for _, respond in pending.values():
            self._world.clock.after(0.01, partial(respond, Away()))

    def post(self, event: Event) -> None:
        """Hand an event to the core, check its book-keeping, carry out what it asks for."""
        if self._core is None or self.ended:
            return
        now = self._world.clock.now
        self._world.note(f"event {event}")
        outcome = self._core.handle(event, Instant(now, 1_000_000 + now))
        if self._world.checked:
            invariants.check(self._core)
        for command in outcome.commands:
            self._carry_out(command)

    # --- requests -------------------------------------------------------------------------

    def register(self, place: str, uid: str, body: Register, patience: float, respond: Respond) -> None:
        """Send a registration from a worker."""

        def event(number: int) -> Event:
            session = f"session-{self.epoch}-{number}"
            return WorkerRegistered(request=number, worker=place, uid=uid, session=session, address=place, body=body)

        self._request(place, patience, respond, event)

    def exchange(self, place: str, session: str, body: Any, patience: float, respond: Respond) -> None:
        """Send an exchange from a worker."""

        def event(number: int) -> Event:
            return Exchanged(request=number, session=session, body=body)

        self._request(place, patience, respond, event, session)

    def _request(
        self, place: str, patience: float, respond: Respond, event: Callable[[int], Event], session: str = ""
    ) -> None:
        world = self._world
        answered: list[bool] = []

        def once(answer: Any) -> None:
            if not answered:
                answered.append(True)
                respond(answer)

        def deliver() -> None:
            if not self.up:
                world.clock.after(0.01, lambda: once(Away()))
            elif session and session not in self._sessions:
                refusal = Refuse(request=0, status=401, reason="SessionUnknown", message="")
                world.network.send(MASTER, place, lambda: once(refusal))
            else:
                number = next(self._numbers)
                self._pending[number] = (place, once)
                self.post(event(number))

        world.clock.after(patience, lambda: once(Away()))
        world.network.send(place, MASTER, deliver)

    def _carry_out(self, command: Any) -> None:
        match command:
            case Welcome() | Reply() | Refuse():
                place, respond = self._pending.pop(command.request, ("", None))
                if isinstance(command, Welcome):
                    self._sessions.add(command.body.session)
                if respond is not None:
                    answer = command if isinstance(command, Refuse) else command.body
                    self._world.network.send(MASTER, place, lambda: respond(answer))
            case StartWorker():
                self._world.platform.start(command)
            case StopWorker():
                self._world.platform.stop(command.name)
            case FindJobs():
                # Nobody else has a job here.
                self._world.clock.after(0.01, partial(self.post, JobsFound((), command.uids)))
            case PublishStatus():
                self.status = command.status
            case Ended():
                self.ended = command.phase

    def _relist(self, epoch: int) -> None:
        if self.epoch == epoch and self.up:
            self.post(WorkersListed(self._world.platform.seen()))
            self._world.clock.after(RELIST, lambda: self._relist(epoch))

    def _tick(self, epoch: int) -> None:
        if self.epoch == epoch and self.up:
            self.post(Ticked())
            self._world.clock.after(TICK, lambda: self._tick(epoch))
