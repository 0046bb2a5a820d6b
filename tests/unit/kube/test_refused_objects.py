"""A job whose objects, before there is a core and a Pod, are refused by a quota, a rule or the API server itself."""

import asyncio
from typing import Any

from mapreduce_operator.kube import reconcile
from mapreduce_operator.kube.errors import Forbidden, Rejected
from tests.support.followed_job import World, following, settled
from tests.support.kube_objects import body


def refusing(world, error):
    """Let every ConfigMap be refused; everything else goes on."""
    create = world.api.create

    async def refuse(ref, given):
        if ref.resource == "configmaps":
            raise error
        return await create(ref, given)

    world.api.create = refuse


def test_a_job_whose_objects_are_not_allowed_says_so_and_fails_at_the_deadline(monkeypatch):
    monkeypatch.setattr(reconcile, "LOOK_AGAIN", 0.0)

    async def go():
        world = World(body(preRunningDeadlineSeconds=60))
        refusing(world, Forbidden("exceeded quota: maps, used: count/configmaps=10", status=403))
        async with following(world):
            assert world.resource["status"]["phase"] == "Pending"
            assert "exceeded quota: maps" in world.resource["status"]["message"]
            (told,) = [given for ref, given in world.api.created if ref.resource == "events"]
            assert (told["type"], told["reason"]) == ("Warning", "ObjectRefused")
            world.now += 60.0
            await settled()
            (condition,) = world.resource["status"]["conditions"]
            assert (condition["type"], condition["reason"]) == ("Failed", "DeadlineExceeded")
            assert "exceeded quota: maps" in condition["message"]
            assert world.cores == []

    asyncio.run(go())


def test_a_job_goes_on_once_its_objects_are_allowed(monkeypatch):
    monkeypatch.setattr(reconcile, "LOOK_AGAIN", 0.0)

    async def go():
        world = World(body())
        api: Any = world.api
        allowed = api.create
        refusing(world, Forbidden("exceeded quota", status=403))
        async with following(world):
            assert world.cores == []
            api.create = allowed
            await settled()
            assert len(world.cores) == 1

    asyncio.run(go())


def test_a_job_whose_objects_make_no_sense_to_the_api_server_fails_at_once():
    async def go():
        world = World(body())
        refusing(world, Rejected("ConfigMap is invalid", status=422))
        async with following(world):
            (condition,) = world.resource["status"]["conditions"]
            assert (condition["type"], condition["reason"]) == ("Failed", "ObjectRefused")
            assert "ConfigMap is invalid" in condition["message"]
            assert world.cores == []

    asyncio.run(go())


def test_objects_that_are_there_already_need_not_be_allowed_again():
    async def go():
        world = World(body())
        async with following(world):
            assert len(world.cores) == 1
        refusing(world, Forbidden("exceeded quota", status=403))
        async with following(world):
            assert len(world.cores) == 2, "an operator that restarts goes on"

    asyncio.run(go())
