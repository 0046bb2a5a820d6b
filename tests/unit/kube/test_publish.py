"""What is sent of one job, when sending meets a defect of ours."""

import asyncio

import pytest

from mapreduce import words
from mapreduce_operator.core.events import Announce, Condition, JobStatus
from mapreduce_operator.kube import event_pace, publish
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import Conflict, Forbidden, Rejected, Unavailable
from mapreduce_operator.kube.publish import Publisher
from mapreduce_operator.kube.status import least
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


class Strict(FakeApi):
    """Refuses a status in which a condition's reason is longer than so many characters."""

    def __init__(self, limit):
        super().__init__((JOB, body()))
        self.limit = limit
        self.tries = 0

    async def merge_patch(self, ref, body):
        self.tries += 1
        condition = body["status"]["conditions"][0]
        if len(condition["reason"]) > self.limit:
            raise Rejected("Too long: may not be more than 1024 bytes", status=422)
        return await super().merge_patch(ref, body)


def failed_with(reason):
    condition = Condition(type="Failed", status="True", reason=reason, message="it broke", since=1.0)
    return JobStatus(phase="Failed", conditions=(condition,), completion_wall=1.0, records=7)


def test_a_final_status_that_the_api_server_refuses_is_cut_to_what_it_takes():
    api = Strict(1024)
    assert shown(api, failed_with("x" * 2000)) == "Failed"
    stands = api.objects[JOB]["status"]
    (condition,) = stands["conditions"]
    assert (condition["type"], condition["reason"], condition["message"]) == ("Failed", "InternalError", "it broke")
    assert stands["message"] == "the API server refused the whole status; it broke"
    assert "records" not in stands
    assert api.tries == publish.REJECTED_TRIES + 1


def test_a_word_that_is_known_stays_in_what_is_left_of_a_status():
    found = least(failed_with("UserCodeFailed"), 3, {})["status"]
    assert (found["conditions"][0]["reason"], found["observedGeneration"]) == ("UserCodeFailed", 3)


def test_a_status_of_which_nothing_is_taken_holds_nobody_up():
    api = Strict(0)
    assert shown(api, failed_with("UserCodeFailed")) is None
    assert api.tries == publish.REJECTED_TRIES + 1


def test_a_status_goes_before_the_events_of_a_job_that_goes_on():
    api = Recorded()
    shown(api, JobStatus(phase="Mapping"))
    assert api.order == ["Mapping", "Started"]


def test_of_a_thousand_events_some_are_sent_and_the_last_one_tells_of_the_others_before_the_end():
    api = Recorded()

    async def go():
        publisher = Publisher(writer(api), parsed().owner, 1, {}, clock=lambda: 100.0)
        for number in range(1000):
            publisher.announce(Announce(kind="Warning", reason="UserCodeFailed", message=f"number {number}"))
        publisher.set_status(JobStatus(phase="Failed"))
        async with asyncio.timeout(10):
            await publisher.flush()
        await publisher.close()

    asyncio.run(go())
    assert api.order == ["UserCodeFailed"] * (event_pace.BURST + 1) + ["Failed"]
    left_out = 999 - event_pace.BURST
    assert api.created[-1][1]["message"] == f"({left_out} Events before this one were left out) number 999"


class Denying(FakeApi):
    """An admission rule denies the first statuses, a number of them."""

    def __init__(self, times, kind=Forbidden):
        super().__init__((JOB, body()))
        self.times = times
        self.kind = kind
        self.told_when_denied: list[int] = []

    async def merge_patch(self, ref, body):
        if self.times:
            self.times -= 1
            self.told_when_denied.append(len(self.created))
            raise self.kind("the admission webhook does not let it pass")
        return await super().merge_patch(ref, body)


def test_a_status_that_is_forbidden_counts_as_one_that_is_refused():
    assert shown(Denying(publish.REJECTED_TRIES), failed_with("UserCodeFailed")) == "Failed"
    api = Denying(publish.REJECTED_TRIES)
    shown(api, failed_with("UserCodeFailed"))
    assert api.objects[JOB]["status"]["message"] == "the API server refused the whole status; it broke"
    assert shown(Denying(1000), DONE) is None


@pytest.mark.parametrize("kind", [Forbidden, Rejected, Unavailable])
def test_events_of_a_job_that_goes_on_do_not_wait_for_a_status_that_is_refused(kind):
    api = Denying(2, kind)
    assert shown(api, JobStatus(phase="Mapping")) == "Mapping"
    assert api.told_when_denied == [0, 1], "the Event is sent before the second try"
    assert len(api.created) == 1
