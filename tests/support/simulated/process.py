"""A process of a job in a simulation: what worker and gateway share, which is a core and a line to the master."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mapreduce import protocol, tickets
from mapreduce.protocol import Answer, Register, Registered, Role
from mapreduce_operator.core.events import Refuse
from mapreduce_worker.core import events
from tests.support.simulated.master_process import Away
from tests.support.simulated.toy import ENGINE

if TYPE_CHECKING:
    from tests.support.simulated.world import World

TICK = 0.25


class Core(Protocol):
    """The core of a worker or a gateway."""

    def handle(self, event: Any, now: float) -> tuple[Any, ...]:
        """Take one event; return what to do."""


class SimulatedProcess:
    """One process around a core; its end is the end of its line, too."""

    def __init__(self, world: World, name: str, uid: str) -> None:
        self._world = world
        self.name = name
        self._uid = uid
        self._alive = True
        self._keys: tuple[bytes, ...] = ()
        """The ticket keys of its last registration."""

    def identity(self, role: Role, slots: int) -> Register:
        """Return what it says of itself."""
        return Register(
            version=protocol.VERSION, engine=ENGINE, role=role, boot=f"boot-{self.name}", slots=slots, data_port=1
        )

    def begin(self, core: Core) -> None:
        """Let the process run."""
        self._core = core
        self._tick()

    def die(self) -> None:
        """End the process at once."""
        self._alive = False

    def terminate(self) -> None:
        """SIGTERM."""
        self._handle(events.Terminated())

    # --- tickets --------------------------------------------------------------------------

    def opens(self, reader: SimulatedProcess, ticket: str, scope: str) -> bool:
        """Tell whether a reader's ticket opens `scope` here now; one that is refused is minted anew once."""
        job, now = self._world.spec.uid, self._world.wall(self.name)
        return any(tickets.check(shown, self._keys, job, scope, now) for shown in (ticket, reader.mint(scope)))

    def mint(self, scope: str) -> str:
        """Return a new ticket; the empty one before the first registration."""
        until = self._world.wall(self.name) + tickets.LIFETIME
        return tickets.mint(self._keys[0], self._world.spec.uid, scope, until) if self._keys else ""

    # --- the core -------------------------------------------------------------------------

    def _handle(self, event: Any) -> None:
        if not self._alive:
            return
        for command in self._core.handle(event, self._world.clock.now):
            self._carry_out_line(command)

    def _tick(self) -> None:
        if self._alive:
            self._handle(events.Ticked())
            self._world.clock.after(TICK, self._tick)

    def _carry_out_line(self, command: Any) -> None:
        match command:
            case events.SendRegister():
                self._world.master.register(self.name, self._uid, command.body, 8.0, self._answer_to(command.serial))
            case events.SendExchange():
                answer = self._answer_to(command.serial)
                self._world.master.exchange(self.name, command.session, command.body, command.patience, answer)
            case events.Exit():
                self._world.note(f"{self.name} exits: {command.message}")
                self._world.platform.exited(self.name)
            case _:
                self._carry_out(command)

    def _carry_out(self, command: Any) -> None:
        """Carry out what is no message to the master."""
        raise NotImplementedError

    def _answer_to(self, serial: int) -> Any:
        def respond(answer: Any) -> None:
            match answer:
                case Registered():
                    self._keys = answer.ticket_keys
                    self._handle(events.SessionOpened(serial, answer))
                case Answer():
                    self._handle(events.Answered(serial, answer))
                case Refuse():
                    self._handle(events.Refused(serial, answer.status, answer.reason, answer.message))
                case Away():
                    self._handle(events.Unanswered(serial))

        return respond
