"""`mapreduce rerun` and `mapreduce logs`, with a cluster in memory."""

import pytest

from mapreduce_cli.cluster import logs
from mapreduce_cli.cluster.refs import Ref, job
from tests.support.fake_cluster import over, run, run_json


def names(cluster):
    return sorted(found["metadata"]["name"] for found in cluster.list_all(job("default")))


def test_a_failed_job_runs_again_under_a_new_name_with_the_same_spec(cluster):
    cluster.job("wc", over("Failed"), reducers=3)
    made = run_json("rerun", "wc")["job"]["name"]
    assert made.startswith("wc-")
    again = cluster.get(job("default", made))
    assert again["spec"] == cluster.get(job("default", "wc"))["spec"]
    assert "status" not in again
    third = run_json("rerun", made)["job"]["name"]
    assert len(third) == len(made), "names do not grow from run to run"


def test_an_output_that_is_there_needs_a_word_of_the_user(cluster):
    cluster.job("wc", over("Complete"))
    done = run("rerun", "wc")
    assert done.exit_code == 2
    assert "the output counts of wc is there already" in done.stderr
    assert run("rerun", "wc", "--output", "counts-2", "--name", "wc-2").stdout == "wc-2: submitted\n"
    assert cluster.get(job("default", "wc-2"))["spec"]["output"]["path"] == "counts-2"
    assert run("rerun", "wc", "--overwrite", "--name", "wc-3").exit_code == 0
    assert cluster.get(job("default", "wc-3"))["spec"]["output"]["overwrite"] == "Replace"


def test_a_job_is_replaced_under_its_own_name(cluster):
    old = cluster.job("wc", over("Failed"))
    assert run("rerun", "wc", "--replace").exit_code == 0
    assert names(cluster) == ["wc"]
    assert cluster.get(job("default", "wc"))["metadata"]["uid"] != old["metadata"]["uid"]


def test_a_program_that_goes_with_the_old_job_goes_with_the_new_one_too(cluster):
    cluster.job("wc", over("Failed"), program={"configMap": {"name": "wc-source", "key": "job.py"}})
    source = {"metadata": {"name": "wc-source"}, "data": {"job.py": "x"}, "binaryData": {"b": "/wA="}}
    cluster.put("configmaps", source)
    assert run("rerun", "wc", "--name", "wc-2").exit_code == 0
    copied = cluster.get(Ref("configmaps", "default", "wc-2-source"))
    assert (copied["data"], copied["binaryData"]) == ({"job.py": "x"}, {"b": "/wA="})
    assert cluster.get(job("default", "wc-2"))["spec"]["program"]["configMap"]["name"] == "wc-2-source"


def test_a_suspended_job_that_is_rerun_begins(cluster):
    cluster.job("wc", {"phase": "Suspended"}, suspend=True)
    run("rerun", "wc", "--name", "wc-2")
    assert "suspend" not in cluster.get(job("default", "wc-2"))["spec"]


# --- logs ----------------------------------------------------------------------------------------


@pytest.fixture
def running(cluster, monkeypatch):
    monkeypatch.setattr(logs, "POLL", 0.01)
    made = cluster.job("wc", {"phase": "Mapping"}, workers={"replicas": 2})
    for index, role in ((0, "worker"), (1, "worker"), (0, "gateway")):
        name = f"wc-{role}-{index}"
        labels = {
            "mapreduce.dev/job-uid": made["metadata"]["uid"],
            "mapreduce.dev/role": role,
            "mapreduce.dev/index": str(index),
        }
        cluster.put("pods", {"metadata": {"name": name, "labels": labels}, "status": {"phase": "Running"}})
        cluster.logs[name] = f"{name} says\n\x1b[1mhello".encode()
    return made


def test_lines_of_several_pods_are_told_apart(cluster, running):
    assert run("logs", "wc").stdout_bytes == (
        b"wc-worker-0: wc-worker-0 says\nwc-worker-0: \x1b[1mhello\n"
        b"wc-worker-1: wc-worker-1 says\nwc-worker-1: \x1b[1mhello\n"
    )
    assert "wc-gateway-0" in run("logs", "wc", "--gateways").stdout


