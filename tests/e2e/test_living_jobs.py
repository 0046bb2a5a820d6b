"""What a user does to a job that lives: suspend, resume, scale; and what time and administrators do to it."""

import json

import pytest

from tests.support import cluster, history_checker
from tests.support.cluster import job_manifest
from tests.support.cluster_jobs import assert_right, expected, prepare, slow_word_count, submit, texts


def status(namespace, kind, field):
    return namespace.get("mrjob", "wordcount").get("status", {}).get(kind, {}).get(field, 0)


def change(namespace, **fields):
    namespace.kubectl("patch", "mrjob/wordcount", "--type=merge", "-p", json.dumps({"spec": fields}))


@pytest.mark.feature("suspend and resume", "cluster")
def test_a_suspended_job_holds_no_pod_and_goes_on_when_it_is_resumed(namespace):
    files = texts(files=6)
    prepare(namespace, files)
    submit(namespace, slow_word_count(map_pause=0.05, reduce_pause=1), workers={"replicas": 2})
    cluster.eventually("a reduce succeeded", lambda: status(namespace, "reduce", "succeeded") >= 1, timeout=90)
    change(namespace, suspend=True)
    cluster.eventually("it is suspended", lambda: namespace.condition("wordcount", "Suspended"), timeout=30)
    cluster.eventually("no Pod is left", lambda: namespace.pods() == [], timeout=60)
    assert namespace.phase("wordcount") == "Suspended"
    change(namespace, suspend=False)
    namespace.wait_complete("wordcount")
    events = assert_right(namespace, files)
    staged = [event["task"] for event in history_checker.named(events, "Staged")]
    assert len(staged) == len(set(staged)), "a staged part was made again"
    assert namespace.condition("wordcount", "Suspended")["status"] == "False"


@pytest.mark.feature("scale", "cluster")
def test_kubectl_scale_changes_the_number_of_workers_of_a_running_job(namespace):
    files = texts(files=16)
    prepare(namespace, files)
    submit(namespace, slow_word_count(map_pause=0.3), workers={"replicas": 1})
    cluster.eventually("maps run", lambda: status(namespace, "map", "active") >= 1, timeout=90)
    namespace.kubectl("scale", "mrjob/wordcount", "--replicas=3")
    cluster.eventually("three workers are there", lambda: status(namespace, "workers", "ready") == 3, timeout=60)
    namespace.kubectl("scale", "mrjob/wordcount", "--replicas=1")
    namespace.wait_complete("wordcount")
    events = assert_right(namespace, files)
    assert history_checker.most_workers_busy_at_once(events) > 1
    assert namespace.get("mrjob", "wordcount")["status"]["workers"]["desired"] == 1


@pytest.mark.feature("time to live", "cluster")
def test_a_finished_job_is_deleted_after_its_time_to_live_and_its_output_stays(namespace):
    files = texts(files=2)
    prepare(namespace, files)
    submit(namespace, slow_word_count(), ttlSecondsAfterFinished=3600)
    namespace.wait_complete("wordcount")
    change(namespace, ttlSecondsAfterFinished=1)
    cluster.eventually("the job is deleted", lambda: namespace.get("mrjobs") == [], timeout=60)
    assert namespace.read("read", "out/output.tsv") == expected(files)


@pytest.mark.feature("overwrite", "cluster")
def test_an_output_is_replaced_only_where_that_was_asked_for(namespace):
    files = texts(files=2)
    prepare(namespace, files)
    submit(namespace, slow_word_count())
    namespace.wait_complete("wordcount")
    output = {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "results"}}}
    submit(namespace, slow_word_count(), name="refused", output=output)
    failed = cluster.eventually("it failed", lambda: namespace.condition("refused", "Failed"), timeout=60)
    assert failed["reason"] == "OutputExists"
    submit(namespace, slow_word_count(), name="replacing", output=output | {"overwrite": "Replace", "format": "Jsonl"})
    namespace.wait_complete("replacing")
    names = [name for name in namespace.files("read") if name.startswith("out/") and "/_" not in name]
    assert names == ["out/output.jsonl"]


@pytest.mark.feature("active deadline", "cluster")
def test_a_job_that_is_active_for_too_long_fails_and_leaves_nothing(namespace):
    files = texts(files=4)
    prepare(namespace, files)
    submit(namespace, slow_word_count(map_pause=5), activeDeadlineSeconds=8)
    failed = cluster.eventually("it failed", lambda: namespace.condition("wordcount", "Failed"), timeout=60)
    assert failed["reason"] == "DeadlineExceeded"
    assert [name for name in namespace.files("read") if name.startswith("out")] == []


@pytest.mark.feature("task timeout", "cluster")
def test_a_job_whose_program_hangs_fails_and_says_where(namespace):
    prepare(namespace, texts(files=1))
    submit(namespace, slow_word_count(map_pause=600), taskTimeoutSeconds=2, backoffLimitPerTask=0)
    failed = cluster.eventually("it failed", lambda: namespace.condition("wordcount", "Failed"), timeout=90)
    assert failed["reason"] == "NoProgress"
    assert "no progress for 2 s" in failed["message"]
    assert "in/" in failed["message"]


@pytest.mark.feature("a node is drained", "cluster")
def test_a_node_without_claims_is_drained_while_its_workers_run(namespace):
    home, drained = cluster.nodes()[:2]
    files = texts(files=12)
    namespace.claim("data")
    namespace.shell_pod("read", "data", home)
    namespace.write_all("read", files)
    volume = {"persistentVolumeClaim": {"claimName": "data"}}
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    spread["labelSelector"] = {"matchLabels": {"app": "drained"}}
    namespace.apply(
        job_manifest(
            "wordcount",
            slow_word_count(map_pause=0.3),
            input={"paths": ["in/*.txt"], "volume": volume, "splitSize": "1Ki"},
            output={"path": "out", "volume": volume},
            workers={"replicas": 3, "labels": {"app": "drained"}, "topologySpreadConstraints": [spread]},
        )
    )
    cluster.eventually("a map succeeded", lambda: status(namespace, "map", "succeeded") >= 1, timeout=90)
    hit = [pod["metadata"]["name"] for pod in namespace.pods("worker") if pod["spec"].get("nodeName") == drained]
    assert hit, "no worker is on the node that is to be drained"
    # A Pod without a controller would be refused: those of tests before this one may still be going.
    cluster.eventually("other tests' Pods are gone", lambda: strangers(namespace, drained) == [], timeout=90)
    try:
        cluster.kubectl(
            *("drain", drained, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s"), timeout=150
        )
        assert [pod for pod in namespace.pods() if pod["spec"].get("nodeName") == drained] == []
        namespace.wait_complete("wordcount")
    finally:
        cluster.kubectl("uncordon", drained)
    assert_right(namespace, files)


def strangers(namespace, node):
    """Return the Pods of other tests on a node."""
    found = cluster.kubectl_json("get", "pods", "-A", "--field-selector", f"spec.nodeName={node}")["items"]
    places = [pod["metadata"]["namespace"] for pod in found]
    return [place for place in places if place.startswith("e2e-") and place != namespace.name]
