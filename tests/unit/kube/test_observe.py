"""What a Pod says of its worker."""

import pytest

from mapreduce_operator.core.events import WorkerSeen
from mapreduce_operator.kube import observe
from tests.support.kube_objects import UID, container, deleted, pod
from tests.support.kube_objects import worker_seen as seen


def test_a_running_pod_is_told_with_its_labels_node_and_address():
    found = observe.seen(pod(phase="Running", podIP="10.0.0.7"))
    assert found == observe.PodSeen(
        job_uid=UID,
        namespace="team",
        ip="10.0.0.7",
        worker=WorkerSeen(
            name="wordcount-0f1e2d3c-w-0-1-0",
            uid="pod-1",
            role="worker",
            index=0,
            incarnation="1-0",
            state="running",
            node="node-1",
        ),
        word=f"made for {UID}: wordcount-0f1e2d3c-w-0-1-0",
    )


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (pod(), "pending"),
        (pod(phase="Running"), "running"),
        (pod(phase="Unknown"), "running"),
        (deleted(pod(phase="Running")), "ending"),
        (deleted(pod()), "ending"),
        (pod(phase="Failed"), "gone"),
        (pod(phase="Succeeded"), "gone"),
        (deleted(pod(phase="Failed")), "gone"),
        (pod(phase="Running", containerStatuses=container(terminated={"exitCode": 1})), "gone"),
    ],
)
def test_phase_and_deletion_make_the_state(body, state):
    assert seen(body).state == state


def test_a_pod_that_was_removed_is_gone_whatever_its_last_phase():
    assert seen(pod(phase="Running"), deleted=True).state == "gone"


@pytest.mark.parametrize(
    "reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"]
)
def test_an_image_that_cannot_be_had_is_named(reason):
    worker = seen(pod(containerStatuses=container(waiting={"reason": reason, "message": "no such host"})))
    assert (worker.state, worker.reason) == ("pending", "ImageUnavailable")
    assert worker.message == f"image 'worker:1': {reason}: no such host"


def test_a_container_that_is_being_made_is_no_reason():
    worker = seen(pod(containerStatuses=container(waiting={"reason": "ContainerCreating"})))
    assert (worker.reason, worker.message) == ("", "")


def test_another_reason_for_waiting_is_told_as_it_is():
    waiting = {"reason": "CreateContainerConfigError", "message": 'configmap "x" not found'}
    worker = seen(pod(containerStatuses=container(waiting=waiting)))
    assert (worker.reason, worker.message) == (
        "ContainerNotCreated",
        'CreateContainerConfigError: configmap "x" not found',
    )


def test_a_pod_that_fits_no_node_is_told_with_the_scheduler_s_words():
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes fit"}
    worker = seen(pod(conditions=[condition]))
    assert (worker.reason, worker.message) == ("Unschedulable", "0/3 nodes fit")


def test_a_pod_that_ran_out_of_memory_is_told_so():
    ended = container(terminated={"exitCode": 137, "reason": "OOMKilled"})
    worker = seen(pod(phase="Failed", containerStatuses=ended))
    assert worker.oom
    assert worker.message == "OOMKilled; exit code 137, killed by SIGKILL"
    assert not seen(pod(phase="Failed", containerStatuses=container(terminated={"exitCode": 137}))).oom


def test_an_evicted_pod_tells_why():
    worker = seen(pod(phase="Failed", reason="Evicted", message="the node was low on memory"))
    assert worker.message == "Evicted; the node was low on memory"


def test_a_pod_with_our_labels_that_no_job_controls_is_not_ours():
    body = pod()
    body["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "uid": UID, "controller": True}]
    assert observe.seen(body) is None
    del body["metadata"]["ownerReferences"]
    assert observe.seen(body) is None


@pytest.mark.parametrize("broken", [{}, {"metadata": None}, {"metadata": {"labels": {}}}, {"status": None}])
def test_an_object_of_another_shape_is_nothing(broken):
    assert observe.seen(broken) is None


@pytest.mark.parametrize(("label", "value"), [("index", "x"), ("index", "²"), ("role", "boss"), ("job-uid", "")])
def test_a_label_of_another_form_is_nothing(label, value):
    body = pod()
    body["metadata"]["labels"][f"mapreduce.dev/{label}"] = value
    assert observe.seen(body) is None
