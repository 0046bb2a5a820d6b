"""The shell around one core: events in order, requests and their answers, starts and stops beside the loop."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from mapreduce.errors import SystemFault
from mapreduce.protocol import Exchange
from mapreduce_operator.core.events import (
    Announce,
    Command,
    Disconnected,
    Ended,
    EpochRead,
    Event,
    Exchanged,
    JobStatus,
    PublishStatus,
    ReadEpoch,
    Reply,
    StartWorker,
    StopWorker,
    Ticked,
    WorkerClosed,
    WorkerNotStarted,
)
from mapreduce_operator.runtime.driver import NotStartedError
from mapreduce_operator.runtime.jobs import JobRuntime, JobUnavailable
from tests.support.runtimes import NotedDriver, NotedObserver, ScriptedCore, answer, spec

GONE = WorkerClosed("w-0", "WorkerLost")
START = StartWorker(name="w-0", role="worker", index=0, incarnation="1-0")
STOP = StopWorker(name="w-0", uid="u", reason="Cancelled")


class World:
    """A runtime with everything around it noted."""

    def __init__(self, script: dict[type, tuple[Command, ...]] | None = None, fault: Exception | None = None) -> None:
        self.core = ScriptedCore(lambda event: (script or {}).get(type(event), ()))
        self.observer = NotedObserver()
        self.driver = NotedDriver(fault)
        self.job = JobRuntime(spec(), self.core, self.driver, self.observer)


def exchanged(number: int) -> Event:
    return Exchanged(request=number, session="s", body=Exchange(epoch=1, seen=0))


async def settle() -> None:
    """Let every task that is ready run to its next wait."""
    for _ in range(10):
        await asyncio.sleep(0)


def in_loop(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_commands_are_carried_out_in_their_order() -> None:
    async def scene() -> None:
        status = JobStatus(phase="Mapping")
        said = Announce(kind="Normal", reason="Running", message="m")
        world = World({WorkerClosed: (said, PublishStatus(status), Ended("Failed"))})
        world.job.post(GONE)
        assert world.observer.told == [said, status, ("uid-1", "Failed")]

    in_loop(scene())


@pytest.mark.parametrize(("found", "told"), [(None, 0), (7, 7), (SystemFault("the API server is away"), None)])
def test_the_newest_epoch_is_read_when_it_is_asked_for(found: int | Exception | None, told: int | None) -> None:
    async def latest() -> int:
        if isinstance(found, int):
            return found
        raise found if found is not None else AssertionError

    async def scene() -> None:
        core = ScriptedCore(lambda event: (ReadEpoch(),) if event == GONE else ())
        job = JobRuntime(spec(), core, NotedDriver(), NotedObserver(), latest_epoch=latest if found else None)
        job.post(GONE)
        await settle()
        assert core.events == [GONE, EpochRead(told)]

    in_loop(scene())


def test_a_request_waits_until_a_later_event_brings_its_answer() -> None:
    async def scene() -> None:
        world = World({WorkerClosed: (Reply(1, answer()),)})
        request = asyncio.create_task(world.job.request(exchanged))
        await settle()
        assert not request.done()
        world.job.post(GONE)
        assert await request == Reply(1, answer())

    in_loop(scene())


def test_a_client_that_goes_away_is_told_to_the_core_and_its_late_answer_is_dropped() -> None:
    async def scene() -> None:
        world = World({WorkerClosed: (Reply(1, answer()),)})
        request = asyncio.create_task(world.job.request(exchanged))
        await settle()
        request.cancel()
        await settle()
        world.job.post(GONE)
        assert world.core.events[1:] == [Disconnected(1), GONE]

    in_loop(scene())


def test_an_event_posted_while_another_is_handled_comes_after_it() -> None:
    async def scene() -> None:
        world = World({WorkerClosed: (Announce(kind="Normal", reason="Running", message="m"), Ended("Failed"))})
        world.observer.announced = lambda *_: world.job.post(Ticked())  # type: ignore[method-assign]  # a fake
        world.job.post(GONE)
        assert world.core.events == [GONE, Ticked()]

    in_loop(scene())


def test_starting_and_stopping_one_worker_happens_in_order_and_beside_the_loop() -> None:
    async def scene() -> None:
        world = World({WorkerClosed: (START, STOP)})
        world.job.post(GONE)
        assert world.driver.done == []
        await settle()
        assert world.driver.done == [START, STOP]

    in_loop(scene())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            NotStartedError("QuotaExceeded", "no room", final=True),
            WorkerNotStarted(name="w-0", reason="QuotaExceeded", message="no room", final=True),
        ),
        (
            NotStartedError("NotStarted", "no answer", unanswered=True),
            WorkerNotStarted(name="w-0", reason="NotStarted", message="no answer", unanswered=True),
        ),
        (
            RuntimeError("boom"),
            WorkerNotStarted(name="w-0", reason="InternalError", message="boom"),
        ),
    ],
)
def test_a_worker_that_cannot_be_started_is_an_event(fault: Exception, expected: Event) -> None:
    async def scene() -> None:
        world = World({WorkerClosed: (START,)}, fault)
        world.job.post(GONE)
        await settle()
        assert world.core.events == [GONE, expected]

    in_loop(scene())


def test_a_defect_marks_this_job_fails_its_requests_and_handles_nothing_more() -> None:
    async def scene() -> None:
        world = World()
        request = asyncio.create_task(world.job.request(exchanged))
        await settle()
        defect = ZeroDivisionError("defect")

        def break_down(_: Event) -> tuple[Command, ...]:
            raise defect

        world.core.script = break_down
        world.job.post(GONE)
        world.job.post(GONE)
        with pytest.raises(JobUnavailable):
            await request
        with pytest.raises(JobUnavailable):
            await world.job.request(exchanged)
        assert world.observer.told == [("uid-1", defect)]
        assert len(world.core.events) == 2

    in_loop(scene())


def test_closing_fails_parked_requests_and_drops_later_events() -> None:
    async def scene() -> None:
        world = World()
        world.job.begin()
        request = asyncio.create_task(world.job.request(exchanged))
        await settle()
        await world.job.close()
        with pytest.raises(JobUnavailable):
            await request
        handled = len(world.core.events)
        world.job.post(GONE)
        assert len(world.core.events) == handled

    in_loop(scene())


def test_time_is_told_by_ticks() -> None:
    async def scene() -> None:
        world = World()
        world.job.begin()
        await settle()
        assert world.core.events == [Ticked()]
        await world.job.close()

    in_loop(scene())
