"""Looking at jobs, ending them and letting them wait, with a cluster in memory."""

import pytest

from mapreduce_cli.cluster.refs import job
from tests.support.fake_cluster import make_job, over, run, run_json

MAPPING = {
    "phase": "Mapping",
    "map": {"progress": "3/10", "succeeded": 3, "total": 10, "active": 2, "retried": 1, "speculative": 2},
    "reduce": {"progress": "0/8"},
    "workers": {"summary": "2/2"},
    "retries": 1,
    "conditions": [
        {
            "type": "WorkersReady",
            "status": "True",
            "reason": "Running",
            "message": "2 of 2",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }
    ],
}


def test_jobs_are_listed_as_kubectl_lists_them(cluster):
    cluster.job("wordcount", MAPPING)
    cluster.job("new")
    lines = run("get").stdout.split("\n")
    assert lines[0].split() == ["NAME", "PHASE", "MAPS", "REDUCES", "WORKERS", "RETRIES", "AGE"]
    assert lines[1].split()[:6] == ["wordcount", "Mapping", "3/10", "0/8", "2/2", "1"]
    assert lines[2].split()[:2] == ["new", "Waiting"]
    assert all(line == line.rstrip() for line in lines)


def test_jobs_of_all_namespaces_are_listed_with_theirs(cluster):
    cluster.job("one")
    cluster.put("mapreducejobs", make_job("two"), "team-a")
    lines = run("get", "-A").stdout.split("\n")
    assert lines[0].startswith("NAMESPACE")
    assert [line.split()[:2] for line in lines[1:] if line] == [["default", "one"], ["team-a", "two"]]


def test_one_name_as_json_is_the_resource_and_none_a_list(cluster):
    cluster.job("wordcount", MAPPING)
    assert run_json("get", "wordcount")["status"] == MAPPING
    assert [found["metadata"]["name"] for found in run_json("get")["items"]] == ["wordcount"]


def test_a_job_that_does_not_exist_is_told_with_its_name_and_namespace(cluster):
    done = run("get", "absent", "-n", "team-a")
    assert done.exit_code == 2
    assert "there is no job 'absent' in namespace 'team-a'" in done.stderr
    assert done.stdout == ""


def test_an_error_as_json_is_one_document(cluster):
    assert run_json("get", "absent")["error"]["reason"] == "NotFound"


def test_a_description_has_conditions_counters_failures_and_events(cluster):
    failure = {
        "task": "map-17",
        "worker": "wordcount-1-w-0",
        "reason": "UserCodeFailed",
        "message": "ValueError: no number",
        "where": "a.txt:42",
        "traceback": 'Traceback:\n  File "job.py", line 3',
        "time": "2026-01-02T03:04:05Z",
    }
    made = cluster.job("wordcount", MAPPING | {"counters": {"skipped": 7}, "lastFailures": [failure]})
    cluster.put(
        "events",
        {
            "metadata": {"name": "e1"},
            "involvedObject": {"uid": made["metadata"]["uid"]},
            "type": "Warning",
            "reason": "WorkerLost",
            "message": "a worker was lost",
            "lastTimestamp": "2026-01-02T03:04:05Z",
        },
    )
    text = run("describe", "wordcount").stdout
    for expected in (
        "3/10, 2 active, 1 retried, 2 speculative",
        "WorkersReady",
        "skipped: 7",
        "map-17 on wordcount-1-w-0",
        "at a.txt:42",
        '  File "job.py", line 3',
        "a worker was lost",
        "claimName: texts",
        "(1 lines of Python)",
    ):
        assert expected in text


def test_a_description_names_the_tasks_that_were_left_out(cluster):
    cluster.job("wordcount", {"failedTasks": ["map-3"], "map": {"failed": 1}})
    assert "Left out:   1 task (map-3)" in run("describe", "wordcount").stdout


def test_a_description_counts_the_bad_records(cluster):
    cluster.job("wordcount", {"badRecords": 2})
    assert "Bad records:  2 of at most" in run("describe", "wordcount").stdout


def test_a_description_tells_how_evenly_partitions_are_filled_and_which_keys_are_heavy(cluster):
    heavy = [{"key": "'the'\x1b", "partition": 3, "bytes": 90 << 20}, {"key": "7", "partition": 0, "bytes": 1 << 20}]
    cluster.job("wordcount", {"skew": {"largestBytes": 100 << 20, "medianBytes": 2 << 20, "heavyKeys": heavy}})
    (line,) = [line for line in run("describe", "wordcount").stdout.split("\n") if line.startswith("Partitions:")]
    assert line.split(":  ")[1].startswith("the largest 105 MB, the median 2.1 MB")
    assert "heavy keys: 'the'" in line
    assert "\x1b" not in line
    cluster.job("even", {"skew": {"largestBytes": 5, "medianBytes": 4}})
    assert "heavy keys" not in run("describe", "even").stdout


def test_a_traceback_cannot_send_control_characters_to_the_terminal(cluster):
    failure = {"task": "map-0", "reason": "UserCodeFailed", "message": "\x1b[2J", "traceback": "\x1b]0;gone\x07\n  x"}
    cluster.job("wordcount", MAPPING | {"lastFailures": [failure]})
    text = run("describe", "wordcount").stdout
    assert "\x1b" not in text
    assert "\x07" not in text
    assert r"\x1b]0;gone\x07" in text


def test_a_job_is_suspended_and_resumed(cluster):
    cluster.job("wordcount", MAPPING)
    assert run("suspend", "wordcount").stdout == "wordcount: suspended\n"
    assert cluster.get(job("default", "wordcount"))["spec"]["suspend"] is True
    assert "already" in run("suspend", "wordcount").stdout
    assert "suspend: true" in run("describe", "wordcount").stdout
    assert run_json("resume", "wordcount") == {"jobs": [{"name": "wordcount", "suspend": False, "changed": True}]}
    assert cluster.get(job("default", "wordcount"))["spec"]["suspend"] is False


@pytest.mark.parametrize("verb", ["suspend", "resume"])
def test_a_job_that_is_over_is_neither_suspended_nor_resumed(cluster, verb):
    cluster.job("wordcount", over("Complete"))
    done = run(verb, "wordcount")
    assert done.exit_code == 2
    assert "is over (Succeeded)" in done.stderr


def test_a_job_is_deleted_and_its_end_awaited(cluster):
    cluster.job("wordcount", MAPPING)
    assert run("delete", "wordcount", "--wait").exit_code == 0
    assert cluster.list_all(job("default")) == []


def test_a_job_that_does_not_go_away_is_told_with_what_holds_it(cluster, monkeypatch):
    cluster.job("wordcount", MAPPING)["metadata"]["finalizers"] = ["mapreduce.dev/cleanup"]
    monkeypatch.setattr(cluster, "delete", lambda ref, uid: None)
    done = run("delete", "wordcount", "--wait", "--timeout", "0")
    assert done.exit_code == 1
    assert "held by mapreduce.dev/cleanup" in done.stderr


def test_nothing_is_deleted_if_one_of_the_names_is_unknown(cluster):
    cluster.job("wordcount", MAPPING)
    assert run("delete", "wordcount", "absent").exit_code == 2
    assert len(cluster.list_all(job("default"))) == 1
