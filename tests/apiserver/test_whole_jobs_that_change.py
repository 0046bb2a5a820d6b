"""Jobs that are paused, resized and stopped while they run, through the real API: the bytes stay the same."""

import json

from tests.support import history_checker
from tests.support.apiserver import eventually
from tests.support.whole_jobs import Gate, assert_right, complete, prepare, submit, submit_held


def change(team, **spec):
    patch = json.dumps({"spec": spec})
    team.server.kubectl("-n", team.name, "patch", "mrjob", "wordcount", "--type=merge", "-p", patch)


def reasons(team):
    return {event["reason"] for event in team.server.get("-n", team.name, "events")["items"]}


def suspended(team):
    eventually("it is suspended", lambda: team.condition("Suspended").get("status") == "True")
    eventually("its Pods are gone", lambda: team.pods() == [])


def test_a_job_that_is_paused_and_resumed_gives_the_reference_s_bytes(operator, kubelet, team):
    expected = prepare(kubelet, team)
    gate = submit_held(kubelet, team)
    change(team, suspend=True)
    suspended(team)
    gate.open()
    assert team.status()["phase"] == "Suspended"
    change(team, suspend=False)
    complete(team)
    assert_right(kubelet, team, expected)
    assert team.condition("Suspended")["status"] == "False"
    assert {"Suspended", "Resumed"} <= reasons(team)


def test_a_pause_outlasts_the_operator(operator, kubelet, team):
    expected = prepare(kubelet, team)
    gate = submit_held(kubelet, team)
    change(team, suspend=True)
    suspended(team)
    gate.open()
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
    submit_held(kubelet, team, 1)
    change(team, suspend=True)
    suspended(team)
    team.server.kubectl("-n", team.name, "delete", "mrjob", "wordcount", "--timeout=70s")
    assert list(kubelet.claim(team.name, "results").iterdir()) == []


def test_a_job_grows_and_shrinks_by_scale(operator, kubelet, team):
    expected = prepare(kubelet, team)
    gate = submit_held(kubelet, team, 1, workers={"replicas": 1})
    team.server.kubectl("-n", team.name, "scale", "mrjob/wordcount", "--replicas=3")
    eventually("three workers", lambda: team.status()["workers"]["summary"] == "3/3")
    team.server.kubectl("-n", team.name, "scale", "mrjob/wordcount", "--replicas=1")
    eventually("one is wanted", lambda: team.status()["workers"]["desired"] == 1)
    gate.open()
    complete(team)
    assert_right(kubelet, team, expected)
    assert "Scaled" in reasons(team)


def test_scaling_down_runs_no_finished_map_again(operator, kubelet, team):
    expected = prepare(kubelet, team)
    gate = submit_held(kubelet, team, 3, workers={"replicas": 3})
    team.server.kubectl("-n", team.name, "scale", "mrjob/wordcount", "--replicas=1")
    eventually("one is wanted", lambda: team.status()["workers"]["desired"] == 1)
    gate.open()
    complete(team)
    events = assert_right(kubelet, team, expected)
    assert history_checker.assigned_again_after_finishing(events) == []


def test_a_job_that_is_active_for_too_long_fails_and_says_so(operator, kubelet, team):
    prepare(kubelet, team)
    submit(team, program={"inline": Gate(kubelet, team).program}, activeDeadlineSeconds=5)
    failed = eventually("it failed", lambda: team.condition("Failed"))
    assert failed["reason"] == "DeadlineExceeded"
    assert "5 s" in failed["message"]
    eventually("its Pods are gone", lambda: team.pods() == [])
