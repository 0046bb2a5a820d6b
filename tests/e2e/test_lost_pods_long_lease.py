"""Workers are deleted with the lease at ten minutes: only the Kubernetes API can have told of it."""

import pytest

from tests.support import cluster, history_checker
from tests.support.cluster_jobs import assert_right, prepare, slow_word_count, submit, texts


@pytest.fixture(scope="module", autouse=True)
def long_lease(operator):
    """Give the operator a lease of ten minutes for these tests."""
    cluster.deploy("--set", "timing.leaseSeconds=600")
    yield
    cluster.deploy()


@pytest.mark.parametrize(
    ("phase", "program"),
    [("map", slow_word_count(map_pause=0.2)), ("reduce", slow_word_count(reduce_pause=5))],
    ids=["in-map", "in-reduce"],
)
def test_a_deleted_worker_is_noticed_at_once(namespace, phase, program):
    files = texts(files=8)
    prepare(namespace, files)
    submit(namespace, program, workers={"replicas": 2})
    active = 2 if phase == "reduce" else 1
    cluster.eventually(
        f"{phase} tasks run",
        lambda: namespace.get("mrjob", "wordcount").get("status", {}).get(phase, {}).get("active", 0) >= active,
        timeout=120,
    )
    victim = min(pod["metadata"]["name"] for pod in namespace.pods("worker"))
    namespace.kubectl("delete", "pod", victim, "--wait=false", "--grace-period=0", "--force")
    namespace.wait_complete("wordcount", timeout=240)
    events = assert_right(namespace, files)
    assert history_checker.lost_on(events, victim), f"the deletion of {victim} hit nothing"
