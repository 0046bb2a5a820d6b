"""The operator against a real API server: what it makes of a resource, and what it takes away."""

import pytest

from tests.support.apiserver import eventually
from tests.support.operator_process import Team, registration

FINALIZER = "mapreduce.dev/cleanup"


@pytest.fixture(scope="module")
def deleted(server, running_operator):
    """A job that was deleted before the first test of this file; without nodes no gateway ever answers."""
    team = Team(server, "deleted")
    team.submit()
    all_pods(team, 4)
    server.kubectl("-n", team.name, "delete", "mrjob", "wordcount", "--wait=false")
    return team


@pytest.fixture(autouse=True)
def _operator(operator, deleted):
    """Each of these needs one; what the last one waits for goes on during the others."""


def all_pods(team, count):
    return eventually(f"{count} Pods", lambda: len(found := team.pods()) == count and found)


def test_a_job_gets_its_pods_its_finalizer_and_its_status(team):
    team.submit(workers={"replicas": 3})
    pods = all_pods(team, 5)
    job = team.job()
    assert job["metadata"]["finalizers"] == [FINALIZER]
    uid = job["metadata"]["uid"]
    assert sorted(pod["metadata"]["labels"]["mapreduce.dev/role"] for pod in pods) == ["gateway"] * 2 + ["worker"] * 3
    for pod in pods:
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (uid, True)
        assert pod["metadata"]["name"].startswith(f"wordcount-{uid[:8]}-")
    status = eventually("a status", lambda: (found := team.status()).get("workers") and found)
    assert status["phase"] == "Pending"
    assert status["workers"]["summary"] == "0/3"
    assert status["observedGeneration"] == job["metadata"]["generation"]


def test_the_gateway_of_the_output_mounts_it_and_that_of_the_input_mounts_it_read_only(team):
    team.submit()
    all_pods(team, 4)
    claims = {}
    for pod in team.pods("gateway"):
        volumes = {volume["name"]: volume.get("persistentVolumeClaim") for volume in pod["spec"]["volumes"]}
        for mount in pod["spec"]["containers"][0]["volumeMounts"]:
            if volumes[mount["name"]]:
                claims[volumes[mount["name"]]["claimName"]] = mount.get("readOnly", False)
    assert claims == {"results": False, "texts": True}


def test_a_pod_that_failed_is_replaced_under_another_name(team):
    team.submit(workers={"replicas": 1})
    victim = next(pod for pod in all_pods(team, 3) if "-w-" in pod["metadata"]["name"])["metadata"]["name"]
    team.run_pod(victim)
    team.move_pod(victim, phase="Failed", reason="Evicted", message="the node was low on memory")
    eventually("another worker", lambda: {pod["metadata"]["name"] for pod in team.pods("worker")} - {victim})


def test_an_image_that_cannot_be_pulled_is_told_with_its_name(team):
    team.submit(image="absent.invalid/worker:1")
    images = {pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in all_pods(team, 4)}
    theirs = [name for name, image in images.items() if image == "absent.invalid/worker:1"]
    assert theirs == [name for name in images if "-w-" in name], "gateways run the chart's image"
    pod = theirs[0]
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    team.move_pod(
        pod,
        phase="Pending",
        containerStatuses=[
            {
                "name": "worker",
                "image": "absent.invalid/worker:1",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"waiting": waiting},
            }
        ],
    )
    eventually("the message names the image", lambda: "absent.invalid/worker:1" in team.status().get("message", ""))


def test_a_missing_claim_is_named_and_the_job_fails_at_its_deadline(team):
    absent = {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "absent"}}}
    team.submit(output=absent, preRunningDeadlineSeconds=3)
    eventually("the claim is named", lambda: "absent" in team.status().get("message", ""))
    failed = eventually("the job failed", lambda: team.condition("Failed"))
    assert failed["status"] == "True"
    assert failed["reason"] == "DeadlineExceeded"
    assert "absent" in failed["message"]
    eventually("its Pods are gone", lambda: team.pods() == [])


def test_a_missing_program_is_named_and_the_job_runs_when_it_comes(team):
    team.submit(program={"configMap": {"name": "code", "key": "job.py"}})
    eventually("the ConfigMap is named", lambda: "'code'" in team.status().get("message", ""))
    data = {"job.py": "import mapreduce as mr\n"}
    team.server.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code", "namespace": team.name}, "data": data}
    )
    all_pods(team, 4)


def test_a_quota_is_named_while_the_job_waits_for_it(team):
    hard = {"pods": "0"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": team.name}}
    team.server.apply(quota | {"spec": {"hard": hard}})
    status = '{"status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}}'
    team.server.kubectl("-n", team.name, "patch", "quota", "none", "--subresource=status", "--type=merge", "-p", status)
    team.submit()
    eventually("the quota is named", lambda: "exceeded quota" in team.status().get("message", ""))


def test_a_job_whose_output_claim_is_gone_is_let_go_at_once(team):
    absent = {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "absent"}}}
    team.submit(output=absent)
    eventually("the finalizer", lambda: team.job()["metadata"].get("finalizers"))
    team.server.kubectl("-n", team.name, "delete", "mrjob", "wordcount", "--timeout=70s")


def test_events_tell_what_happens(team):
    absent = {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "absent"}}}
    team.submit(output=absent, preRunningDeadlineSeconds=2)

    def failure():
        return [
            event
            for event in team.server.get("-n", team.name, "events")["items"]
            if event["reason"] == "DeadlineExceeded"
        ]

    (event,) = eventually("an Event", failure)
    assert event["involvedObject"]["name"] == "wordcount"
    assert "absent" in event["message"]


def test_a_worker_with_its_pod_s_token_is_welcomed(team, operator):
    team.submit()
    pod = next(pod for pod in all_pods(team, 4) if "-w-" in pod["metadata"]["name"])
    team.run_pod(pod["metadata"]["name"])
    answer = operator.register(team.token(pod), registration())
    assert answer.worker == pod["metadata"]["name"]
    assert answer.job.spec.name == "wordcount"


def test_a_token_of_another_audience_is_refused(team, operator):
    team.submit()
    pod = all_pods(team, 4)[0]
    team.run_pod(pod["metadata"]["name"])
    status, refusal = operator.register(team.token(pod, "https://kubernetes.default.svc"), registration())
    assert status == 403
    assert "audience" in refusal.message


def test_a_pod_that_a_user_made_is_refused(team, operator):
    team.submit()
    template = all_pods(team, 4)[0]
    labels = template["metadata"]["labels"]
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "impostor", "namespace": team.name, "labels": labels},
        "spec": template["spec"],
    }
    team.server.apply(body)
    pod = team.server.get("-n", team.name, "pod", "impostor")
    team.run_pod("impostor")
    status, refusal = operator.register(team.token(pod), registration())
    assert status == 403
    assert "no Pod of a job" in refusal.message


def test_a_deleted_job_goes_and_its_pods_go(deleted):
    # No gateway could remove its files, so the budget is what ends it.
    eventually(
        "the job is gone",
        lambda: deleted.server.get("-n", "deleted", "mrjobs")["items"] == [],
        timeout=90,
        interval=0.5,
    )
    eventually("its Pods are gone", lambda: deleted.pods() == [])
