"""A core that does as it is told, and what stands around a `JobRuntime` in a test."""

from __future__ import annotations

from collections.abc import Callable

from mapreduce.program import Program
from mapreduce.protocol import Answer, JobContext, Registered
from mapreduce.spec import JobSpec
from mapreduce_operator.core.events import (
    Announce,
    Command,
    Event,
    FindJobs,
    Instant,
    JobStatus,
    Outcome,
    StartWorker,
    StopWorker,
)
from mapreduce_operator.runtime.jobs import Phase

Script = Callable[[Event], tuple[Command, ...]]


def spec(uid: str = "uid-1") -> JobSpec:
    """Return a small job."""
    return JobSpec(uid=uid, name="job", program=Program("job.py", b"pass"), inputs=("in",), output="out")


class ScriptedCore:
    """Keeps every event, and asks for what the script says."""

    def __init__(self, script: Script = lambda _: ()) -> None:
        self.events: list[Event] = []
        self.script = script
        self.next_incarnation = 0

    def handle(self, event: Event, at: Instant) -> Outcome:
        """Note the event; follow the script."""
        self.events.append(event)
        return Outcome(self.script(event))


class NotedObserver:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def status_changed(self, uid: str, status: JobStatus) -> None:
        """Keep the status."""
        self.told.append(status)

    def announced(self, uid: str, announcement: Announce) -> None:
        """Keep the announcement."""
        self.told.append(announcement)

    def jobs_sought(self, uid: str, sought: FindJobs) -> None:
        """Keep the question."""
        self.told.append((uid, sought))

    def ended(self, uid: str, phase: Phase) -> None:
        """Keep the phase."""
        self.told.append((uid, phase))

    def deposed(self, uid: str, message: str) -> None:
        """Keep why it has to end."""
        self.told.append(message)

    def broken(self, uid: str, error: Exception) -> None:
        """Keep the error."""
        self.told.append((uid, error))


class NotedDriver:
    """Keeps the commands in the order in which they were carried out."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.done: list[StartWorker | StopWorker] = []
        self.fault = fault

    async def start(self, command: StartWorker) -> None:
        """Keep the command, or fail."""
        if self.fault is not None:
            raise self.fault
        self.done.append(command)

    async def stop(self, command: StopWorker) -> None:
        """Keep the command."""
        self.done.append(command)


def registered(session: str, worker: str = "w-0") -> Registered:
    """Return an answer to a registration."""
    job = spec()
    return Registered(
        session=session,
        worker=worker,
        epoch=1,
        job=JobContext(spec=job, program_digest=job.program.digest),
        timing=job.timing,
        limits=job.limits,
        ticket_keys=(b"k",),
    )


def answer(number: int = 1) -> Answer:
    """Return an answer to an exchange that asks for nothing."""
    return Answer(epoch=1, number=number, acknowledged=0)
