"""One process of the operator in a simulation: a real master core, the Lease that it holds, requests that wait.

It may be frozen: then nothing happens in it, what comes waits, and the world goes on. Neighbours: `master_host.py`
(starts processes and brings requests), `driver.py` (its Pods), `api_server.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from mapreduce_operator.core import invariants
from mapreduce_operator.core.events import (
    Announce,
    Ended,
    EpochRead,
    Event,
    FindJobs,
    Instant,
    JobDeleted,
    JobsFound,
    JobStatus,
    PublishStatus,
    ReadEpoch,
    Refuse,
    Reply,
    StartWorker,
    StepDown,
    StopWorker,
    Ticked,
    Welcome,
    WorkerChanged,
    WorkerSeen,
    WorkersListed,
)
from mapreduce_operator.core.master import Master, MasterContext
from mapreduce_operator.kube.lease import RENEW, TRUST
from mapreduce_operator.kube.sightings import Sightings
from tests.support.simulated.driver import SimulatedDriver
from tests.support.simulated.toy import ENGINE, JUDGE

if TYPE_CHECKING:
    from tests.support.simulated.world import World

MASTER = "master"
TICK = 0.25
RELIST = 30.0

Respond = Callable[[Any], None]


class Away(msgspec.Struct, frozen=True):
    """What a client gets instead of an answer: the connection was refused, closed, or timed out."""


class MasterProcess:
    """A master of one epoch, from its start to its end; `status` is what it wrote last, `ended` its last word."""

    def __init__(self, world: World, epoch: int) -> None:
        self._world = world
        self.epoch = epoch
        self.alive = True
        self.frozen = False
        self.renewed = world.clock.now
        self.sessions: set[str] = set()
        self._waiting: list[Event] = []
        self._current: dict[str, str] = {}
        """The session that each worker opened last."""
        self._pending: dict[int, tuple[str, Respond, str]] = {}
        self._sightings = Sightings()
        self._driver = SimulatedDriver(world, self)
        self._unwritten: JobStatus | None = None
        self._last_word = ""
        context = MasterContext(
            ticket_key=f"key-{epoch}".encode(),
            previous_ticket_key=f"key-{epoch - 1}".encode() if epoch > 1 else None,
            engine_version=ENGINE,
            read_input_directly=False,
            resumed=epoch > 1,
            judge=JUDGE,
        )
        self.core = Master(world.spec, context, epoch)

    def begin(self) -> None:
        """Let it run: it learns what is wanted, lists, and lets time go by."""
        self.post(self._world.wanted)
        if self._world.deleted:
            self.post(JobDeleted())
        self._list()
        self._tick()
        self._keep_the_lease()

    def die(self, why: str) -> None:
        """End the process: parked requests are cut, sessions forgotten."""
        if not self.alive:
            return
        self._world.note(f"the master of epoch {self.epoch} {why}")
        self.alive = False
        pending, self._pending = self._pending, {}
        for _, respond, _ in pending.values():
            self._world.clock.after(0.01, partial(respond, Away()))

    def _give_up(self, why: str) -> None:
        """End the process by itself: its Pod starts another if that is needed."""
        self.die(why)
        self._world.master.restart_if_none()

    def freeze(self) -> None:
        """Stop it where it is."""
        self.frozen = True

    def thaw(self) -> None:
        """Let it go on with all that came meanwhile."""
        self.frozen = False
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self.post(event)

    # --- what comes in --------------------------------------------------------------------

    def request(self, number: int, place: str, respond: Respond, event: Event, session: str) -> None:
        """Take a request; it is answered when the core does."""
        self._pending[number] = (place, respond, session)
        self.post(event)

    def pod_seen(self, seen: WorkerSeen) -> None:
        """A watch tells of a Pod."""
        if self.alive:
            self.post(WorkerChanged(self._sightings.seen(seen, self._world.clock.now)))

    def post(self, event: Event) -> None:
        """Hand an event to the core, check its book-keeping, carry out what it asks for."""
        if not self.alive or self._last_word:
            return
        if self.frozen:
            self._waiting.append(event)
            return
        world = self._world
        world.note(event, self.epoch)
        outcome = self.core.handle(event, Instant(world.clock.now, world.wall(MASTER)))
        if world.checked:
            invariants.check(self.core)
        for command in outcome.commands:
            self._carry_out(command)

    # --- what goes out --------------------------------------------------------------------

    def _carry_out(self, command: Any) -> None:
        match command:
            case Welcome() | Reply() | Refuse():
                place, respond, session = self._pending.pop(command.request, ("", None, ""))
                if isinstance(command, Welcome):
                    self.sessions.add(command.body.session)
                    self._current[place] = command.body.session
                if isinstance(command, Reply) and session != self._current.get(place, session):
                    self._world.wrong.append(f"{place} was answered in a session that a later registration had ended")
                if respond is not None:
                    answer = command if isinstance(command, Refuse) else command.body
                    self._world.network.send(MASTER, place, lambda: respond(answer))
            case StartWorker():
                self._driver.start(command)
            case StopWorker():
                self._driver.stop(command)
            case FindJobs():
                self._world.clock.after(0.05, partial(self._find_jobs, command))
            case ReadEpoch():
                self._world.clock.after(0.05, self._read_epoch)
            case StepDown():
                self._give_up(f"steps down: {command.message}")
            case _:
                self._tell(command)

    def _tell(self, command: Any) -> None:
        match command:
            case PublishStatus():
                self._unwritten = command.status
                self._write_status()
            case Announce():
                self._world.announced(command)
            case Ended():
                self._last_word = command.phase
                self._write_status()

    def _write_status(self) -> None:
        """Write the status, and the job's end behind it, as soon as that is possible and allowed."""
        if (self._unwritten is None and not self._last_word) or self._world.api.away or not self.may_write():
            return
        if self._unwritten is not None:
            self._world.master.status, self._unwritten = self._unwritten, None
        if self._last_word:
            self._world.master.ended = self._last_word

    def _find_jobs(self, command: FindJobs) -> None:
        if self._world.api.away:
            self._world.clock.after(1.0, partial(self._find_jobs, command))
            return
        living = tuple(uid for uid in command.uids if uid in self._world.living)
        self.post(JobsFound(living, tuple(uid for uid in command.uids if uid not in living)))

    def _read_epoch(self) -> None:
        self.post(EpochRead(None if self._world.api.away else self._world.api.lease))

    # --- time, and the Lease --------------------------------------------------------------

    def may_write(self) -> bool:
        """Tell whether the Lease is known to be its own; a process that learns that it is not ends."""
        if not self.alive or self.frozen:
            return False
        now = self._world.clock.now
        if now - self.renewed >= TRUST:
            self._renew()
        # A process that found its Lease taken has not renewed.
        return now - self.renewed < TRUST

    def _renew(self) -> None:
        if self._world.api.away:
            return
        if self._world.api.lease != self.epoch:
            self._give_up("has lost the Lease")
        else:
            self.renewed = self._world.clock.now

    def _keep_the_lease(self) -> None:
        if self.alive:
            if not self.frozen:
                self._renew()
            self._world.clock.after(RENEW, self._keep_the_lease)

    def _list(self) -> None:
        if not self.alive:
            return
        if not self.frozen and not self._world.api.away:
            now = self._world.clock.now
            # What one of another job sees is of another job: here all Pods are of this one.
            pods = [_Listed(worker=seen) for seen in self._world.platform.seen()]
            self.post(WorkersListed(self._sightings.listed(pods, now)))  # type: ignore[arg-type]
        self._world.clock.after(RELIST, self._list)

    def _tick(self) -> None:
        if not self.alive:
            return
        if not self.frozen:
            self.post(Ticked())
            self._write_status()
        self._world.clock.after(TICK, self._tick)


class _Listed(msgspec.Struct, frozen=True):
    """What `Sightings` needs of a Pod in a LIST."""

    worker: WorkerSeen
