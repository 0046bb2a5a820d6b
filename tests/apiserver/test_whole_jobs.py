"""Whole jobs through the real API: operator, gateways and workers as processes, Pods by their manifests."""

from tests.support import history_checker
from tests.support.apiserver import eventually
from tests.support.whole_jobs import LINES, Gate, assert_right, complete, prepare, submit, submit_held


def test_a_word_count_over_two_claims_gives_the_reference_s_bytes_and_leaves_nothing_running(operator, kubelet, team):
    expected = prepare(kubelet, team)
    submit(team)
    complete(team)
    assert_right(kubelet, team, expected)
    status = team.status()
    assert status["phase"] == "Succeeded"
    assert status["map"]["progress"] == f"{status['map']['total']}/{status['map']['total']}"
    assert status["output"]["path"] == "out"
    eventually("its Pods are gone", lambda: team.pods() == [])
    eventually("its finalizer is gone", lambda: "finalizers" not in team.job()["metadata"])
    results = kubelet.claim(team.name, "results")
    assert [path.name for path in results.iterdir()] == ["out"]
    events = team.server.get("-n", team.name, "events")["items"]
    said = {(event["type"], event["reason"]): event["message"] for event in events}
    phases = {("Normal", reason) for reason in ("Planned", "Mapping", "Reducing", "Publishing", "Succeeded")}
    assert phases <= said.keys()
    assert "mapreduce cat wordcount" in said["Normal", "Succeeded"]
    assert "Warning" not in {kind for kind, _ in said}
    assert str(status["map"]["total"]) in said["Normal", "Planned"]


def test_the_input_may_be_a_config_map_and_the_claim_the_same_for_both(operator, kubelet, team):
    expected = prepare(kubelet, team, files=2)
    data = {f"{number}.txt": "".join(LINES[number::2]) for number in range(2)}
    texts = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words", "namespace": team.name}}
    team.server.apply(texts | {"data": data})
    submit(team, input={"paths": ["*.txt"], "volume": {"configMap": {"name": "words"}}})
    complete(team)
    assert_right(kubelet, team, expected)


def test_a_worker_pod_deleted_while_maps_run_costs_its_attempts_only(operator, kubelet, team):
    expected = prepare(kubelet, team)
    gate = submit_held(kubelet, team)
    victim = min(pod["metadata"]["name"] for pod in team.pods("worker"))
    team.server.kubectl("-n", team.name, "delete", "pod", victim, "--wait=false", "--grace-period=0", "--force")
    gate.open()
    complete(team)
    events = assert_right(kubelet, team, expected)
    assert history_checker.lost_on(events, victim) or history_checker.assigned_again_after_finishing(events)


def test_an_operator_killed_while_maps_run_runs_no_finished_map_again(operator, kubelet, team):
    expected = prepare(kubelet, team)
    gate = submit_held(kubelet, team)
    operator.kill()
    operator.start()
    gate.open()
    complete(team)
    events = assert_right(kubelet, team, expected)
    assert len({event["epoch"] for event in events}) >= 2
    assert history_checker.assigned_again_after_finishing(events) == []


def test_a_job_deleted_while_it_runs_leaves_no_pod_and_no_file(operator, kubelet, team):
    prepare(kubelet, team)
    submit(team, program={"inline": Gate(kubelet, team, free=0).program})
    eventually("maps run", lambda: team.status().get("phase") == "Mapping")
    team.server.kubectl("-n", team.name, "delete", "mrjob", "wordcount", "--timeout=70s")
    eventually("its Pods are gone", lambda: team.pods() == [])
    assert list(kubelet.claim(team.name, "results").iterdir()) == []


def test_a_job_that_failed_keeps_its_history_until_it_is_deleted(operator, kubelet, team):
    prepare(kubelet, team)
    submit(team, program={"inline": "import mapreduce as mr\nclass W(mr.Job:\n"})
    failed = eventually("it failed", lambda: team.condition("Failed"))
    assert failed["status"] == "True"
    assert "line 2" in failed["message"]
    eventually("its Pods are gone", lambda: team.pods() == [])
    results = kubelet.claim(team.name, "results")
    assert not (results / "out").exists()
    (staging,) = (path for path in results.iterdir() if path.is_dir())
    assert (staging / "_history/events.ndjson").exists()
    team.server.kubectl("-n", team.name, "delete", "mrjob", "wordcount", "--timeout=70s")
    assert list(results.iterdir()) == []
