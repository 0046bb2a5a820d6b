"""What `mapreduce explain` says of each thing that a job can wait for."""

import pytest

from tests.support.fake_cluster import over, run, run_json

OLD = "2020-01-02T03:04:05Z"


@pytest.fixture
def claims(cluster):
    """The claims that jobs name."""
    for name in ("texts", "results"):
        cluster.put("persistentvolumeclaims", {"metadata": {"name": name}, "status": {"phase": "Bound"}})


@pytest.fixture
def pending(cluster, claims):
    return cluster.job("wc", {"phase": "Pending", "workers": {"summary": "0/2"}})


def explained(name="wc"):
    found = run_json("explain", name)
    return found["summary"], [(reason["text"], reason.get("todo", "")) for reason in found["reasons"]]


def one(name="wc"):
    _, (reason,) = explained(name)
    return reason


def pod(cluster, owner, status, name="wc-w-0"):
    labels = {"mapreduce.dev/job-uid": owner["metadata"]["uid"], "mapreduce.dev/role": "worker"}
    return cluster.put("pods", {"metadata": {"name": name, "labels": labels}, "status": status})


def event(cluster, about, reason, message):
    involved = {"uid": about["metadata"]["uid"]}
    body = {"metadata": {"name": f"e-{reason}"}, "involvedObject": involved, "type": "Warning"}
    cluster.put("events", body | {"reason": reason, "message": message})


def test_a_suspended_job_waits_for_resume(cluster, claims):
    cluster.job("wc", {"phase": "Suspended"}, suspend=True)
    assert one() == ("it is suspended", "mapreduce resume wc")


def test_a_job_that_nobody_took_up_waits_for_an_operator(cluster, claims):
    cluster.job("wc")["metadata"]["creationTimestamp"] = OLD
    text, todo = one()
    assert text.startswith("no operator has taken it up for ")
    assert "check that the operator runs" in todo


def test_a_claim_that_does_not_exist_is_named(cluster):
    cluster.put("persistentvolumeclaims", {"metadata": {"name": "results"}})
    cluster.job("wc", {"phase": "Pending"})
    assert one()[0] == "the claim 'texts' does not exist in its namespace"


def test_a_claim_without_volume_is_told_with_its_event(cluster, pending):
    made = cluster.put("persistentvolumeclaims", {"metadata": {"name": "texts"}, "status": {"phase": "Pending"}})
    event(cluster, made, "ProvisioningFailed", 'storageclass "fast" not found')
    text, todo = one()
    assert text == "the claim 'texts' has no volume yet: storageclass \"fast\" not found"
    assert "kubectl get storageclass" in todo


def test_a_claim_that_waits_for_its_first_pod_is_no_reason(cluster, pending):
    made = cluster.put("persistentvolumeclaims", {"metadata": {"name": "texts"}, "status": {"phase": "Pending"}})
    event(cluster, made, "WaitForFirstConsumer", "waiting for first consumer")
    assert one()[0].startswith("nothing is in its way")


@pytest.mark.parametrize(
    ("message", "todo"),
    [
        ("0/3 nodes are available: 3 Insufficient cpu.", "ask for less"),
        ("0/3 nodes are available: 1 node(s) had volume node affinity conflict.", "the volume is on one node"),
        ("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims", "the claim has no volume"),
        ("0/3 nodes are available: 3 node(s) had untolerated taint {x: }", "spec.workers.tolerations"),
    ],
)
def test_a_pod_without_node_is_told_in_the_schedulers_words(cluster, pending, message, todo):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    pod(cluster, pending, {"phase": "Pending", "conditions": [condition]})
    text, found = one()
    assert text == f"Pod wc-w-0 has no node: {message}"
    assert todo in found


