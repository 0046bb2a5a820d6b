"""A worker's process in a simulation: the real core, a disk of small values, slots that take virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mapreduce import protocol
from mapreduce.ids import AttemptId
from mapreduce.program import Shape
from mapreduce.protocol import Answer, MapOutput, Register, Registered
from mapreduce_operator.core.events import Refuse
from mapreduce_worker.core import events
from mapreduce_worker.core.worker import WorkerCore
from tests.support.simulated import toy
from tests.support.simulated.master_host import Away
from tests.support.simulated.toy import ENGINE

if TYPE_CHECKING:
    from tests.support.simulated.world import World

TICK = 0.25


class WorkerHost:
    """One process; `die` takes its disk with it."""

    def __init__(self, world: World, name: str, uid: str) -> None:
        self._world = world
        self.name = name
        self._uid = uid
        self._alive = True
        self.outputs: dict[AttemptId, tuple[tuple[toy.Row, ...], ...]] = {}
        self.parts: dict[AttemptId, bytes] = {}
        self._fetched: dict[tuple[AttemptId, AttemptId], tuple[toy.Row, ...]] = {}
        self._running: dict[int, AttemptId] = {}
        self._core = WorkerCore(
            Register(
                version=protocol.VERSION,
                engine=ENGINE,
                role="worker",
                boot=f"boot-{name}",
                slots=world.spec.slots,
                data_port=1,
            ),
            world.clock.chance.random,
        )
        self._tick()

    def die(self) -> None:
        """End the process at once."""
        self._alive = False

    def terminate(self) -> None:
        """SIGTERM."""
        self._handle(events.Terminated())

    # --- the core -------------------------------------------------------------------------

    def _handle(self, event: events.Event) -> None:
        if not self._alive:
            return
        for command in self._core.handle(event, self._world.clock.now):
            self._carry_out(command)

    def _later(self, shortest: float, longest: float, event: events.Event) -> None:
        self._world.clock.after(self._world.clock.chance.uniform(shortest, longest), lambda: self._handle(event))

    def _tick(self) -> None:
        if self._alive:
            self._handle(events.Ticked())
            self._world.clock.after(TICK, self._tick)

    def _carry_out(self, command: events.Command) -> None:
        match command:
            case events.SendRegister():
                self._world.master.register(self.name, self._uid, command.body, 8.0, self._answer_to(command.serial))
            case events.SendExchange():
                answer = self._answer_to(command.serial)
                self._world.master.exchange(self.name, command.session, command.body, command.patience, answer)
            case events.FetchInput():
                self._fetch_input(command)
            case events.FetchSegments():
                self._fetch_segments(command)
            case events.MapInSlot() | events.ReduceInSlot():
                self._run(command)
            case events.KillSlot():
                if self._running.get(command.slot) == command.attempt:
                    del self._running[command.slot]
                    self._later(0.01, 0.2, events.SlotDied(attempt=command.attempt, code=-9))
            case _:
                self._carry_out_here(command)

    def _carry_out_here(self, command: events.Command) -> None:
        """Carry out what needs nobody else."""
        match command:
            case events.LoadInSlot():
                shape = Shape("Toy", has_reduce=self._world.toy.has_reduce, has_combine=False)
                self._later(0.05, 0.3, events.Loaded(command.attempt, shape))
            case events.DeleteFiles():
                self.outputs.pop(command.attempt, None)
                self.parts.pop(command.attempt, None)
            case events.Exit():
                self._world.note(f"{self.name} exits: {command.message}")
                self._world.platform.exited(self.name)

    def _answer_to(self, serial: int) -> Any:
        def respond(answer: Any) -> None:
            match answer:
                case Registered():
                    self._handle(events.SessionOpened(serial, answer))
                case Answer():
                    self._handle(events.Answered(serial, answer))
                case Refuse():
                    self._handle(events.Refused(serial, answer.status, answer.reason, answer.message))
                case Away():
                    self._handle(events.Unanswered(serial))

        return respond

    # --- data -----------------------------------------------------------------------------

    def _fetch_input(self, command: events.FetchInput) -> None:
        ranges = tuple(events.FetchedRange(0, 0, 1) for _ in command.split.ranges)
        arrived = events.InputArrived(command.attempt, events.FetchedInput("input", ranges))
        self._ask(command.address, 6.0, lambda _: arrived, events.InputUnreachable(command.attempt))

    def _fetch_segments(self, command: events.FetchSegments) -> None:
        wanted = command.request.maps
        partition = command.request.partition

        def answer(host: Any) -> events.Event:
            arrived, lost = [], []
            for source in wanted:
                segments = host.outputs.get(source)
                if segments is None:
                    lost.append((source, "the holder has no such output"))
                    continue
                rows = segments[partition]
                self._fetched[command.attempt, source] = rows
                arrived.append(events.FetchedSegment(source, "fetched", 0, len(rows), len(rows), 0))
            return events.SegmentsArrived(
                attempt=command.attempt, fetch=command.fetch, arrived=tuple(arrived), lost=tuple(lost)
            )

        silent = tuple((source, "no answer") for source in wanted)
        failed = events.SegmentsArrived(attempt=command.attempt, fetch=command.fetch, lost=silent)
        self._ask(command.holder.address, 10.0, answer, failed)

    def _ask(self, place: str, patience: float, answer: Any, failed: events.Event) -> None:
        """Ask another process for data; `failed` happens when it does not run or is cut off."""
        world = self._world
        told: list[bool] = []

        def once(event: events.Event) -> None:
            if not told:
                told.append(True)
                self._handle(event)

        def deliver() -> None:
            host = world.platform.host(place)
            event = failed if host is None else answer(host)
            world.network.send(place, self.name, lambda: once(event))

        world.clock.after(patience, lambda: once(failed))
        world.network.send(self.name, place, deliver)

    # --- slots ----------------------------------------------------------------------------

    def _run(self, command: events.MapInSlot | events.ReduceInSlot) -> None:
        assert command.slot not in self._running, f"slot {command.slot} of {self.name} has two attempts"
        self._running[command.slot] = command.attempt
        chance = self._world.clock.chance
        dies = self._world.slots_die and chance.random() < 0.05
        end = self._die if dies else (self._map if isinstance(command, events.MapInSlot) else self._reduce)
        self._world.clock.after(chance.uniform(0.1, self._world.longest_task), lambda: self._finish(command, end))

    def _finish(self, command: Any, end: Any) -> None:
        if self._alive and self._running.get(command.slot) == command.attempt:
            del self._running[command.slot]
            self._handle(end(command))

    def _die(self, command: Any) -> events.Event:
        return events.SlotDied(attempt=command.attempt, code=-9)

    def _map(self, command: events.MapInSlot) -> events.Event:
        if command.makes_part:
            return self._map_part(command)
        segments = self._world.toy.map(command.split.index)
        self.outputs[command.attempt] = segments
        rows = sum(len(segment) for segment in segments)
        output = MapOutput(
            attempt=command.attempt,
            checksum=toy.digest(segments),
            rows=rows,
            size=rows * 10,
            key_type="str" if rows else "",
            key_at="file:0",
            partition_sizes=bytes(min(255, len(segment)) for segment in segments),
        )
        return events.MapDone(command.attempt, output, 1)

    def _map_part(self, command: events.MapInSlot) -> events.Event:
        part = self._world.toy.map_part(command.split.index)
        self.parts[command.attempt] = part
        found = toy.facts(part)
        return events.MapPartDone(
            attempt=command.attempt, checksum=found.checksum, rows=found.rows, size=found.size, records=1
        )

    def _reduce(self, command: events.ReduceInSlot) -> events.Event:
        part = toy.reduce([self._fetched[command.attempt, segment.source] for segment in command.segments])
        self.parts[command.attempt] = part
        found = toy.facts(part)
        return events.ReduceDone(attempt=command.attempt, checksum=found.checksum, rows=found.rows, size=found.size)
