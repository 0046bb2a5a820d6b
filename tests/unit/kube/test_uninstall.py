"""The hook that runs before the chart is removed."""

import asyncio

import pytest

from mapreduce import words
from mapreduce_operator.kube import uninstall
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import ApiError, Conflict, Forbidden
from tests.support.fake_api import FakeApi, HeldLease
from tests.support.kube_objects import body, pod

JOB = Ref(words.PLURAL, "team", "wordcount")
HELD = body(metadata={"finalizers": [words.FINALIZER]})


class Granted(HeldLease):
    """A Lease that is had at once."""

    async def acquire(self):
        return 2


class Contested(FakeApi):
    """Somebody else changes a job before each of the first patches of it."""

    def __init__(self, times):
        super().__init__((JOB, HELD))
        self.times = times

    async def list_in(self, resource, namespaces, selector=""):
        return [body for namespace in namespaces for body in await self.list_all(Ref(resource, namespace), selector)]

    async def merge_patch(self, ref, body):
        if ref.resource == words.PLURAL and self.times:
            self.times -= 1
            raise Conflict("changed", status=409)
        return await super().merge_patch(ref, body)


def removed(times, monkeypatch):
    """Run the hook and return the job's finalizers."""
    monkeypatch.setattr(uninstall, "PAUSE", 0.0)
    api = Contested(times)
    asyncio.run(uninstall.run(api, Granted(), ("team",), ("system", "mapreduce-operator")))
    return api.objects[JOB]["metadata"]["finalizers"]


def test_every_job_is_let_go_even_in_the_last_round(monkeypatch):
    assert removed(0, monkeypatch) == []
    assert removed(uninstall.TRIES - 1, monkeypatch) == []


def test_jobs_that_cannot_be_let_go_stop_the_removal_and_are_named(monkeypatch):
    with pytest.raises(ApiError, match="team/wordcount"):
        removed(uninstall.TRIES, monkeypatch)


def test_every_pod_of_an_operator_is_deleted_and_no_object_of_a_user(monkeypatch):
    monkeypatch.setattr(uninstall, "PAUSE", 0.0)
    api = Contested(0)
    ours, claim = Ref("pods", "team", "wordcount-0f1e2d3c-w-0-1-0"), Ref("persistentvolumeclaims", "team", "results")
    api.put(ours, pod(phase="Running"))
    api.put(claim, {})
    asyncio.run(uninstall.run(api, Granted(), ("team",), ("system", "mapreduce-operator")))
    assert api.deleted == [(ours, "pod-1")]
    assert {claim, JOB} <= api.objects.keys()


def test_a_job_that_was_being_deleted_goes_with_its_finalizer(monkeypatch):
    monkeypatch.setattr(uninstall, "PAUSE", 0.0)
    api = Contested(1)
    asyncio.run(api.delete(JOB))
    asyncio.run(uninstall.run(api, Granted(), ("team",), ("system", "mapreduce-operator")))
    assert api.objects[JOB]["metadata"]["finalizers"] == []


class Closed(Contested):
    """Answers no LIST of some namespaces."""

    def __init__(self, *closed):
        super().__init__(0)
        self.closed = closed

    async def each(self, ref, selector="", page=0):
        if ref.namespace in self.closed:
            raise Forbidden("no right", status=403)
        async for found in super().each(ref, selector, page):
            yield found

    async def list_all(self, ref, selector=""):
        if ref.namespace in self.closed:
            raise Forbidden("no right", status=403)
        return await super().list_all(ref, selector)


def test_a_namespace_that_is_refused_is_told_of_and_holds_no_removal_up(monkeypatch, caplog):
    monkeypatch.setattr(uninstall, "PAUSE", 0.0)
    api = Closed("gone")
    asyncio.run(uninstall.run(api, Granted(), ("gone", "team"), ("system", "mapreduce-operator")))
    assert api.objects[JOB]["metadata"]["finalizers"] == []
    (told,) = [record.getMessage() for record in caplog.records if "cannot be listed" in record.getMessage()]
    assert "namespace gone cannot be listed" in told
    assert words.FINALIZER in told


@pytest.mark.parametrize(("closed", "watched"), [(("gone", "team"), ("gone", "team")), (("",), ())])
def test_where_no_namespace_can_be_listed_the_removal_is_stopped(monkeypatch, closed, watched):
    monkeypatch.setattr(uninstall, "PAUSE", 0.0)
    with pytest.raises(Forbidden):
        asyncio.run(uninstall.run(Closed(*closed), Granted(), watched, ("system", "mapreduce-operator")))
