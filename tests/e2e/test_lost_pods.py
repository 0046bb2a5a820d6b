"""Pods are deleted and killed while a job runs: the same bytes a little later, and the history proves the hit."""

import subprocess

import pytest

from tests.support import cluster, history_checker
from tests.support.cluster_jobs import assert_right, prepare, slow_word_count, submit, texts


def status(namespace, kind, field):
    return namespace.get("mrjob", "wordcount").get("status", {}).get(kind, {}).get(field, 0)


def busy_worker(namespace):
    """Return the name of a worker Pod that runs."""
    running = [pod for pod in namespace.pods("worker") if pod["status"]["phase"] == "Running"]
    return min(pod["metadata"]["name"] for pod in running)


def start(namespace, files, program):
    prepare(namespace, files)
    submit(namespace, program, workers={"replicas": 2})


@pytest.mark.feature("a worker is lost", "cluster")
@pytest.mark.parametrize(
    ("force", "maps", "map_pause"),
    # Without force a map must outlast the grace period of 10 s, else the worker finishes it.
    [((), 5, 1.4), (("--grace-period=0", "--force"), 10, 0.2)],
    ids=["deleted", "deleted-with-force"],
)
def test_a_worker_deleted_in_map_costs_its_attempts_only(namespace, force, maps, map_pause):
    files = texts(files=maps)
    start(namespace, files, slow_word_count(map_pause=map_pause))
    cluster.eventually("maps run", lambda: status(namespace, "map", "active") >= 2, timeout=90)
    victim = busy_worker(namespace)
    namespace.kubectl("delete", "pod", victim, "--wait=false", *force)
    namespace.wait_complete("wordcount")
    events = assert_right(namespace, files)
    assert history_checker.lost_on(events, victim), f"the deletion of {victim} hit nothing"


def test_a_worker_deleted_in_reduce_makes_its_finished_maps_run_again(namespace):
    files = texts(files=8)
    # Maps take 2 s each, so that no worker does all of them before the other is there. Twelve keys in four
    # partitions at 5 s each: the reducers outlast the grace period of 10 s.
    start(namespace, files, slow_word_count(map_pause=0.2, reduce_pause=5))
    cluster.eventually("reduces run", lambda: status(namespace, "reduce", "active") >= 2, timeout=90)
    victim = busy_worker(namespace)
    namespace.kubectl("delete", "pod", victim, "--wait=false", "--grace-period=0", "--force")
    namespace.wait_complete("wordcount")
    events = assert_right(namespace, files)
    assert history_checker.lost_on(events, victim), f"the deletion of {victim} hit nothing"
    assert history_checker.assigned_again_after_finishing(events), "no finished map ran again"


@pytest.mark.parametrize("index", ["0", "1"], ids=["output", "input"])
def test_a_gateway_deleted_while_maps_run_delays_the_job_only(namespace, index):
    files = texts(files=10)
    start(namespace, files, slow_word_count(map_pause=0.2))
    cluster.eventually("a map succeeded", lambda: status(namespace, "map", "succeeded") >= 2, timeout=90)
    (victim,) = (pod for pod in namespace.pods("gateway") if pod["metadata"]["labels"]["mapreduce.dev/index"] == index)
    namespace.kubectl("delete", "pod", victim["metadata"]["name"], "--wait=false")
    namespace.wait_complete("wordcount")
    events = assert_right(namespace, files)
    assert any(event["worker"] == victim["metadata"]["name"] for event in history_checker.named(events, "WorkerLost"))


@pytest.mark.feature("the operator is lost", "cluster")
def test_an_operator_that_is_deleted_or_killed_runs_no_finished_map_again(namespace):
    files = texts(files=14)
    start(namespace, files, slow_word_count(map_pause=0.3))
    cluster.eventually("maps succeeded", lambda: status(namespace, "map", "succeeded") >= 3, timeout=90)
    cluster.kubectl(
        "-n", cluster.SYSTEM, "delete", "pod", "-l", "app.kubernetes.io/name=mapreduce-operator", "--wait=false"
    )
    before = status(namespace, "map", "succeeded")
    cluster.eventually("maps succeed again", lambda: status(namespace, "map", "succeeded") > before + 1, timeout=120)
    kill_operator_process()
    namespace.wait_complete("wordcount")
    events = assert_right(namespace, files)
    assert len({event["epoch"] for event in events}) >= 3, "the operator was not replaced twice"
    assert history_checker.assigned_again_after_finishing(events) == []


def kill_operator_process():
    """Kill -9 the operator's process from its node, as the kernel would."""
    pod = cluster.kubectl_json("-n", cluster.SYSTEM, "get", "pods", "-l", "app.kubernetes.io/name=mapreduce-operator")[
        "items"
    ][0]
    node = pod["spec"]["nodeName"]
    subprocess.run(["docker", "exec", node, "pkill", "-9", "-f", "mapreduce_operator"], check=True)
