"""A worker's process in a simulation: the real core, a disk of small values, slots that take virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mapreduce import partition_sizes, tickets
from mapreduce.ids import AttemptId
from mapreduce.program import Shape
from mapreduce.protocol import ErrorInfo, MapOutput
from mapreduce_worker.core import events
from mapreduce_worker.core.worker import WorkerCore
from tests.support.simulated import toy
from tests.support.simulated.process import SimulatedProcess

if TYPE_CHECKING:
    from tests.support.simulated.world import World


PROGRESS: Final = 10.0
"""Seconds between two words of a slot on how far its attempt is."""
NO_ROOM: Final = ErrorInfo(
    kind="disruption", reason="StorageFailed", message="the worker's scratch disk: no space left on device"
)


class WorkerHost(SimulatedProcess):
    """One process; `die` takes its disk with it."""

    def __init__(self, world: World, name: str, uid: str) -> None:
        super().__init__(world, name, uid)
        self.outputs: dict[AttemptId, tuple[tuple[toy.Row, ...], ...]] = {}
        self.parts: dict[AttemptId, bytes] = {}
        self.damaged: set[AttemptId] = set()
        """The map outputs of which no segment can be read any more."""
        self.pace = world.first_pace if "-w-0-" in name else 1.0
        """How many times as long as elsewhere an attempt takes here."""
        self.full_until = 0.0
        """When the scratch disk has room again."""
        self.fetching = 0
        """Requests for segments that are under way."""
        self._fetched: dict[tuple[AttemptId, AttemptId], tuple[toy.Row, ...]] = {}
        self._running: dict[int, events.MapInSlot | events.ReduceInSlot] = {}
        self._hanging: set[AttemptId] = set()
        self._stuck: set[AttemptId] = set()
        self.begin(WorkerCore(self.identity("worker", world.spec.slots), world.clock.chance.random))

    # --- what faults do -------------------------------------------------------------------

    def in_slots(self) -> list[events.MapInSlot | events.ReduceInSlot]:
        """Return what runs in the slots."""
        return list(self._running.values())

    def end_in_slot(self, command: events.MapInSlot | events.ReduceInSlot, event: events.Event) -> None:
        """Let an attempt that runs in a slot end so."""
        if self._running.pop(command.slot, None) is not None:
            self._handle(event)

    def hang(self, attempt: AttemptId) -> None:
        """Let an attempt that runs in a slot never end."""
        self._hanging.add(attempt)

    def stick(self, attempt: AttemptId) -> None:
        """Let an attempt that runs in a slot never end, and nothing kill its slot."""
        self._hanging.add(attempt)
        self._stuck.add(attempt)

    @property
    def _is_full(self) -> bool:
        full = self._world.clock.now < self.full_until
        if full:
            self._world.hit("worker's disk full")
        return full

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
                running = self._running.get(command.slot)
                killed = running is not None and running.attempt == command.attempt
                if killed and command.attempt not in self._stuck:
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
        away = events.InputUnreachable(command.attempt)

        def answer(host: SimulatedProcess) -> events.Event:
            if not host.opens(self, command.ticket, tickets.INPUT):
                return away
            if self._world.input_changes():
                message = "in/0 changed while the job ran"
                return events.FetchFailed(
                    command.attempt, ErrorInfo(kind="refused", reason="InputChanged", message=message)
                )
            if self._is_full:
                return events.FetchFailed(command.attempt, NO_ROOM)
            return events.InputArrived(command.attempt, events.FetchedInput("input", ranges))

        self._ask(command.address, 6.0, answer, away)

    def _fetch_segments(self, command: events.FetchSegments) -> None:
        wanted = command.request.maps
        scope = tickets.partition_scope(command.request.step, command.request.partition)

        def answer(host: Any) -> events.Event:
            if not host.opens(self, command.ticket, scope):
                return events.SegmentsArrived(attempt=command.attempt, fetch=command.fetch)
            if self._is_full:
                return events.FetchFailed(command.attempt, NO_ROOM)
            return self._receive(command, host)

        silent = tuple((source, "no answer") for source in wanted)
        failed = events.SegmentsArrived(attempt=command.attempt, fetch=command.fetch, lost=silent)
        delay = self._world.clock.chance.uniform(0.0, self._world.segment_time) if self._world.segment_time else 0.0
        self.fetching += 1
        self._ask(command.holder.address, 10.0, answer, failed, delay=delay, over=self._fetch_is_over)

    def _fetch_is_over(self) -> None:
        self.fetching -= 1

    def _receive(self, command: events.FetchSegments, host: Any) -> events.SegmentsArrived:
        """Take what the holder gives, until the connection breaks; a damaged segment is asked for once more."""
        wanted, network = command.request.maps, self._world.network
        arrived: list[events.FetchedSegment] = []
        lost: list[tuple[AttemptId, str]] = []
        whole = network.break_off(len(wanted))
        if self._world.clock.chance.random() < 0.5:
            lost = [(source, "the connection broke") for source in wanted[whole:]]
        for source in wanted[:whole]:
            segments = host.outputs.get(source)
            if segments is None:
                lost.append((source, "the holder has no such output"))
                continue
            if source in host.damaged or (network.spoils() and network.spoils()):
                self._world.hit("corrupted segment")
                lost.append((source, "the segment is damaged"))
                continue
            rows = toy.segment(segments, command.request)
            self._fetched[command.attempt, source] = rows
            arrived.append(events.FetchedSegment(source, "fetched", 0, len(rows), len(rows), 0))
        return events.SegmentsArrived(
            attempt=command.attempt, fetch=command.fetch, arrived=tuple(arrived), lost=tuple(lost)
        )

    def _ask(
        self, place: str, patience: float, answer: Any, failed: events.Event, *, delay: float = 0.0, over: Any = None
    ) -> None:
        """Ask another process for data; `failed` happens when it does not run or is cut off."""
        world = self._world
        told: list[bool] = []

        def once(event: events.Event) -> None:
            if not told:
                told.append(True)
                if over is not None:
                    over()
                self._handle(event)

        def deliver() -> None:
            host = world.platform.host(place)
            event = failed if host is None or not self._alive else answer(host)
            world.network.send(place, self.name, lambda: once(event))

        world.clock.after(patience, lambda: once(failed))
        world.network.send(self.name, place, lambda: world.clock.after(delay, deliver) if delay else deliver())

    # --- slots ----------------------------------------------------------------------------

    def _run(self, command: events.MapInSlot | events.ReduceInSlot) -> None:
        assert command.slot not in self._running, f"slot {command.slot} of {self.name} has two attempts"
        self._running[command.slot] = command
        chance = self._world.clock.chance
        maps = isinstance(command, events.MapInSlot)
        end = self._map if maps else self._reduce
        shortest, longest = self._world.map_time if maps else self._world.reduce_time
        if self._world.toy.is_spoiled(command.attempt.task):
            end = self._fail
            self._world.hit("poison record")
        if self._world.slots_die and chance.random() < 0.05:
            end = self._die
        seconds = chance.uniform(shortest, longest) * self.pace
        self._world.clock.after(seconds, lambda: self._finish(command, end))
        if seconds > PROGRESS:
            self._world.clock.after(PROGRESS, lambda: self._progress(command, 1))

    def _progress(self, command: Any, marks: int) -> None:
        running = self._running.get(command.slot)
        if self._alive and running is not None and running is command and command.attempt not in self._hanging:
            self._handle(events.Progressed(command.attempt, 0, 0, marks))
            self._world.clock.after(PROGRESS, lambda: self._progress(command, marks + 1))

    def _finish(self, command: Any, end: Any) -> None:
        running = self._running.get(command.slot)
        if self._alive and running is not None and running is command and command.attempt not in self._hanging:
            del self._running[command.slot]
            full = events.Broke(command.attempt, NO_ROOM) if self._is_full else None
            self._handle(full or end(command))

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
            bad=self._world.toy.bad(toy.text_of(command.split), command.attempt),
            sample=toy.sample(segments, command.samples) if self._world.toy.total else (),
            sizes=partition_sizes.pack(toy.sizes(segments)),
            heavy=toy.heavy(segments),
        )
        return events.MapDone(command.attempt, output, 1)

    def _map_part(self, command: events.MapInSlot) -> events.Event:
        part = self._world.toy.map_part(command.split.index)
        self.parts[command.attempt] = self._world.at_rest(part)
        found = toy.facts(part)
        return events.MapPartDone(
            attempt=command.attempt,
            checksum=found.checksum,
            rows=found.rows,
            size=found.size,
            records=1,
            counters=self._world.toy.counters(command.split.index, command.attempt),
            bad=self._world.toy.bad(command.split.index, command.attempt),
        )

    def _reduce(self, command: events.ReduceInSlot) -> events.Event:
        fetched = [self._fetched[command.attempt, segment.source] for segment in command.segments]
        part = toy.reduce(fetched, command.range)
        self.parts[command.attempt] = self._world.at_rest(part)
        found = toy.facts(part)
        counted = {"keys": found.rows, "tries": toy.tries(command.attempt)}
        return events.ReduceDone(
            attempt=command.attempt, checksum=found.checksum, rows=found.rows, size=found.size, counters=counted
        )
