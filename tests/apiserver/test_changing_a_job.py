"""What may be changed of a job while it lives, against a real API server: pause, size, and end."""

import asyncio
import json
import time

import pytest

from mapreduce_operator.kube.client import Ref, connect
from mapreduce_operator.kube.errors import Conflict
from mapreduce_operator.kube.jobs import LIST_EVERY
from tests.support.apiserver import eventually


@pytest.fixture(autouse=True)
def _operator(operator):
    """Each of these needs one."""


def change(team, **spec):
    patch = json.dumps({"spec": spec})
    team.server.kubectl("-n", team.name, "patch", "mrjob", "wordcount", "--type=merge", "-p", patch)


def reasons(team):
    return {event["reason"] for event in team.server.get("-n", team.name, "events")["items"]}


def all_pods(team, count):
    return eventually(f"{count} Pods", lambda: len(found := team.pods()) == count and found)


def absent():
    return {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "absent"}}}


def test_a_job_that_begins_suspended_has_nothing_until_it_is_resumed(team):
    team.submit(suspend=True)
    eventually("it says that it is suspended", lambda: team.condition("Suspended").get("status") == "True")
    team.server.kubectl("-n", team.name, "wait", "--for=condition=Suspended", "mrjob/wordcount", "--timeout=70s")
    assert team.pods() == []
    assert "finalizers" not in team.job()["metadata"]
    assert team.server.get("-n", team.name, "networkpolicies")["items"] == []
    eventually("an Event says so", lambda: "Suspended" in reasons(team))
    change(team, suspend=False)
    all_pods(team, 4)
    eventually("it is not suspended", lambda: team.condition("Suspended").get("status") == "False")


def test_a_job_that_is_scaled_before_it_is_resumed_begins_with_that_many_workers(team):
    team.submit(suspend=True)
    team.server.kubectl("-n", team.name, "scale", "mrjob/wordcount", "--replicas=4")
    change(team, suspend=False)
    all_pods(team, 6)
    eventually("the status", lambda: team.status().get("workers", {}).get("summary") == "0/4")


def test_scale_tells_the_selector_of_the_workers_and_no_other_pod(team):
    team.submit(workers={"replicas": 3})
    all_pods(team, 5)
    eventually("a status", lambda: team.status().get("workers"))
    path = f"/apis/mapreduce.dev/v1alpha1/namespaces/{team.name}/mapreducejobs/wordcount/scale"
    scale = json.loads(team.server.kubectl("get", "--raw", path))
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (3, 0)
    found = team.server.get("-n", team.name, "pods", "-l", scale["status"]["selector"])["items"]
    assert sorted(pod["metadata"]["name"] for pod in found) == sorted(
        pod["metadata"]["name"] for pod in team.pods("worker")
    )


def test_the_generation_that_a_status_goes_by_follows_the_spec(team):
    team.submit()
    eventually("a status", lambda: team.status().get("observedGeneration") == 1)
    change(team, activeDeadlineSeconds=1000)
    eventually("the next generation", lambda: team.status().get("observedGeneration") == 2)


def test_a_job_that_failed_is_deleted_after_its_time_to_live(team):
    team.submit(output=absent(), preRunningDeadlineSeconds=1, ttlSecondsAfterFinished=2)
    eventually("it failed", lambda: team.condition("Failed"))
    eventually("it is gone", lambda: team.server.get("-n", team.name, "mrjobs")["items"] == [])
    eventually("its Pods are gone", lambda: team.pods() == [])


def test_a_time_to_live_may_be_given_when_the_job_is_over(team):
    team.submit(output=absent(), preRunningDeadlineSeconds=1)
    eventually("it failed", lambda: team.condition("Failed"))
    eventually("its Pods are gone", lambda: team.pods() == [])
    began = time.monotonic()
    change(team, ttlSecondsAfterFinished=0)
    eventually("it is gone", lambda: team.server.get("-n", team.name, "mrjobs")["items"] == [])
    assert time.monotonic() - began < LIST_EVERY - 5, "the change itself was seen, and not the next list"


def test_a_job_is_deleted_in_exactly_the_version_that_was_read(server, team, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig("admin")))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    team.submit(suspend=True)
    eventually("it says that it is suspended", lambda: team.condition("Suspended"))

    async def go():
        api = await connect()
        try:
            where = Ref("mapreducejobs", team.name, "wordcount")
            stale = (await api.get(where))["metadata"]
            change(team, ttlSecondsAfterFinished=3600)
            with pytest.raises(Conflict):
                await api.delete(where, stale["uid"], stale["resourceVersion"])
            eventually("nobody writes any more", lambda: team.status().get("observedGeneration") == 2)
            await api.delete(where, stale["uid"], (await api.get(where))["metadata"]["resourceVersion"])
        finally:
            await api.close()

    asyncio.run(go())
    eventually("it is gone", lambda: team.server.get("-n", team.name, "mrjobs")["items"] == [])


def test_a_job_cannot_be_scaled_to_nothing(team):
    team.submit()
    said = team.server.kubectl("-n", team.name, "scale", "mrjob/wordcount", "--replicas=0", check=False)
    assert "spec.workers.replicas" in said
    assert "greater than or equal to 1" in said
