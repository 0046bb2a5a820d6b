"""Why a Pod is gone, or about to be: each cause has a word of its own, and Kubernetes' text."""

import pytest

from mapreduce.words import REASONS
from mapreduce_operator.kube import pod_ends
from tests.support.kube_objects import container, deleted, pod
from tests.support.kube_objects import worker_seen as told


def target(reason, message="why"):
    """Return the conditions of a Pod that Kubernetes disrupts."""
    return [
        {"type": "Ready", "status": "False"},
        {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message},
    ]


def ended(**fields):
    return container(terminated=fields)


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        ({"containerStatuses": ended(exitCode=1, reason="Error")}, "WorkerExited", "Error; exit code 1"),
        ({"containerStatuses": ended(exitCode=0, reason="Completed")}, "WorkerExited", "Completed; exit code 0"),
        (
            {"containerStatuses": ended(exitCode=139, reason="Error")},
            "WorkerKilled",
            "Error; exit code 139, killed by SIGSEGV",
        ),
        (
            {"containerStatuses": ended(exitCode=2, signal=9, reason="Error")},
            "WorkerKilled",
            "Error; exit code 2, killed by SIGKILL",
        ),
        ({"containerStatuses": ended(exitCode=255)}, "WorkerExited", "exit code 255"),
        (
            {"containerStatuses": ended(exitCode=128, reason="StartError", message="no such file")},
            "ContainerNotCreated",
            "StartError; exit code 128; no such file",
        ),
        (
            {"containerStatuses": ended(exitCode=137, reason="ContainerStatusUnknown")},
            "NodeLost",
            "ContainerStatusUnknown; exit code 137, killed by SIGKILL",
        ),
        ({"reason": "Evicted", "message": "low on memory"}, "PodEvicted", "Evicted; low on memory"),
        ({"reason": "NodeLost"}, "NodeLost", "NodeLost"),
        ({"reason": "Terminated", "message": "node shutdown"}, "NodeLost", "Terminated; node shutdown"),
        ({"reason": "Preempting", "message": "for a critical Pod"}, "PodPreempted", "Preempting; for a critical Pod"),
        ({"reason": "OutOfmemory", "message": "no room"}, "PodRejected", "OutOfmemory; no room"),
        ({}, "WorkerExited", "the Pod ended, and Kubernetes does not tell why"),
    ],
)
def test_a_pod_that_failed_tells_how(status, reason, message):
    worker = told(pod(phase="Failed", **status))
    assert (worker.state, worker.reason, worker.message, worker.oom) == ("gone", reason, message, False)


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("PreemptionByScheduler", "PodPreempted"),
        ("DeletionByTaintManager", "NodeLost"),
        ("DeletionByPodGC", "NodeLost"),
        ("EvictionByEvictionAPI", "NodeDrained"),
        ("TerminationByKubelet", "PodEvicted"),
        ("SomethingNew", "PodDisrupted"),
    ],
)
def test_a_disruption_is_told_while_the_pod_ends_and_when_it_is_gone(condition, reason):
    ending = told(deleted(pod(phase="Running", conditions=target(condition))))
    assert (ending.state, ending.reason, ending.message) == ("ending", reason, f"{condition}; why")
    killed = ended(exitCode=137, reason="Error")
    gone = told(deleted(pod(phase="Failed", conditions=target(condition), containerStatuses=killed)))
    assert (gone.state, gone.reason, gone.oom) == ("gone", reason, False)


def test_a_node_that_shuts_down_is_told_from_one_that_is_short_of_memory():
    worker = told(pod(phase="Failed", reason="Terminated", conditions=target("TerminationByKubelet")))
    assert worker.reason == "NodeLost"


def test_a_condition_that_is_not_true_says_nothing():
    condition = {"type": "DisruptionTarget", "status": "False", "reason": "PreemptionByScheduler"}
    assert told(pod(phase="Failed", conditions=[condition])).reason == "WorkerExited"


def test_memory_that_ran_out_is_told_before_everything_else_and_charged():
    killed = ended(exitCode=137, reason="OOMKilled")
    worker = told(deleted(pod(phase="Failed", conditions=target("TerminationByKubelet"), containerStatuses=killed)))
    assert (worker.reason, worker.oom) == ("PodOutOfMemory", True)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (deleted(pod(phase="Failed", containerStatuses=ended(exitCode=143, reason="Error"))), {}),
        (deleted(pod(phase="Succeeded", containerStatuses=ended(exitCode=0))), {}),
        (pod(phase="Running"), {"deleted": True}),
    ],
)
def test_a_pod_that_somebody_deleted_did_not_end_by_itself(body, options):
    assert told(body, **options).reason == "PodDeleted"


def test_a_pod_that_ended_and_was_removed_later_tells_how_it_ended():
    body = pod(phase="Failed", containerStatuses=ended(exitCode=3, reason="Error"))
    assert told(body, deleted=True).reason == "WorkerExited"


def test_a_pod_that_is_being_deleted_for_no_told_reason_was_deleted_by_somebody():
    worker = told(deleted(pod(phase="Running")))
    assert (worker.state, worker.reason, worker.message) == ("ending", "PodDeleted", "the Pod is being deleted")


def test_an_end_in_another_form_is_still_told():
    strange = container(terminated={"exitCode": "many", "signal": "x"})
    assert told(pod(phase="Failed", containerStatuses=strange)).reason == "WorkerExited"


def test_every_word_has_its_sentence():
    tables = (pod_ends.DISRUPTIONS, pod_ends.OF_THE_POD, pod_ends.OF_THE_CONTAINER)
    assert {word for table in tables for word in table.values()} <= REASONS.keys()
