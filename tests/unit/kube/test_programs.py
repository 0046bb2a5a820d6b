"""A job goes on with the program that it began with, whatever becomes of the ConfigMap that held it."""

import asyncio
from typing import Any

import pytest

from mapreduce_operator.kube import config_maps, programs
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import ApiError, InvalidSpec
from tests.support.fake_api import FakeApi
from tests.support.followed_job import CLAIMS, World, following, settled
from tests.support.kube_objects import body, parsed

SOURCE = Ref("configmaps", "team", "code")
COPY = Ref("configmaps", "team", "wordcount-0f1e2d3c-program")
JOB = body(program={"configMap": {"name": "code", "key": "count.py"}})
FIRST = {"data": {"count.py": "first\n", "words.txt": "a\n"}, "binaryData": {"table.bin": "/wD+"}}
FILES = {"count.py": b"first\n", "words.txt": b"a\n", "table.bin": b"\xff\x00\xfe"}


def test_what_a_config_map_holds_is_kept_for_the_job_alone_and_for_ever():
    owner = parsed().owner
    made = programs.manifest(owner, FILES)
    assert made["immutable"] is True
    assert made["metadata"]["name"] == COPY.name
    assert made["metadata"]["ownerReferences"][0]["uid"] == owner.uid
    assert (made["data"], made["binaryData"]) == (FIRST["data"], FIRST["binaryData"])

    async def go():
        api = FakeApi((SOURCE, FIRST))
        assert await programs.find(api, JOB) == programs.Found(FILES, kept=False)
        api.put(COPY, made)
        api.put(SOURCE, {"data": {"count.py": "second\n"}})
        assert await programs.find(api, JOB) == programs.Found(FILES, kept=True)

    asyncio.run(go())


def test_an_operator_that_restarts_goes_on_with_the_program_that_the_job_began_with():
    async def go():
        world = World(JOB, *CLAIMS, (SOURCE, FIRST))
        async with following(world):
            began = world.core.spec.program
            assert began.source == b"first\n"
            assert [file.name for file in began.files] == ["table.bin", "words.txt"]
        world.api.objects.pop(SOURCE)
        async with following(world):
            assert world.core.spec.program == began
            assert world.resumed == [False, True]

    asyncio.run(go())


def test_a_copy_whose_creation_got_no_answer_is_the_one_that_counts():
    async def go():
        world = World(JOB, *CLAIMS, (SOURCE, FIRST))
        create = world.api.create

        async def lost(ref, made):
            await create(ref, made)
            if made["metadata"]["name"] == COPY.name:
                world.api.put(SOURCE, {"data": {"count.py": "second\n"}})
                raise ApiError("no answer")
            return made

        api: Any = world.api
        api.create = lost
        async with following(world) as job:
            assert world.cores == []
            api.create = create
            job.seen(world.resource)
            await settled()
            assert world.core.spec.program.source == b"first\n"

    asyncio.run(go())


def test_a_config_map_of_the_copy_s_name_that_is_not_the_job_s_is_not_run():
    async def go():
        world = World(JOB, *CLAIMS, (SOURCE, FIRST), (COPY, {"data": {"count.py": "forged\n"}}))
        async with following(world):
            (condition,) = world.resource["status"]["conditions"]
            assert condition["reason"] == "InvalidSpec"
            assert "does not belong to this job" in condition["message"]
            assert world.cores == []

    asyncio.run(go())


def test_a_key_that_is_not_there_is_named():
    async def go():
        missing: Any = await programs.find(FakeApi((SOURCE, {"data": {"other.py": ""}})), JOB)
        assert missing.message == "the ConfigMap 'code' has no key 'count.py'"
        absent: Any = await programs.find(FakeApi(), JOB)
        assert "'code'" in absent.message
        assert absent.reason == missing.reason == "ProgramNotFound"

    asyncio.run(go())


@pytest.mark.parametrize("content", ["no base64!", "abc", "é", 3])
def test_binary_data_that_cannot_be_read_is_refused_with_its_key(content):
    with pytest.raises(InvalidSpec, match=r"the key 'table\.bin' of the program's ConfigMap"):
        config_maps.files_of({"binaryData": {"table.bin": content}})


def test_files_come_back_from_a_config_map_as_they_were():
    assert config_maps.files_of(config_maps.data_of(FILES)) == FILES
    assert config_maps.files_of({}) == {}