def test_the_log_of_a_worker_that_may_still_come_is_waited_for_only_when_followed(cluster):
    cluster.job("wc", {"phase": "Pending"}, workers={"replicas": 2})
    done = run("logs", "wc", "--worker", "1")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "wc has no worker 1 now" in done.stderr
    assert "hint: --follow waits for it" in done.stderr


@pytest.mark.parametrize("which", ["1", "wc-worker-1"])
def test_one_worker_is_chosen_by_number_or_name(cluster, running, which):
    assert run("logs", "wc", "--worker", which).stdout_bytes == b"wc-worker-1 says\n\x1b[1mhello\n"


def test_logs_as_json_are_by_pod(cluster, running):
    found = run_json("logs", "wc", "--worker", "0")
    assert found == {"logs": [{"pod": "wc-worker-0", "log": "wc-worker-0 says\n\x1b[1mhello"}]}


def test_of_one_task_what_tells_of_its_attempts_is_printed(cluster, running):
    cluster.logs["wc-worker-0"] = b"map-1.e1.0 printed:\n  one\n  map-17.e1.0 printed:\nregistered\nmap-17.e1.0 waits\n"
    cluster.logs["wc-worker-1"] = b"registered\nmap-1.e1.1 printed:\n  two\n\nmap-2.e1.0 printed:\n  no\n"
    assert run("logs", "wc", "--task", "map-1").stdout_bytes == (
        b"wc-worker-0: map-1.e1.0 printed:\nwc-worker-0:   one\nwc-worker-0:   map-17.e1.0 printed:\n"
        b"wc-worker-1: map-1.e1.1 printed:\nwc-worker-1:   two\n"
    )
    assert run_json("logs", "wc", "--task", "map-17", "--worker", "0")["logs"][0]["log"] == "map-17.e1.0 waits"
    none = run("logs", "wc", "--task", "map-3")
    assert (none.exit_code, none.stdout) == (0, "")
    assert "tells of map-3" in none.stderr
    assert "'seventeen' is no task" in run("logs", "wc", "--task", "seventeen").stderr


def test_a_pod_that_goes_while_it_is_read_is_told_of_and_the_others_are_printed(cluster, running):
    del cluster.logs["wc-worker-0"]
    done = run("logs", "wc")
    assert done.exit_code == 0
    assert "wc-worker-0: it is gone, and its log with it" in done.stderr
    assert "wc-worker-1 says" in done.stdout


def test_a_pod_that_is_gone_is_told_with_how_it_went(cluster, running):
    running["status"]["lastFailures"] = [{"worker": "wc-worker-9", "reason": "WorkerLost", "message": "evicted"}]
    done = run("logs", "wc", "--worker", "wc-worker-9")
    assert done.exit_code == 2
    assert "took its log with it: WorkerLost: evicted" in done.stderr


def test_a_job_that_is_over_has_no_logs_any_more(cluster):
    cluster.job("wc", over("Complete"))
    done = run("logs", "wc")
    assert done.exit_code == 2
    assert "its Pods are gone with their logs" in done.stderr
    assert "mapreduce describe wc" in done.stderr


def test_following_ends_with_the_job_and_misses_no_pod(cluster, running, monkeypatch):
    looks = []
    get = cluster.get

    def answer(ref):
        looks.append(ref)
        found = get(ref)
        if len(looks) > 2:
            found["status"] = over("Complete")
        return found

    monkeypatch.setattr(cluster, "get", answer)
    out = run("logs", "wc", "--follow").stdout_bytes
    assert sorted(out.split(b"\n")[:-1]) == [
        b"wc-worker-0: \x1b[1mhello",
        b"wc-worker-0: wc-worker-0 says",
        b"wc-worker-1: \x1b[1mhello",
        b"wc-worker-1: wc-worker-1 says",
    ]
