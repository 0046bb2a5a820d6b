"""`mapreduce watch`, with a cluster in memory."""

import json

import pytest

from mapreduce_cli.cluster import following
from tests.support.fake_cluster import over, run, run_json


@pytest.fixture
def runs(cluster, monkeypatch):
    """A job that maps, and is over at the third look."""
    monkeypatch.setattr(following, "POLL", 0.0)
    cluster.job("wc")
    looks = []
    get = cluster.get
    output = {"path": "counts", "records": 3, "bytes": 12}
    times = {"completionTime": "2026-01-02T03:05:05Z"}
    mapping = {"map": {"succeeded": 1, "total": 4}, "totalBytes": 40, "bytes": 10, "records": 2, "retries": 1}

    def answer(ref):
        found = get(ref)
        looks.append(ref)
        ended = over("Complete") | times | {"output": output}
        found["status"] = {"phase": "Mapping"} | mapping if len(looks) < 3 else ended
        return found

    monkeypatch.setattr(cluster, "get", answer)
    return looks


def test_a_job_that_runs_is_shown_to_its_end_with_its_result(runs):
    done = run("watch", "wc")
    assert (done.exit_code, done.stdout) == (0, "pvc:results/counts: 3 records, 12 B, in 60.0 s\n")
    assert done.stderr.split("\n")[:2] == ["mapping  maps 1/4  1 retry", "succeeded"]


def test_programs_get_progress_on_stderr_and_the_one_document_on_stdout(runs):
    done = run("watch", "wc", "--json", "--progress", "json")
    assert json.loads(done.stdout)["seconds"] == 60.0
    told = [json.loads(row)["progress"] for row in done.stderr.split("\n")[:-1]]
    assert [(each["phase"], each["maps"]["done"]) for each in told] == [("Mapping", 1), ("Succeeded", 0)]
    assert run_json("watch", "wc")["output"]["place"] == "pvc:results/counts"


def test_a_job_that_failed_ends_the_watching_with_its_status(cluster):
    cluster.job("wc", over("Failed", "UserCodeFailed", "map-1 failed"))
    done = run("watch", "wc")
    assert done.exit_code == 1
    assert "the job failed: UserCodeFailed: map-1 failed" in done.stderr


def test_what_is_no_job_of_the_cluster_is_refused_in_plain_words(cluster):
    none = run("watch", "nothing")
    assert (none.exit_code, none.stdout) == (2, "")
    assert "there is no job 'nothing' in namespace 'default'" in none.stderr
    folder = run("watch", "./out")
    assert (folder.exit_code, "./out is a folder" in folder.stderr) == (2, True)
    assert "a run on this machine shows its progress where it was started" in folder.stderr


def test_who_stops_watching_is_told_that_the_job_goes_on(cluster, monkeypatch):
    cluster.job("wc", {"phase": "Mapping"})

    def interrupt(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    done = run("watch", "wc")
    assert done.exit_code == 130
    assert "wc goes on; `mapreduce watch wc` shows it again" in done.stderr
