"""What is sent of one job, when sending meets a defect of ours."""

import asyncio

import pytest

from mapreduce import words
from mapreduce_operator.core.events import Announce, JobStatus
from mapreduce_operator.kube import publish
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import Conflict
from mapreduce_operator.kube.publish import Publisher
from tests.support.fake_api import FakeApi, writer
from tests.support.kube_objects import body, parsed

JOB = Ref(words.PLURAL, "team", "wordcount")
DONE = JobStatus(phase="Succeeded")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(publish, "RETRY", 0.0)
    monkeypatch.setattr(publish, "INTERVAL", 0.0)


class Defective(FakeApi):
    """Raises what no error of ours is, a number of times, where one kind of object is written."""

    def __init__(self, resource, times):
        super().__init__((JOB, body()))
        self.resource = resource
        self.times = times

    def meet(self, ref):
        if ref.resource == self.resource and self.times:
            self.times -= 1
            raise KeyError("metadata")

    async def create(self, ref, body):
        self.meet(ref)
        return await super().create(ref, body)

    async def merge_patch(self, ref, body):
        self.meet(ref)
        return await super().merge_patch(ref, body)


def shown(api, *statuses):
    """Announce something, show each status in turn, and return the phase that stands there in the end."""

    async def go():
        publisher = Publisher(writer(api), parsed().owner, 1, {})
        publisher.announce(Announce(kind="Normal", reason="Started", message="m"))
        for status in statuses:
            publisher.set_status(status)
            async with asyncio.timeout(10):
                await publisher.flush()
        await publisher.close()

    asyncio.run(go())
    return api.objects[JOB].get("status", {}).get("phase")


def test_a_defect_that_passes_costs_nothing():
    assert shown(Defective(words.PLURAL, publish.DEFECT_TRIES - 1), DONE) == "Succeeded"


def test_a_defect_that_stays_does_not_keep_the_job_waiting_and_the_next_status_is_sent():
    api = Defective(words.PLURAL, publish.DEFECT_TRIES)
    assert shown(api, JobStatus(phase="Mapping")) is None
    api = Defective(words.PLURAL, publish.DEFECT_TRIES)
    assert shown(api, JobStatus(phase="Mapping"), DONE) == "Succeeded"


def test_an_event_that_cannot_be_sent_does_not_hold_up_the_status():
    assert shown(Defective("events", 1000), DONE) == "Succeeded"


class Contended(FakeApi):
    """Meets a conflict at the first patches of a status, a number of times."""

    def __init__(self, times):
        super().__init__((JOB, body()))
        self.times = times

    async def merge_patch(self, ref, body):
        if self.times:
            self.times -= 1
            raise Conflict("the object has been modified", status=409)
        return await super().merge_patch(ref, body)


def test_a_final_status_is_not_lost_to_others_who_write_at_the_same_time():
    assert shown(Contended(publish.CONFLICT_TRIES - 1), DONE) == "Succeeded"
    again = Contended(publish.CONFLICT_TRIES - 1)
    assert shown(again, JobStatus(phase="Mapping"), DONE) == "Succeeded"


def test_a_status_of_a_job_whose_name_another_has_by_now_is_dropped():
    assert shown(Contended(publish.CONFLICT_TRIES), DONE) is None


class Recorded(FakeApi):
    """Notes what is written, in its order."""

    def __init__(self):
        super().__init__((JOB, body()))
        self.order = []

    async def create(self, ref, body):
        self.order.append(body["reason"])
        return await super().create(ref, body)

    async def merge_patch(self, ref, body):
        self.order.append(body["status"]["phase"])
        return await super().merge_patch(ref, body)


def test_who_sees_the_end_finds_the_event_that_led_to_it(monkeypatch):
    api = Recorded()
    monkeypatch.setattr(publish, "INTERVAL", 60.0)

    async def go():
        publisher = Publisher(writer(api), parsed().owner, 1, {})
        publisher.set_status(JobStatus(phase="Mapping"))
        async with asyncio.timeout(10):
            await publisher.flush()
            publisher.set_status(JobStatus(phase="Reducing"))
            # It waits now, for the second between two patches.
            for _ in range(10):
                await asyncio.sleep(0)
            publisher.announce(Announce(kind="Warning", reason="UserCodeFailed", message="m"))
            publisher.set_status(JobStatus(phase="Failed"))
            await publisher.flush()
        await publisher.close()

    asyncio.run(go())
    assert api.order == ["Mapping", "UserCodeFailed", "Failed"]
