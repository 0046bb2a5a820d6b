"""Of a job that is over the operator keeps what is shown of it, for as long as its resource exists."""

import asyncio
import gc
import weakref

import msgspec

from mapreduce_operator.core.events import Condition, Ended, JobStatus, PublishStatus, TaskFailure, WorkersListed
from mapreduce_operator.kube import status
from tests.support.followed_job import World, following, settled
from tests.support.kube_objects import body


def test_the_core_and_all_that_it_knew_is_let_go():
    async def go():
        world = World(body())
        async with following(world) as job:
            world.core.answers[WorkersListed] = (PublishStatus(JobStatus(phase="Succeeded")), Ended("Succeeded"))
            core = weakref.ref(world.core)
            job.pods_listed([], world.now)
            await settled()
            world.cores.clear()
            gc.collect()
            assert core() is None

    asyncio.run(go())


def test_of_the_texts_of_failures_as_much_is_kept_as_is_shown():
    text = "".join(chr(0x4E00 + number) for number in range(16_384))
    failure = TaskFailure(
        task="map-1",
        worker="w",
        reason="UserCodeFailed",
        message=text,
        where=text,
        traceback=text,
        output=text,
        wall=1.0,
    )
    told = JobStatus(phase="Failed", last_failures=(failure,) * 5, start_wall=1.0)
    kept = status.slimmed(told)
    assert status.patch(kept, 1, {}) == status.patch(told, 1, {})
    assert len(msgspec.json.encode(kept)) < len(msgspec.json.encode(told)) / 4


def test_of_why_a_job_failed_as_much_is_kept_as_is_shown():
    text = "".join(chr(0x4E00 + number) for number in range(16_384))
    failed = Condition(type="Failed", status="True", reason="ProgramInvalid", message=text, since=1.0)
    for told in (
        JobStatus(phase="Failed", conditions=(failed,), start_wall=1.0),
        JobStatus(phase="Failed", message=text, start_wall=1.0),
    ):
        kept = status.slimmed(told)
        assert status.patch(kept, 1, {}) == status.patch(told, 1, {})
        assert status.least(kept, 1, {}) == status.least(told, 1, {})
        assert len(msgspec.json.encode(kept)) < len(msgspec.json.encode(told)) / 3
