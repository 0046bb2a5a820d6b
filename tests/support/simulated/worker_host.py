"""A worker's process in a simulation: the real core, a disk of small values, slots that take virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mapreduce.ids import AttemptId
from mapreduce.program import Shape
from mapreduce.protocol import ErrorInfo, MapOutput
from mapreduce_worker.core import events
from mapreduce_worker.core.worker import WorkerCore
from tests.support.simulated import toy
from tests.support.simulated.process import SimulatedProcess

if TYPE_CHECKING:
    from tests.support.simulated.world import World


class WorkerHost(SimulatedProcess):
    """One process; `die` takes its disk with it."""

    def __init__(self, world: World, name: str, uid: str) -> None:
        super().__init__(world, name, uid)
        self.outputs: dict[AttemptId, tuple[tuple[toy.Row, ...], ...]] = {}
        self.parts: dict[AttemptId, bytes] = {}
        self._fetched: dict[tuple[AttemptId, AttemptId], tuple[toy.Row, ...]] = {}
        self._running: dict[int, AttemptId] = {}
        self.begin(WorkerCore(self.identity("worker", world.spec.slots), world.clock.chance.random))

    # --- the core -------------------------------------------------------------------------

    def _later(self, shortest: float, longest: float, event: events.Event) -> None:
        self._world.clock.after(self._world.clock.chance.uniform(shortest, longest), lambda: self._handle(event))

    def _carry_out(self, command: events.Command) -> None:
        match command:
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

    # --- data -----------------------------------------------------------------------------

    def _fetch_input(self, command: events.FetchInput) -> None:
        ranges = tuple(events.FetchedRange(0, 0, 1) for _ in command.split.ranges)
        arrived = events.InputArrived(command.attempt, events.FetchedInput("input", ranges))
        self._ask(command.address, 6.0, lambda _: arrived, events.InputUnreachable(command.attempt))

    def _fetch_segments(self, command: events.FetchSegments) -> None:
        wanted = command.request.maps
        partition = command.request.partition
        network = self._world.network

        def answer(host: Any) -> events.Event:
            arrived, lost = [], []
            whole = network.break_off(len(wanted))
            if self._world.clock.chance.random() < 0.5:
                lost = [(source, "the connection broke") for source in wanted[whole:]]
            for source in wanted[:whole]:
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
        maps = isinstance(command, events.MapInSlot)
        end = self._map if maps else self._reduce
        longest = self._world.longest_map if maps else self._world.longest_reduce
        if self._world.toy.is_spoiled(command.attempt.task):
            end = self._fail
        if self._world.slots_die and chance.random() < 0.05:
            end = self._die
        self._world.clock.after(chance.uniform(0.1, longest), lambda: self._finish(command, end))

    def _finish(self, command: Any, end: Any) -> None:
        if self._alive and self._running.get(command.slot) == command.attempt:
            del self._running[command.slot]
            self._handle(end(command))

    def _die(self, command: Any) -> events.Event:
        return events.SlotDied(attempt=command.attempt, code=-9)

    def _fail(self, command: Any) -> events.Event:
        error = ErrorInfo(
            kind="user", reason="UserCodeFailed", message=f"ValueError: {command.attempt.task} is spoiled"
        )
        return events.Broke(command.attempt, error)

    def _map(self, command: events.MapInSlot) -> events.Event:
        if command.makes_part:
            return self._map_part(command)
        segments = self._world.toy.map(toy.text_of(command.split), command.attempt)
        self._world.made.add(command.attempt)
        self.outputs[command.attempt] = segments
        rows = sum(len(segment) for segment in segments)
        output = MapOutput(
            attempt=command.attempt,
            checksum=toy.digest(segments),
            rows=rows,
            size=rows * 10,
            key_type="str" if rows else "",
            key_at="file:0",
            records=1,
            counters=self._world.toy.counters(toy.text_of(command.split), command.attempt),
        )
        return events.MapDone(command.attempt, output, 1)

    def _map_part(self, command: events.MapInSlot) -> events.Event:
        part = self._world.toy.map_part(command.split.index)
        self.parts[command.attempt] = part
        found = toy.facts(part)
        return events.MapPartDone(
            attempt=command.attempt,
            checksum=found.checksum,
            rows=found.rows,
            size=found.size,
            records=1,
            counters=self._world.toy.counters(command.split.index, command.attempt),
        )

    def _reduce(self, command: events.ReduceInSlot) -> events.Event:
        part = toy.reduce([self._fetched[command.attempt, segment.source] for segment in command.segments])
        self.parts[command.attempt] = part
        found = toy.facts(part)
        counted = {"keys": found.rows, "tries": toy.tries(command.attempt)}
        return events.ReduceDone(
            attempt=command.attempt, checksum=found.checksum, rows=found.rows, size=found.size, counters=counted
        )
