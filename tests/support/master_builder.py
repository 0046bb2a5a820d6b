"""A job under test: the real master core, and fake workers and gateways that speak the protocol with it.

`JobUnderTest` starts whoever the master asks for, delivers messages at once, and checks the
invariants after every event. Nothing runs until a test says so: `work()` lets every attempt that
runs succeed, `finish(…)`, `fail(…)` end one. Gateways do their work at once unless told to `hold`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from mapreduce import protocol
from mapreduce.bad_records import BadRecord
from mapreduce.history import Frame, HistoryEvent
from mapreduce.ids import AttemptId
from mapreduce.partition_sizes import HeavyKey
from mapreduce.plan import FileRange, ListedFile, PlanHeader, Split
from mapreduce.program import Program
from mapreduce.protocol import Register
from mapreduce.spec import JobSpec, Limits
from mapreduce_operator.core import events, invariants
from mapreduce_operator.core.events import Command, Event, Instant, JobStatus
from mapreduce_operator.core.master import Master, MasterContext
from tests.support.master_fakes import FakeProcess, FakeWorker
from tests.support.master_gateways import FakeGateway, Store

ENGINE = "1.0"
PROGRAM = Program("job.py", b"class Job: ...")


def spec(**changes: object) -> JobSpec:
    """A job's spec that tests change a little."""
    fields: dict[str, object] = {
        "uid": "0123456789abcdef",
        "name": "wordcount",
        "program": PROGRAM,
        "inputs": ("in/*.txt",),
        "output": "out/wc",
        "reducers": 2,
        "workers": 2,
    }
    return JobSpec(**(fields | changes))  # type: ignore[arg-type]  # fields by name


def plan(maps: int, reducers: int) -> tuple[PlanHeader, tuple[Split, ...]]:
    """A plan of so many maps of 100 bytes each."""
    file = ListedFile("in/a.txt", "a.txt", 100 * maps, "mtime:1")
    splits = tuple(Split(index, (FileRange(file, 100 * index, 100 * index + 100),)) for index in range(maps))
    header = PlanHeader(1, 100 * maps, maps, reducers, 100, 1 << 20, PROGRAM.digest, ENGINE)
    return header, splits