def test_pods_that_wait_for_the_same_are_told_of_once_and_the_operators_word_is_not_repeated(cluster, claims):
    made = cluster.job("wc", {"phase": "Pending", "message": "Unschedulable: 0/3 nodes"})
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/3 nodes are available: 3 Insufficient memory.",
    }
    for number in range(3):
        pod(cluster, made, {"phase": "Pending", "conditions": [condition]}, name=f"wc-w-{number}")
    assert one()[0] == "Pod wc-w-0 (and 2 more) has no node: 0/3 nodes are available: 3 Insufficient memory."


def test_a_claim_that_does_not_exist_is_told_of_once(cluster):
    cluster.put("persistentvolumeclaims", {"metadata": {"name": "results"}})
    made = cluster.job("wc", {"phase": "Pending", "message": "ClaimNotFound: the claim 'texts' does not exist"})
    condition = {"type": "PodScheduled", "status": "False", "message": 'persistentvolumeclaim "texts" not found'}
    pod(cluster, made, {"phase": "Pending", "conditions": [condition]})
    assert one()[0] == "the claim 'texts' does not exist in its namespace"


def test_an_image_that_cannot_be_pulled_is_named(cluster, pending):
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
    pod(cluster, pending, {"phase": "Pending", "containerStatuses": [{"image": "absent:1", "state": state}]})
    text, todo = one()
    assert "cannot get its image absent:1" in text
    assert "imagePullSecrets" in todo


def test_a_volume_that_is_attached_elsewhere_is_told_of(cluster, pending):
    made = pod(cluster, pending, {"phase": "Pending"})
    event(cluster, made, "FailedAttachVolume", "Multi-Attach error for volume pvc-1")
    text, todo = one()
    assert "Multi-Attach error" in text
    assert "attached to another node" in todo


def test_pods_that_run_are_no_reason(cluster, pending):
    pod(cluster, pending, {"phase": "Running"})
    assert one()[0] == "nothing is in its way: 0/2 workers are ready"


def test_what_the_operator_says_is_passed_on_with_what_to_do(cluster, claims):
    cluster.job("wc", {"phase": "Pending", "message": "QuotaExceeded: exceeded quota: small"})
    text, todo = one()
    assert text == "the operator says: QuotaExceeded: exceeded quota: small"
    assert "kubectl describe quota" in todo


def test_a_failed_job_is_explained_by_its_reason_and_last_failure(cluster, claims):
    failure = {"task": "map-3", "where": "a.txt:7", "message": "ValueError", "traceback": "T:\n  x\nValueError: no\n"}
    cluster.job("wc", over("Failed", "UserCodeFailed", "map-3 failed") | {"lastFailures": [failure]})
    summary, reasons = explained()
    assert summary == "wc failed: UserCodeFailed: map-3 failed"
    assert reasons[0][0].startswith("The program raised an exception")
    assert reasons[1][0] == "the last failure was map-3 at a.txt:7: ValueError; it ended with: ValueError: no"


def test_a_complete_job_says_what_it_left_out(cluster, claims):
    cluster.job("wc", over("Complete") | {"failedTasks": ["map-3"], "map": {"failed": 1}})
    text, todo = one()
    assert text.startswith("not everything is in the output: 1 task (map-3) failed for good")
    assert todo == "mapreduce describe wc shows the last failures"


def test_another_job_at_the_output_is_told_in_fields_of_the_resource(cluster, pending):
    pending["status"]["message"] = "OutputReserved: another job writes to it"
    assert one()[1] == "wait for the other job, or choose another spec.output.path (--output)"


def test_a_complete_job_waits_for_nothing(cluster, claims):
    cluster.job("wc", over("Complete"))
    assert explained() == ("wc is complete: it waits for nothing", [])


def test_people_read_it_as_sentences(cluster, claims):
    cluster.job("wc", {"phase": "Mapping", "map": {"progress": "3/9", "total": 9}}, suspend=True)
    assert run("explain", "wc").stdout == ("wc is Mapping: 3/9 maps done\n- it is suspended\n  → mapreduce resume wc\n")
