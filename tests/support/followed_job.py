"""One job followed by `kube.reconcile` on an API server that is a dictionary; its cores note what they are told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from mapreduce import words
from mapreduce.spec import JobSpec
from mapreduce_operator.core.events import Command, Event, Instant, Outcome, StartWorker, StopWorker, Ticked
from mapreduce_operator.kube import observe
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.existing import Existing
from mapreduce_operator.kube.observe import PodSeen
from mapreduce_operator.kube.reconcile import Job
from mapreduce_operator.kube.running import Shared
from mapreduce_operator.runtime.registry import Registry
from tests.support.fake_api import FakeApi, writer
from tests.support.kube_objects import DEFAULTS, PLATFORM, UID, pod

JOB = Ref(words.PLURAL, "team", "wordcount")
CLAIMS: list[tuple[Ref, dict[str, Any]]] = [
    (Ref("persistentvolumeclaims", "team", name), {}) for name in ("texts", "results")
]


class Core:
    """Notes every event but ticks; answers some with prepared commands."""

    def __init__(self, spec: JobSpec, answers: Mapping[type, tuple[Command, ...]]) -> None:
        self.spec = spec
        self.told: list[Event] = []
        self.answers = dict(answers)
        self.next_incarnation = 0

    def handle(self, event: Event, at: Instant) -> Outcome:
        """Note it."""
        if not isinstance(event, Ticked):
            self.told.append(event)
        return Outcome(tuple(self.answers.pop(type(event), ())))


class NoDriver:
    """Starts nothing."""

    async def start(self, command: StartWorker) -> None:
        """Fail."""
        raise AssertionError(command)

    async def stop(self, command: StopWorker) -> None:
        """Fail."""
        raise AssertionError(command)


class World:
    """The job, its API server and its clocks."""

    def __init__(self, resource: dict[str, Any], *objects: tuple[Ref, dict[str, Any]]) -> None:
        self.api = FakeApi((JOB, resource), *(objects or CLAIMS))
        self.cores: list[Core] = []
        self.answers: dict[type, tuple[Command, ...]] = {}
        """With what every new core answers the first event of a kind."""
        self.resumed: list[bool] = []
        self.first_incarnations: list[int] = []
        self.deposed: list[str] = []
        self.epoch = 1
        self.now = 100.0
        self.wall = 1_790_000_000.0
        self.registry = Registry()
        self.exist: list[tuple[str, ...]] = [(UID,)]
        """What one look after the other finds; the last one stays."""

    def make_core(self, spec: JobSpec, resumed: bool, first_incarnation: int) -> Core:
        """Make one that notes."""
        self.first_incarnations.append(first_incarnation)
        self.cores.append(Core(spec, self.answers))
        self.resumed.append(resumed)
        return self.cores[-1]

    async def find(self) -> Existing:
        """Return the jobs that exist."""
        return Existing(frozenset(self.exist.pop(0) if len(self.exist) > 1 else self.exist[0]))

    async def latest_epoch(self) -> int:
        """Return the newest epoch."""
        return self.epoch

    def shared(self) -> Shared:
        """Return what the job is followed with."""
        return Shared(
            api=self.api,
            writer=writer(self.api),
            registry=self.registry,
            platform=PLATFORM,
            defaults=DEFAULTS,
            make_core=self.make_core,
            make_driver=lambda job, tell: NoDriver(),
            latest_epoch=self.latest_epoch,
            deposed=self.deposed.append,
            clock=lambda: self.now,
            wall=lambda: self.wall,
        )

    @property
    def resource(self) -> dict[str, Any]:
        """The job as it stands in the API server."""
        return self.api.objects[JOB]

    @property
    def core(self) -> Core:
        """The newest core."""
        return self.cores[-1]


@contextlib.asynccontextmanager
async def following(world: World, shared: Shared | None = None) -> AsyncIterator[Job]:
    """Follow the job while the block runs."""
    job = Job(world.resource, shared or world.shared(), world.find)
    try:
        await settled()
        yield job
    finally:
        await job.close()


async def settled() -> None:
    """Let everything happen that needs no time."""
    for _ in range(50):
        await asyncio.sleep(0)


def seen(**status: Any) -> PodSeen:
    """Return what is seen of a Pod with this status."""
    found = observe.seen(pod(**status))
    assert found is not None
    return found
