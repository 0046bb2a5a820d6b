"""Starting and stopping Pods, and what is told where the API server refuses."""

import asyncio

import pytest

from mapreduce import words
from mapreduce_operator.core.events import StopWorker
from mapreduce_operator.drivers import kubernetes
from mapreduce_operator.drivers.kubernetes import KubernetesDriver
from mapreduce_operator.kube import pods
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import Conflict, Forbidden, NotFound, Rejected, Unauthorized, Unavailable
from mapreduce_operator.kube.observe import PodSeen
from mapreduce_operator.runtime.driver import NotStartedError
from tests.support.fake_api import FakeApi, writer
from tests.support.kube_objects import PLATFORM, parsed, start


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(kubernetes, "PAUSE", 0.0)


def driver(*faults):
    api = FakeApi()
    told: list[PodSeen] = []
    api.faults = list(faults)
    return KubernetesDriver(parsed(), PLATFORM, api, writer(api), told.append), api, told


def refusal(*faults):
    made, _, _ = driver(*faults)
    with pytest.raises(NotStartedError) as caught:
        asyncio.run(made.start(start()))
    return caught.value


def test_a_pod_is_created_and_told_at_once():
    made, api, told = driver()
    asyncio.run(made.start(start()))
    ((where, body),) = api.created
    assert where == Ref("pods", "team")
    assert body["metadata"]["name"] == start().name
    assert [seen.worker.name for seen in told] == [start().name]


def existing(api, word=None):
    body = pods.pod(parsed(), start(), PLATFORM)
    body["metadata"]["uid"] = "pod-9"
    if word is not None:
        body["metadata"]["annotations"] = {words.ANNOTATION_START: word}
    api.put(Ref("pods", "team", start().name), body)


def test_a_pod_that_an_earlier_try_made_is_the_one_that_was_asked_for():
    made, api, told = driver()
    existing(api)
    asyncio.run(made.start(start()))
    assert [seen.worker.uid for seen in told] == ["pod-9"]


def test_a_pod_that_somebody_else_made_under_its_name_is_not_taken_and_another_name_is_tried():
    made, api, told = driver()
    existing(api, "guessed")
    with pytest.raises(NotStartedError) as caught:
        asyncio.run(made.start(start()))
    assert (caught.value.reason, caught.value.final, told) == ("PodRefused", False, [])
    assert "which this operator did not make" in caught.value.message


@pytest.mark.parametrize("word", ["guessed", None])
def test_a_pod_that_was_never_seen_is_deleted_only_if_an_operator_made_it(word):
    made, api, _ = driver()
    existing(api, word)
    asyncio.run(made.stop(StopWorker(name=start().name, uid="", reason="over")))
    assert api.deleted == ([] if word else [(Ref("pods", "team", start().name), "pod-9")])
    asyncio.run(made.stop(StopWorker(name="never-made", uid="", reason="over")))


def test_a_quota_is_told_and_may_end():
    error = refusal(Forbidden('pods "a" is forbidden: exceeded quota: none', status=403))
    assert (error.reason, error.final) == ("QuotaExceeded", False)


@pytest.mark.parametrize(
    "fault", [Forbidden("violates PodSecurity", status=403), Rejected("spec.x is invalid", status=422)]
)
def test_another_refusal_is_final_and_in_the_api_server_s_words(fault):
    error = refusal(fault)
    assert (error.reason, error.final, error.message) == ("PodRefused", True, str(fault))


def test_a_server_that_is_away_for_a_moment_is_asked_again_under_the_same_name():
    made, api, _ = driver(Unavailable("away"), Unavailable("away"))
    asyncio.run(made.start(start()))
    assert len(api.created) == 1


def test_a_server_that_stays_away_is_told_but_not_for_good():
    error = refusal(*[Unavailable("away")] * kubernetes.TRIES)
    assert (error.reason, error.final) == ("NotStarted", False)


def test_a_conflict_that_is_about_a_quota_is_none_of_the_name():
    fault = Conflict("Operation cannot be fulfilled on resourcequotas", status=409, reason="Conflict")
    error = refusal(fault)
    assert (error.reason, error.final, error.message) == ("NotStarted", False, str(fault))


def test_credentials_that_are_refused_fail_no_job():
    # Each try is repeated once with the credentials that were read meanwhile.
    error = refusal(*[Unauthorized("expired", status=401)] * kubernetes.TRIES * 2)
    assert (error.reason, error.final) == ("NotStarted", False)


def test_a_pod_is_deleted_by_name_and_uid():
    made, api, _ = driver()
    asyncio.run(made.stop(StopWorker(name="a", uid="u", reason="over")))
    assert api.deleted == [(Ref("pods", "team", "a"), "u")]


@pytest.mark.parametrize("fault", [NotFound("gone", status=404), Conflict("another uid", status=409)])
def test_a_pod_that_is_gone_is_no_error(fault):
    made, _, _ = driver(fault)
    asyncio.run(made.stop(StopWorker(name="a", uid="u", reason="over")))
