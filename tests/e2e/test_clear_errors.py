"""What a user reads when a job cannot succeed: a condition and an Event that say what, where and what to do."""

import pytest

from tests.support import cluster
from tests.support.cluster import job_manifest
from tests.support.cluster_jobs import prepare, submit, texts

RAISES = """
import mapreduce as mr

class Fails(mr.Job):
    def map(self, line):
        raise ValueError("seven is not a word")

    reduce = mr.Sum()
"""


def failed(namespace, job="wordcount", timeout=120):
    """Return the Failed condition once it is true, after checking that nothing was published."""
    condition = cluster.eventually(
        "the job failed",
        lambda: (found := namespace.condition(job, "Failed")) and found["status"] == "True" and found,
        timeout=timeout,
    )
    assert "out" not in namespace.files("read")
    return condition


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import mapreduce as mr\nclass W(mr.Job:\n", "line 2"),
        ("x = 1\n", "Job"),
        (RAISES, "seven is not a word"),
    ],
    ids=["syntax-error", "no-job", "map-raises"],
)
def test_a_program_at_fault_fails_the_job_and_says_where(namespace, program, said):
    prepare(namespace, texts(files=2))
    submit(namespace, program)
    condition = failed(namespace)
    assert said in condition["message"]
    events = [
        event["message"] for event in namespace.get("events") if event["involvedObject"]["kind"] == "MapReduceJob"
    ]
    assert any(said in message for message in events)


def test_a_missing_claim_is_named_while_the_job_waits_for_it(namespace):
    prepare(namespace, texts(files=1))
    submit(
        namespace,
        RAISES,
        output={"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "absent"}}},
        preRunningDeadlineSeconds=10,
    )
    condition = failed(namespace)
    assert condition["reason"] == "DeadlineExceeded"
    assert "absent" in condition["message"]


def test_an_image_that_cannot_be_pulled_is_named_and_fails_at_the_deadline(namespace):
    prepare(namespace, texts(files=1))
    submit(namespace, RAISES, image="absent.invalid/no-such-image:1", preRunningDeadlineSeconds=40)
    cluster.eventually(
        "the job says why it waits",
        lambda: "absent.invalid" in str(namespace.get("mrjob", "wordcount").get("status", {})),
        timeout=60,
    )
    assert "absent.invalid" in failed(namespace)["message"]


def test_an_invalid_resource_is_refused_with_the_rule_s_message(namespace):
    manifest = job_manifest("wordcount", RAISES, reducers=0)
    with pytest.raises(AssertionError, match="reducers"):
        namespace.apply(manifest)
    two = job_manifest("wordcount", RAISES, program={"inline": "x", "configMap": {"name": "a", "key": "b"}})
    with pytest.raises(AssertionError, match="exactly one"):
        namespace.apply(two)
