"""Builders of what a gateway's core is told, and a core that has registered."""

from __future__ import annotations

from typing import Literal, TypeVar

from mapreduce.history import Frame, HistoryEvent
from mapreduce.ids import AttemptId
from mapreduce.program import Program
from mapreduce.protocol import (
    VERSION,
    Answer,
    Assignment,
    CleanUp,
    JobContext,
    MakePlan,
    Opened,
    OpenOutput,
    Outcome,
    OutputSummary,
    PublishOutput,
    Register,
    Registered,
    StagePart,
)
from mapreduce.spec import JobSpec, Limits, Timing
from mapreduce_worker.core.events import Answered, SendExchange, SendRegister, SessionOpened, Ticked
from mapreduce_worker.gateway.core import GatewayCore
from mapreduce_worker.gateway.core.operations import Command, Event, Reported
from tests.support.outputs import attempt

C = TypeVar("C")
SPEC = JobSpec(uid="uid-1", name="wc", program=Program("job.py", b""), inputs=("in/*",), output="results/wc")
SUMMARY = OutputSummary(path="results/wc", files=1, records=2, size=8, checksum="sha256:x")


def open_output(epoch: int = 1, number: int = 0) -> OpenOutput:
    return OpenOutput(attempt=attempt("open", 0, epoch, number))


def make_plan(epoch: int = 1) -> MakePlan:
    return MakePlan(attempt=attempt("plan", 0, epoch))


def stage_part(partition: int, epoch: int = 1) -> StagePart:
    return StagePart(
        attempt=attempt("stage", partition, epoch),
        partition=partition,
        source=attempt("reduce", partition, epoch),
        address="127.0.0.1:1",
        directory="",
        ticket="ticket",
        checksum="c",
        rows=1,
        size=10,
    )


def publish(through: int = 0, epoch: int = 1) -> PublishOutput:
    return PublishOutput(attempt=attempt("publish", 0, epoch), journal_through=through, manifest=b"{}")


def clean(mode: Literal["failed", "deleted"] = "deleted", epoch: int = 1) -> CleanUp:
    return CleanUp(attempt=attempt("clean", 0, epoch), mode=mode)


def frames(first: int, last: int, epoch: int = 1) -> tuple[Frame, ...]:
    return tuple(Frame(epoch, number, HistoryEvent(event="Assigned", wall=1.0)) for number in range(first, last + 1))


def registered(epoch: int = 1, session: str = "s-1") -> Registered:
    return Registered(
        session=session,
        worker="g-0",
        epoch=epoch,
        job=JobContext(spec=SPEC, program_digest="d", serves_input=True, serves_output=True),
        timing=Timing(),
        limits=Limits(),
        ticket_keys=(b"k",),
    )


def opened(work: OpenOutput, written: int = 0, published: bool = False) -> Reported:
    summary = SUMMARY if published else None
    outcome = Opened(attempt=work.attempt, pages=0, published=published, summary=summary)
    return Reported(work.attempt, (outcome,), written)


class Gateway:
    """A core with a master that answers when the test says so; `commands` are those of the last event."""

    def __init__(self) -> None:
        identity = Register(version=VERSION, engine="0", role="gateway", boot="b", slots=0, data_port=1)
        self.core = GatewayCore(identity, lambda: 0.5)
        self.now = 0.0
        self.number = 0
        self.commands: tuple[Command, ...] = ()
        self.sent: list[SendExchange] = []

    def tell(self, event: Event, after: float = 0.0) -> tuple[Command, ...]:
        self.now += after
        self.commands = self.core.handle(event, self.now)
        self.sent += [command for command in self.commands if isinstance(command, SendExchange)]
        return self.commands

    def tick(self, after: float = 0.0) -> tuple[Command, ...]:
        return self.tell(Ticked(), after)

    def register(self, epoch: int = 1) -> tuple[Command, ...]:
        """Open a session; the core may have asked for one with its last commands."""
        if not self.did(SendRegister):
            self.tick(after=10.0)
        (send,) = self.did(SendRegister)
        self.number = 0
        self.sent.clear()
        return self.tell(SessionOpened(send.serial, registered(epoch, f"s-{epoch}")))

    def answer(
        self,
        *assignments: Assignment,
        acknowledged: int = 0,
        cancellations: tuple[AttemptId, ...] = (),
        journal: tuple[Frame, ...] = (),
        epoch: int = 1,
    ) -> tuple[Command, ...]:
        """Answer the oldest exchange that was not answered yet."""
        self.number += 1
        body = Answer(
            epoch=epoch,
            number=self.number,
            acknowledged=acknowledged,
            assignments=assignments,
            cancellations=cancellations,
            journal=journal,
        )
        return self.tell(Answered(self.sent.pop(0).serial, body))

    def reports(self) -> list[Outcome]:
        """Return what the master is told in the next exchange, which may wait for an answer."""
        if not self.did(SendExchange):
            self.answer(epoch=self.core.epoch)
        return [report.outcome for send in self.did(SendExchange) for report in send.body.reports]

    def did(self, kind: type[C]) -> list[C]:
        """Return the commands of one kind that the last event gave."""
        return [command for command in self.commands if isinstance(command, kind)]


def gateway_with_open_journal(written: int = 0) -> Gateway:
    gateway = Gateway()
    gateway.register()
    work = open_output()
    gateway.answer(work)
    gateway.tell(opened(work, written))
    return gateway
