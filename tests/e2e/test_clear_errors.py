"""What a user reads when a job cannot succeed: a condition and an Event that say what, where and what to do."""

import pytest

from tests.support import cluster
from tests.support.cluster import job_manifest
from tests.support.cluster_jobs import slow_word_count

JOB = "import mapreduce as mr\n\nclass Fails(mr.Job):\n"
MAP = "    def map(self, line):\n        yield line, 1\n"
SUM = "    reduce = mr.Sum()\n"

# name: (program, changes of the spec, reason, what the condition's message and the Event say)
AT_FAULT = {
    "syntax-error": ("import mapreduce as mr\nclass W(mr.Job:\n", {}, "ProgramInvalid", ["line 2"]),
    "no-job": ("x = 1\n", {}, "ProgramInvalid", ["Job"]),
    "two-jobs": (JOB + MAP + SUM + "\nclass Other(Fails):\n" + MAP + SUM, {}, "ProgramInvalid", ["Fails", "Other"]),
    "no-map": (JOB + SUM, {}, "ProgramInvalid", ["map"]),
    "map-raises": (
        JOB + "    def map(self, line):\n        raise ValueError('seven is no word')\n" + SUM,
        {},
        "UserCodeFailed",
        ["seven is no word", "a.txt:0"],
    ),
    "reduce-raises": (
        JOB + MAP + "    def reduce(self, key, values):\n        raise KeyError('no such thing')\n",
        {},
        "UserCodeFailed",
        ["no such thing", "one line", "partition"],
    ),
    "unsupported-key": (
        JOB + "    def map(self, line):\n        yield None, 1\n" + SUM,
        {},
        "UnsupportedKey",
        ["None"],
    ),
    "mixed-keys": (
        JOB + "    def map(self, line):\n        yield line, 1\n        yield 7, 1\n" + SUM,
        {},
        "MixedKeys",
        ["int", "str"],
    ),
    "no-input": (JOB + MAP + SUM, {"paths": ["*.csv"]}, "InputNotFound", ["*.csv"]),
    "output-exists": (JOB + MAP + SUM, {"output": "taken"}, "OutputExists", ["taken"]),
}


def over_a_config_map(name, program, changes):
    """Return a job over one ConfigMap, small enough that ten of them run at once."""
    volume = {"configMap": {"name": "texts"}}
    output = {
        "path": changes.get("output", f"out-{name}"),
        "volume": {"persistentVolumeClaim": {"claimName": "results"}},
    }
    spec = {
        "input": {"paths": changes.get("paths", ["*.txt"]), "volume": volume},
        "output": output,
        "reducers": 1,
        "workers": {"replicas": 1},
    }
    return job_manifest(name, program, **spec)


def failed(namespace, job, timeout=240):
    """Return the Failed condition once it is true."""
    return cluster.eventually(
        f"{job} failed",
        lambda: (found := namespace.condition(job, "Failed")) and found["status"] == "True" and found,
        timeout=timeout,
        interval=1.0,
    )


def untold(namespace, name):
    """Return what a failed job should say of its fault and does not."""
    _, _, reason, said = AT_FAULT[name]
    condition = failed(namespace, name)
    events = [event["message"] for event in namespace.get("events") if event["involvedObject"]["name"] == name]
    if condition["reason"] != reason:
        yield f"{name}: reason {condition['reason']}, not {reason}: {condition['message']}"
    failures = namespace.get("mrjob", name)["status"].get("lastFailures", [])
    if reason == "UserCodeFailed" and "Traceback" not in str(failures):
        yield f"{name}: no traceback in {failures}"
    for words in said:
        if words not in condition["message"] or not any(words in message for message in events):
            yield f"{name}: {words!r} is not in {condition['message']!r} and an Event of {events}"


@pytest.mark.feature("an error names file, offset and traceback", "cluster")
def test_each_fault_of_a_job_is_told_by_condition_and_event_and_nothing_is_published(namespace):
    namespace.claim("results")
    namespace.shell_pod("read", "results")
    namespace.write("read", "taken/mine.txt", b"not to be touched\n")
    texts = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "texts"}, "data": {"a.txt": "one line\n"}}
    namespace.apply(texts, *(over_a_config_map(name, *AT_FAULT[name][:2]) for name in AT_FAULT))
    assert [problem for name in AT_FAULT for problem in untold(namespace, name)] == []
    published = [path for path in namespace.files("read") if path.startswith("out-")]
    assert published == []
    assert namespace.read("read", "taken/mine.txt") == b"not to be touched\n"


def test_what_a_job_waits_for_is_named_until_its_deadline_fails_it(namespace):
    namespace.claim("results")
    namespace.shell_pod("read", "results")
    texts = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "texts"}, "data": {"a.txt": "one line\n"}}
    no_claim = over_a_config_map("no-claim", slow_word_count(), {})
    no_claim["spec"]["output"]["volume"]["persistentVolumeClaim"]["claimName"] = "absent"
    no_claim["spec"]["preRunningDeadlineSeconds"] = 20
    no_image = over_a_config_map("no-image", slow_word_count(), {})
    no_image["spec"] |= {"image": "absent.invalid/no-such-image:1", "preRunningDeadlineSeconds": 70}
    namespace.apply(texts, no_claim, no_image)
    cluster.eventually(
        "the job says within a minute which image it waits for",
        lambda: "absent.invalid" in str(namespace.get("mrjob", "no-image").get("status", {})),
        timeout=60,
    )
    for job, missing in (("no-claim", "absent"), ("no-image", "absent.invalid")):
        condition = failed(namespace, job)
        assert (condition["reason"], missing in condition["message"]) == ("DeadlineExceeded", True)
    assert [path for path in namespace.files("read") if path.startswith("out-")] == []


def test_an_invalid_resource_is_refused_with_the_rule_s_message(namespace):
    with pytest.raises(AssertionError, match="reducers"):
        namespace.apply(job_manifest("wordcount", slow_word_count(), reducers=0))
    two = job_manifest("wordcount", "x")
    two["spec"]["program"]["configMap"] = {"name": "a", "key": "b"}
    with pytest.raises(AssertionError, match="exactly one"):
        namespace.apply(two)
