"""Jobs that are paused, resized and stopped while they run, through the real API: the bytes stay the same."""

import json

from tests.support import history_checker
from tests.support.apiserver import eventually
from tests.support.whole_jobs import assert_right, complete, maps_succeed, prepare, submit


def change(team, **spec):
    patch = json.dumps({"spec": spec})
    team.server.kubectl("-n", team.name, "patch", "mrjob", "wordcount", "--type=merge", "-p", patch)


def reasons(team):
    return {event["reason"] for event in team.server.get("-n", team.name, "events")["items"]}


def suspended(team):
    eventually("it is suspended", lambda: team.condition("Suspended").get("status") == "True", timeout=40)
    eventually("its Pods are gone", lambda: team.pods() == [], timeout=40)


def test_a_job_that_is_paused_and_resumed_gives_the_reference_s_bytes(operator, kubelet, team):
    expected = prepare(kubelet, team)
    submit(team, pause=0.1)
    maps_succeed(team)
    change(team, suspend=True)
    suspended(team)
    assert team.status()["phase"] == "Suspended"
    change(team, suspend=False)
    complete(team)
    assert_right(kubelet, team, expected)
    assert team.condition("Suspended")["status"] == "False"
    assert {"Suspended", "Resumed"} <= reasons(team)


def test_a_pause_outlasts_the_operator(operator, kubelet, team):
    expected = prepare(kubelet, team)
    submit(team, pause=0.1)
    maps_succeed(team)
    change(team, suspend=True)
    suspended(team)
    started = team.status()["startTime"]
    operator.kill()
    operator.start()
    assert team.pods() == []
    assert team.status()["phase"] == "Suspended"
    assert team.status()["startTime"] == started
    change(team, suspend=False)
    complete(team)
    assert_right(kubelet, team, expected)


def test_a_paused_job_that_is_deleted_leaves_no_file(operator, kubelet, team):
    prepare(kubelet, team)
    submit(team, pause=0.2)
    maps_succeed(team, 1)
    change(team, suspend=True)
    suspended(team)
    team.server.kubectl("-n", team.name, "delete", "mrjob", "wordcount", "--timeout=50s")
    assert list(kubelet.claim(team.name, "results").iterdir()) == []


def test_a_job_grows_and_shrinks_by_scale(operator, kubelet, team):
    expected = prepare(kubelet, team)
    submit(team, pause=0.2, workers={"replicas": 1})
    maps_succeed(team, 1)
    team.server.kubectl("-n", team.name, "scale", "mrjob/wordcount", "--replicas=3")
    eventually("three workers", lambda: team.status()["workers"]["summary"] == "3/3", timeout=40)
    team.server.kubectl("-n", team.name, "scale", "mrjob/wordcount", "--replicas=1")
    eventually("one is wanted", lambda: team.status()["workers"]["desired"] == 1, timeout=20)
    complete(team)
    assert_right(kubelet, team, expected)
    assert "Scaled" in reasons(team)


def test_scaling_down_runs_no_finished_map_again(operator, kubelet, team):
    expected = prepare(kubelet, team)
    submit(team, pause=0.1, workers={"replicas": 3})
    maps_succeed(team, 3)
    team.server.kubectl("-n", team.name, "scale", "mrjob/wordcount", "--replicas=1")
    complete(team)
    events = assert_right(kubelet, team, expected)
    assert history_checker.assigned_again_after_finishing(events) == []


def test_a_job_that_is_active_for_too_long_fails_and_says_so(operator, kubelet, team):
    prepare(kubelet, team)
    submit(team, pause=5.0, activeDeadlineSeconds=8)
    failed = eventually("it failed", lambda: team.condition("Failed"), timeout=60)
    assert failed["reason"] == "DeadlineExceeded"
    assert "8 s" in failed["message"]
    eventually("its Pods are gone", lambda: team.pods() == [], timeout=40)
