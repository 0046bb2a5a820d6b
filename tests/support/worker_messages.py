"""Builders of what a worker's core is told: short names for messages with few fields that matter."""

from __future__ import annotations

from mapreduce.ids import AttemptId, TaskId
from mapreduce.plan import FileRange, ListedFile, Split
from mapreduce.program import Program
from mapreduce.protocol import (
    VERSION,
    Answer,
    Assignment,
    Holder,
    JobContext,
    Locations,
    MapOutput,
    OutputsAt,
    Register,
    Registered,
    RunMap,
    RunReduce,
)
from mapreduce.spec import JobSpec, Limits, Timing
from mapreduce_worker.core.events import Answered, Command, Event, FetchedSegment, SendExchange, SendRegister
from mapreduce_worker.core.worker import WorkerCore


def map_attempt(index: int, number: int = 0, epoch: int = 1) -> AttemptId:
    return AttemptId(TaskId(0, "map", index), epoch, number)


def reduce_attempt(index: int, number: int = 0, epoch: int = 1) -> AttemptId:
    return AttemptId(TaskId(0, "reduce", index), epoch, number)


def split(index: int) -> Split:
    return Split(index, (FileRange(ListedFile("in/a.txt", "a.txt", 100, "mtime:1"), 0, 100),))


def run_map(index: int, number: int = 0, epoch: int = 1) -> RunMap:
    return RunMap(attempt=map_attempt(index, number, epoch), split=split(index), ticket="input-ticket")


def run_reduce(partition: int, maps: int, number: int = 0) -> RunReduce:
    attempt = reduce_attempt(partition, number)
    return RunReduce(attempt=attempt, partition=partition, maps=maps, ticket="segment-ticket", key_type="str")


def map_output(attempt: AttemptId, checksum: str = "c") -> MapOutput:
    return MapOutput(attempt=attempt, checksum=checksum, rows=1, size=10, key_type="str")


def segment(source: AttemptId, rows: int = 1, path: str = "/scratch/segments") -> FetchedSegment:
    return FetchedSegment(source, path, source.task.index * 10, 10 if rows else 0, rows, 7)


def holder(number: int) -> Holder:
    return Holder(number=number, worker=f"w-{number}", address=f"127.0.0.1:{9000 + number}")


def at(first: int, last: int, holder_number: int, checksum: str = "c", number: int = 0) -> OutputsAt:
    count = last - first + 1 if holder_number >= 0 else 0
    return OutputsAt(
        first=first, last=last, epoch=1, number=number, holder=holder_number, checksums=(checksum,) * count
    )


def locations(version: int, *outputs: OutputsAt, holders: tuple[int, ...] = (0, 1)) -> Locations:
    return Locations(version=version, step=0, holders=tuple(map(holder, holders)), outputs=outputs)


def registered(session: str = "s1", epoch: int = 1, *, direct: bool = False) -> Registered:
    program = Program("job.py", b"")
    spec = JobSpec(uid="job", name="job", program=program, inputs=("in/*",), output="out")
    return Registered(
        session=session,
        worker="w-0",
        epoch=epoch,
        job=JobContext(spec=spec, program_digest=program.digest, read_input_directly=direct),
        timing=Timing(),
        limits=Limits(),
        ticket_keys=(b"key",),
    )


def identity(slots: int = 2) -> Register:
    return Register(version=VERSION, engine="0", role="worker", boot="b", slots=slots, data_port=8444)


class Driven:
    """A core that is driven by hand: time stands still unless told, commands are collected."""

    def __init__(self, slots: int = 2) -> None:
        self.core = WorkerCore(identity(slots), lambda: 0.0)
        self.now = 100.0
        self.answer_number = 0
        self.sent: list[SendExchange] = []
        self.registrations: list[SendRegister] = []

    def tell(self, event: Event, after: float = 0.0) -> list[Command]:
        """Hand over an event and return the commands that are no messages to the master."""
        self.now += after
        rest: list[Command] = []
        for command in self.core.handle(event, self.now):
            if isinstance(command, SendExchange):
                self.sent.append(command)
            elif isinstance(command, SendRegister):
                self.registrations.append(command)
            else:
                rest.append(command)
        return rest

    def answer(self, *assignments: Assignment, **fields: object) -> list[Command]:
        """Answer the newest exchange with the next number."""
        self.answer_number += 1
        return self.tell(Answered(self.sent[-1].serial, self.an_answer(self.answer_number, *assignments, **fields)))

    def an_answer(self, number: int, *assignments: Assignment, **fields: object) -> Answer:
        """Return an answer; every report that was sent is acknowledged unless told otherwise."""
        reports = self.sent[-1].body.reports
        known: dict[str, object] = {
            "epoch": 1,
            "acknowledged": reports[-1].number if reports else 0,
            "input_address": "10.0.0.1:8444",
        }
        return Answer(number=number, assignments=assignments, **(known | fields))  # type: ignore[arg-type]  # fields by name