class JobUnderTest:
    """One job with its master, processes, platform and store."""

    def __init__(
        self, *, maps: int = 2, limits: Limits | None = None, resumed: bool = False, **changes: object
    ) -> None:
        self.first_event: Event | None = changes.pop("first_event", None)  # type: ignore[assignment]  # by name
        """What a master is told before anything else."""
        self.has_reduce = bool(changes.pop("has_reduce", True))
        if limits is not None:
            changes["limits"] = limits
        self.spec = spec(**changes)
        self.store: Any = Store(plan(maps, self.spec.reducers))
        self.epoch = 0
        self.mono = 1000.0
        self.numbers = itertools.count(1)
        self.processes: dict[str, FakeProcess] = {}
        self.asked_for: list[events.StartWorker] = []
        self.stopped: list[str] = []
        self.refusals: list[events.Refuse] = []
        self.announced: list[events.Announce] = []
        self.statuses: list[JobStatus] = []
        self.sought: list[tuple[str, ...]] = []
        """Other jobs of which the master asked whether they live."""
        self.ended: Any = None
        """How the job ended, or None."""
        self.start_at_once = True
        self.list_at = 0.0
        self.losses: Iterator[int] = itertools.repeat(0)
        """How many answers are lost, from exchange to exchange."""
        self.held: set[str] = set()
        """Kinds of storage tasks that gateways do not do yet."""
        self.outputs_of_maps: dict[int, str] = {}
        """Checksums of maps that are not `c<index>`."""
        self.counting: dict[str, dict[str, int]] = {}
        self.spoiled: dict[str, tuple[BadRecord, ...]] = {}
        """What attempts count, by their name, if not 1 of their kind."""
        self.sizes: dict[int, tuple[int, ...]] = {}
        self.heavy: dict[int, tuple[HeavyKey, ...]] = {}
        """What maps tell of the sizes of partitions and of heavy keys, by their index."""
        self._commands: list[Command] = []
        self.start_master(resumed=resumed)

    # --- the master -----------------------------------------------------------------------

    def start_master(self, *, resumed: bool, first_incarnation: int = 0) -> None:
        """Start a master with the next epoch; what the one before knew is gone."""
        self.epoch += 1
        context = MasterContext(
            ticket_key=b"k%d" % self.epoch,
            engine_version=ENGINE,
            resumed=resumed,
            first_incarnation=first_incarnation,
            judge="judge",
        )
        self.master = Master(self.spec, context, self.epoch)
        self.ended = None
        for process in self.processes.values():
            process.cut_off()
        if self.first_event is not None:
            self.tell(self.first_event)
        self.tell(events.Ticked())

    def restart_master(self) -> None:
        """The operator dies and comes back: a new master finds Pods, sessions and a journal."""
        self.start_master(resumed=True)
        self.list_pods()

    def restart_without_workers_at_publishing(self) -> None:
        """All parts are staged when every worker dies, and the master with them; publishing is held till then."""
        self.held.add("publish")
        self.work(rounds=12)
        assert self.phase == "Publishing"
        for worker in self.workers:
            worker.alive = False
        self.restart_master()
        self.held.clear()

    def tell(self, event: Event) -> tuple[Command, ...]:
        """Let the master handle one event, check its book, and carry out what it asks for."""
        outcome = self.master.handle(event, Instant(mono=self.mono, wall=self.mono + 1e9))
        invariants.check(self.master)
        for command in outcome.commands:
            self._carry_out(command)
        return outcome.commands

    def _carry_out(self, command: Command) -> None:
        match command:
            case events.StartWorker():
                self.asked_for.append(command)
                if self.start_at_once:
                    self.start(command)
            case events.StopWorker():
                self.stopped.append(command.name)
                self._kill_quietly(command.name)
            case events.Reply():
                self._receiver(command.request).receive(command.body)
            case events.Refuse():
                self.refusals.append(command)
                self._receiver(command.request).refused(command.status)
            case events.PublishStatus():
                self.statuses.append(command.status)
            case events.Announce():
                self.announced.append(command)
            case events.Ended():
                assert self.ended is None, "the job ended twice"
                self.ended = command.phase
            case events.FindJobs():
                self.sought.append(command.uids)
            case _:
                pass

    def _receiver(self, request: int) -> FakeProcess:
        for process in self.processes.values():
            if process.request == request:
                return process
        return FakeWorker("nobody", 0)

    # --- processes ------------------------------------------------------------------------

    def start(self, command: events.StartWorker) -> FakeProcess:
        """Start the process that the master asked for; it has not registered yet."""
        assert command.name not in self.processes, f"the name {command.name} was used before"
        kind = FakeGateway if command.role == "gateway" else FakeWorker
        process = kind(command.name, command.index, slots=self.spec.slots if kind is FakeWorker else 0)
        if isinstance(process, FakeWorker):
            process.has_reduce, process.counting = self.has_reduce, self.counting
            process.spoiled, process.sizes, process.heavy = self.spoiled, self.sizes, self.heavy
        self.processes[command.name] = process
        return process

    def register(self, process: FakeProcess, **changes: object) -> Any:
        """Let a process register; return the welcome, or None if it was refused."""
        request = next(self.numbers)
        process.request = 0
        body = Register(
            version=protocol.VERSION,
            engine=ENGINE,
            role=process.role,
            boot=process.boot,
            slots=process.slots,
            data_port=8444,
            held=process.first_page(),
            held_total=len(process.announced),
            running=process.running_ids(),
        )
        event = events.WorkerRegistered(
            request=request,
            worker=process.name,
            uid=process.uid,
            session=f"s{request}",
            address=f"{process.name}:8444",
            body=body if not changes else _changed(body, changes),
        )
        for command in self.tell(event):
            if isinstance(command, events.Welcome):
                process.welcomed(command.body)
                return command.body
            if isinstance(command, events.Refuse) and command.request == request:
                process.refused(command.status)
        return None

    def exchange(self, process: FakeProcess) -> None:
        """Let a process exchange once."""
        request = next(self.numbers)
        process.request = request
        process.answers_to_lose += next(self.losses)
        self.tell(events.Exchanged(request=request, session=process.session, body=process.exchange()))

    def settle(self) -> None:
        """Deliver messages until everybody waits for the others."""
        for _ in range(60):
            for process in self.living():
                if isinstance(process, FakeGateway) and process.session:
                    process.do_storage(self.store, self.held)
            ready = [process for process in self.living() if not process.request and not process.mute]
            if not ready or self.ended:
                return
            for process in ready:
                if not process.alive or process.request or self.ended:
                    continue
                if not process.session:
                    self.register(process)
                    continue
                self.exchange(process)
        busy = {process.name: process.answers[-1:] for process in self.living() if not process.request}
        raise AssertionError(f"the messages do not come to rest: {busy}")

    def pass_time(self, seconds: float) -> None:
        """Let time go by in ticks of half a second, with everybody beating."""
        for _ in range(max(1, round(seconds / 0.5))):
            self.mono += 0.5
            self.tell(events.Ticked())
            if self.ended:
                return
            self.settle()

    def kill(self, process: FakeProcess) -> None:
        """End a process at once; the platform tells."""
        process.alive = False
        self.tell(events.WorkerClosed(process.name, "WorkerLost", "it was killed"))
        self.settle()

    def _kill_quietly(self, name: str) -> None:
        if name in self.processes:
            self.processes[name].alive = False

    def list_pods(self) -> None:
        """Tell the master which Pods there are."""
        self.tell(events.WorkersListed(tuple(self.pod(process) for process in self.living())))

    def pod(self, process: FakeProcess, **changes: object) -> events.WorkerSeen:
        """What the platform says of a process."""
        fields: dict[str, object] = {
            "name": process.name,
            "uid": process.uid,
            "role": process.role,
            "index": process.index,
            "incarnation": process.name.split("-", 4)[-1],
            "state": "ending" if process.ending else "running",
        }
        return events.WorkerSeen(**(fields | changes))  # type: ignore[arg-type]  # fields by name

    def see(self, process: FakeProcess, **changes: object) -> None:
        """Tell the master a change of one Pod."""
        process.ending = process.ending or changes.get("state") == "ending"
        self.tell(events.WorkerChanged(self.pod(process, **changes)))
        self.settle()

    # --- who and what ---------------------------------------------------------------------

    def living(self) -> list[FakeProcess]:
        """Every process that lives, in the order of their starts."""
        return [process for process in self.processes.values() if process.alive]

    @property
    def workers(self) -> Any:
        """The workers that live."""
        return [process for process in self.living() if isinstance(process, FakeWorker)]

    @property
    def gateway(self) -> FakeGateway:
        """The gateway of the output that lives."""
        return next(process for process in self.living() if isinstance(process, FakeGateway) and process.index == 0)

    def running(self, kind: str) -> list[tuple[FakeWorker, AttemptId]]:
        """What the living workers run of one kind."""
        return [(worker, attempt) for worker in self.workers for attempt in worker.active if attempt.task.kind == kind]

    @property
    def status(self) -> Any:
        """The last status that was published."""
        return self.statuses[-1]

    @property
    def phase(self) -> Any:
        """The phase that people see."""
        return self.status.phase

    def history(self, *words: str) -> list[Any]:
        """The events of the journal, as written, with one of these names."""
        entries = (frame.entry for frame in self.all_frames())
        return [entry for entry in entries if isinstance(entry, HistoryEvent) and entry.event in words]

    def all_frames(self) -> Iterable[Frame]:
        """What is in the journal, and what this master has not been able to write yet."""
        yield from self.store.frames
        for frame, _, _ in self.master.book.journal._pending:
            if frame.sequence > self.store.written(self.epoch):
                yield frame

    # --- work -------------------------------------------------------------------------------

    def until_mapping(self) -> JobUnderTest:
        """Go on until the maps can run."""
        self.settle()
        for worker, attempt in self.running("load"):
            self.finish(worker, attempt)
        self.settle()
        return self

    def until_reducing(self) -> JobUnderTest:
        """Go on until every map has succeeded and the first reduces run."""
        self.until_mapping()
        for _ in range(1000):
            if self.phase != "Mapping":
                return self
            for worker, attempt in self.running("map"):
                self.finish(worker, attempt)
        raise AssertionError("the maps do not end")

    def finish(self, worker: FakeWorker, attempt: AttemptId) -> None:
        """Let one attempt succeed, and tell the master."""
        worker.succeed(attempt, self.outputs_of_maps.get(attempt.task.index, ""))
        worker.request = 0
        self.settle()

    def work(self, rounds: int = 1) -> None:
        """Let everything that runs, and is able to, succeed."""
        for _ in range(rounds):
            for worker in self.workers:
                for attempt in list(worker.active):
                    if worker.alive and worker.can_finish(attempt):
                        self.finish(worker, attempt)
            self.settle()

    def run_to_the_end(self) -> Any:
        """Work until the job ends; return how."""
        for _ in range(400):
            self.settle()
            if self.ended:
                return self.ended
            if self.mono >= self.list_at:
                self.list_at = self.mono + 30.0
                self.list_pods()
            self.work()
            self.pass_time(0.5)
        raise AssertionError(f"the job does not end: {self.status}")


def _changed(body: Register, changes: dict[str, object]) -> Register:
    return msgspec.structs.replace(body, **changes)
