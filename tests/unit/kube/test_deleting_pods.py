"""The Pods of a job that is over are deleted until none is left, and those that a node ends are left to it."""

import asyncio

from mapreduce_operator.kube import objects
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.resource import Owner
from tests.support.fake_api import FakeApi, writer
from tests.support.kube_objects import UID, deleted, pod


def left(name, *, bound, ending):
    """A Pod, on a node or not, that was deleted before or not."""
    made = deleted(pod()) if ending else pod()
    made["metadata"] |= {"name": name, "uid": f"uid of {name}"}
    made["spec"] = {"nodeName": "node-1"} if bound else {}
    return Ref("pods", "team", name), made


def test_a_deletion_that_was_broken_off_is_made_again_and_one_that_a_node_carries_out_is_not():
    api = FakeApi(
        left("waits", bound=False, ending=False),
        left("runs", bound=True, ending=False),
        left("half-gone", bound=False, ending=True),
        left("ends", bound=True, ending=True),
    )

    async def go():
        owner = Owner("wordcount", "team", UID)
        assert not await objects.delete_pods(api, writer(api), owner)
        assert {ref.name for ref, _ in api.deleted} == {"waits", "runs", "half-gone"}
        assert all(uid == f"uid of {ref.name}" for ref, uid in api.deleted)
        api.objects.clear()
        assert await objects.delete_pods(api, writer(api), owner)

    asyncio.run(go())
