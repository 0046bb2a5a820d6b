"""A quota forbids its Pods, or no node takes them: the job says which, and runs as soon as it may.

Each test sees the job wait before it makes room.
"""

import contextlib

from tests.support import cluster
from tests.support.cluster_jobs import assert_right, prepare, slow_word_count, submit, texts


def waits(namespace, *words):
    """Wait until the job says in its message what it waits for."""

    def told():
        message = namespace.get("mrjob", "wordcount").get("status", {}).get("message", "")
        return all(word in message for word in words)

    cluster.eventually(f"the job tells of {words}", told, timeout=120)


@contextlib.contextmanager
def cordoned(*nodes):
    """Let no new Pod go to these nodes; those that run there stay."""
    try:
        for node in nodes:
            cluster.kubectl("cordon", node)
        yield
    finally:
        for node in nodes:
            cluster.kubectl("uncordon", node)


def test_a_job_without_quota_says_so_and_runs_when_there_is_room(namespace):
    files = texts(files=2)
    prepare(namespace, files)
    # The two Pods that hold the claims open are the namespace's only ones.
    namespace.kubectl("create", "quota", "full", "--hard=pods=2")
    cluster.eventually(
        "the quota counts", lambda: namespace.get("quota", "full")["status"].get("used") == {"pods": "2"}, timeout=60
    )
    submit(namespace, slow_word_count())
    waits(namespace, "exceeded quota", "full")
    assert namespace.pods() == []
    namespace.kubectl("delete", "quota", "full")
    namespace.wait_complete("wordcount")
    assert_right(namespace, files)


def test_a_job_that_no_node_takes_says_so_and_runs_when_one_does(namespace):
    files = texts(files=2)
    prepare(namespace, files)
    with cordoned(*cluster.nodes()):
        submit(namespace, slow_word_count())
        waits(namespace, "unschedulable")
        assert {pod["spec"].get("nodeName") for pod in namespace.pods()} == {None}
    namespace.wait_complete("wordcount")
    assert_right(namespace, files)
