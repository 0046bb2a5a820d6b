"""The operator as its clients meet it: one address, behind it the process that runs, and sometimes two.

Starts processes as a Deployment does, one when none is left, and a successor beside a frozen one. Neighbours:
`master_process.py` (a process), `process.py` (a client's side), `faults/masters.py` (kills and freezes).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mapreduce.protocol import Register
from mapreduce_operator.core.events import Event, Exchanged, JobStatus, Refuse, WorkerRegistered, WorkerSeen
from mapreduce_operator.core.states import JobState
from mapreduce_operator.kube.lease import DURATION, POLL
from tests.support.simulated.master_process import MASTER, Away, MasterProcess, Respond

if TYPE_CHECKING:
    from tests.support.simulated.world import World


class MasterHost:
    """The operator, as often as it is started. `status` and `ended` are what was written to the API server."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count(1)
        self._processes: list[MasterProcess] = []
        self._acquiring = False
        self.status: JobStatus | None = None
        self.ended: str = ""

    @property
    def up(self) -> bool:
        """Whether a process runs."""
        return bool(self._living())

    @property
    def newest(self) -> MasterProcess | None:
        """The process with the highest epoch, dead or alive."""
        return self._processes[-1] if self._processes else None

    @property
    def state(self) -> JobState:
        """Where the job is, as the newest process knew it last."""
        return self.newest.core.book.state if self.newest is not None else JobState.PENDING

    def boot(self, *, successor: bool = False) -> None:
        """Start a process; it serves once the Lease is its own. `successor`: beside the one that runs."""
        if not self._acquiring and (successor or not self.up):
            self._acquiring = True
            self._acquire()

    def crash(self) -> None:
        """Kill every process; nobody starts another by himself."""
        for process in self._living():
            process.die("is killed")

    def restart_if_none(self) -> None:
        """A process ended: its Pod starts another."""
        if not self.up and not self._acquiring and not self.ended:
            self._world.clock.after(self._world.clock.chance.uniform(0.5, 5.0), self.boot)

    def post(self, event: Event) -> None:
        """Tell every process what the API server tells of the job."""
        for process in self._living():
            process.post(event)

    def pod_seen(self, seen: WorkerSeen) -> None:
        """Tell every process what a watch tells of a Pod."""
        for process in self._living():
            process.pod_seen(seen)

    def _living(self) -> list[MasterProcess]:
        return [process for process in self._processes if process.alive]

    def _acquire(self) -> None:
        """Take the Lease once it is free: nobody holds it, or who does has not renewed it for too long."""
        clock = self._world.clock
        held = any(clock.now - process.renewed <= DURATION for process in self._living())
        if held or self._world.api.away:
            clock.after(POLL, self._acquire)
            return
        self._acquiring = False
        self._world.api.lease += 1
        process = MasterProcess(self._world, self._world.api.lease)
        self._world.note(f"a master of epoch {process.epoch} begins")
        self._processes.append(process)
        process.begin()

    # --- requests -------------------------------------------------------------------------

    def register(self, place: str, uid: str, body: Register, patience: float, respond: Respond) -> None:
        """Send a registration from a worker."""

        def event(number: int, epoch: int) -> Event:
            session = f"session-{epoch}-{number}"
            return WorkerRegistered(request=number, worker=place, uid=uid, session=session, address=place, body=body)

        self._request(place, patience, respond, event)

    def exchange(self, place: str, session: str, body: Any, patience: float, respond: Respond) -> None:
        """Send an exchange from a worker."""

        def event(number: int, epoch: int) -> Event:
            return Exchanged(request=number, session=session, body=body)

        self._request(place, patience, respond, event, session)

    def _request(
        self, place: str, patience: float, respond: Respond, event: Callable[[int, int], Event], session: str = ""
    ) -> None:
        world = self._world
        answered: list[bool] = []

        def once(answer: Any) -> None:
            if not answered:
                answered.append(True)
                respond(answer)

        def deliver() -> None:
            process = self._serving(session)
            if process is None:
                world.clock.after(0.01, lambda: once(Away()))
            elif process.frozen and session not in process.sessions:
                world.note(f"{place} waits for a frozen master")
            elif session and session not in process.sessions:
                refusal = Refuse(request=0, status=401, reason="SessionUnknown", message="")
                world.network.send(MASTER, place, lambda: once(refusal))
            else:
                number = next(self._numbers)
                process.request(number, place, once, event(number, process.epoch), session)

        world.clock.after(patience, lambda: once(Away()))
        world.network.send(place, MASTER, deliver)

    def _serving(self, session: str) -> MasterProcess | None:
        """Return who gets a request: the newest, or by a connection that is still open an older one."""
        living = self._living()
        for older in living[:-1]:
            if self._world.clock.chance.random() < (0.7 if session in older.sessions else 0.15):
                return older
        return living[-1] if living else None
