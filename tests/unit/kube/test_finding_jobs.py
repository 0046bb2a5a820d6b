"""Which jobs exist is looked up anew each time: what was seen before may lack a job that was made since."""

import asyncio

import pytest

from mapreduce_operator.core.events import JobsFound
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import ApiError
from mapreduce_operator.kube.existing import Existing, Looks
from mapreduce_operator.kube.jobs import Jobs
from tests.support.followed_job import JOB, World
from tests.support.kube_objects import UID, body


def test_a_job_that_no_watch_has_told_of_yet_is_found():
    async def go():
        world = World(body())
        jobs = Jobs(world.shared(), ("team",))
        assert (await jobs.find()).uids == {UID}
        world.api.objects[Ref(JOB.resource, "team", "new")] = body(metadata={"name": "new", "uid": "made-now"})
        world.api.objects[Ref(JOB.resource, "elsewhere", "x")] = body(metadata={"name": "x", "uid": "not-ours"})
        assert (await jobs.find()).uids == {UID, "made-now"}
        del world.api.objects[JOB]
        assert (await jobs.find()).uids == {"made-now"}

    asyncio.run(go())


def test_where_nobody_answers_nobody_is_found_dead():
    async def go():
        world = World(body())
        jobs = Jobs(world.shared(), ())
        world.api.faults.append(ApiError("away", status=503))
        with pytest.raises(ApiError):
            await jobs.find()

    asyncio.run(go())


def test_a_look_for_who_is_seen_nowhere_is_repeated_less_and_less_often(monkeypatch):
    pauses: list[float] = []
    told: list[JobsFound] = []

    async def pause(seconds):
        pauses.append(seconds)

    async def find():
        return Existing(frozenset(), "namespace b could not be listed" if len(pauses) < 7 else "")

    async def go():
        monkeypatch.setattr(asyncio, "sleep", pause)
        looks = Looks(find, told.append)
        looks.begin(("gone",))
        await asyncio.wait(looks._tasks)

    asyncio.run(go())
    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    assert told == [JobsFound((), ("gone",))]
