"""Pods that look like ours and were made by somebody else: the core of a job never hears of them."""

import asyncio

from mapreduce import words
from mapreduce_operator.core.events import WorkerChanged, WorkersListed
from mapreduce_operator.kube import observe
from mapreduce_operator.kube.client import Ref
from tests.support.followed_job import CLAIMS, World, following, seen
from tests.support.kube_objects import body, pod


def lookalike(word, **status):
    """Return a running Pod with our labels and owner, and this word on it."""
    made = pod(phase="Running", **status)
    made["metadata"] |= {"name": "wordcount-0f1e2d3c-w-1-1-0", "uid": "false", "annotations": {"other": "a"}}
    if word:
        made["metadata"]["annotations"][words.ANNOTATION_START] = word
    return made


def test_neither_a_watch_nor_a_list_tells_the_core_of_a_pod_that_no_operator_made():
    stolen = pod()["metadata"]["annotations"][words.ANNOTATION_START]

    async def go():
        for word in ("", "guessed", stolen):
            false = lookalike(word)
            where = Ref("pods", "team", false["metadata"]["name"])
            world = World(body(), *CLAIMS, (where, false))
            async with following(world) as job:
                assert WorkersListed(()) in world.core.told, "the LIST before the core began"
                world.core.told.clear()
                found = observe.seen(false)
                assert found is not None
                job.pod_seen(found)
                world.now += 1
                job.pods_listed([found, seen(phase="Running")], world.now)
                assert world.core.told == [WorkersListed((seen(phase="Running").worker,))]
                job.pod_seen(seen(phase="Running"))
                assert isinstance(world.core.told[-1], WorkerChanged)

    asyncio.run(go())
