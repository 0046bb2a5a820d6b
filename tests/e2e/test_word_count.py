"""A word count from `kubectl apply` to the bytes on the claim."""

import pytest
import yaml

from tests.support import cluster, history_checker
from tests.support.cluster_jobs import assert_right, prepare, slow_word_count, submit, texts

EXAMPLE = cluster.ROOT / "examples/01-wordcount"


@pytest.mark.feature("input from a ConfigMap", "cluster")
def test_the_example_runs_with_one_apply_and_read_shows_its_result(namespace):
    namespace.kubectl("apply", "-f", str(EXAMPLE / "wordcount-job.yaml"))
    namespace.wait_complete("wordcount", timeout=300)
    namespace.kubectl("apply", "-f", str(EXAMPLE / "read.yaml"))
    reader = yaml.safe_load((EXAMPLE / "read.yaml").read_text())["metadata"]["name"]
    namespace.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{reader}", "--timeout=60s")
    assert namespace.kubectl("logs", reader) == (EXAMPLE / "expected.tsv").read_bytes()


@pytest.mark.feature("input and output on two claims", "cluster")
def test_a_job_whose_claims_are_on_two_nodes_shows_its_progress_and_gives_the_reference_s_bytes(namespace):
    files = texts(files=12)
    prepare(namespace, files)
    submit(namespace, slow_word_count(map_pause=0.1), workers={"replicas": 3})
    seen = set()

    def halfway():
        counts = namespace.get("mrjob", "wordcount").get("status", {}).get("map", {})
        seen.add(counts.get("progress"))
        return 0 < counts.get("succeeded", 0) < counts.get("total", 0)

    cluster.eventually("some but not all maps succeeded", halfway, timeout=90)
    table = namespace.kubectl("get", "mrjobs").decode()
    assert table.split("\n")[0].split() == ["NAME", "PHASE", "MAPS", "REDUCES", "WORKERS", "RETRIES", "REASON", "AGE"]
    assert "/12" in table
    namespace.wait_complete("wordcount")
    events = assert_right(namespace, files)
    assert history_checker.most_workers_busy_at_once(events) > 1
    assert namespace.pods("worker") == [] or all(
        "deletionTimestamp" in pod["metadata"] for pod in namespace.pods("worker")
    )
