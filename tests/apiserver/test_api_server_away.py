"""The API server is away, or answers nothing, while jobs run: they go on, and the operator finds its way back."""

import time

from tests.support.apiserver import SYSTEM, eventually
from tests.support.operator_process import registration
from tests.support.whole_jobs import assert_right, complete, prepare, submit_held


def epoch(server):
    return server.get("-n", SYSTEM, "lease", "mapreduce-operator")["spec"]["leaseTransitions"]


def test_known_workers_register_without_it_and_what_happened_meanwhile_is_noticed(server, team, operator):
    before = epoch(server)
    team.submit(workers={"replicas": 1})
    worker = eventually("its worker", lambda: team.pods("worker"))[0]
    name = worker["metadata"]["name"]
    team.run_pod(name)
    known = team.token(worker)
    assert operator.register(known, registration()).epoch == before
    try:
        operator.api.cut()
        assert operator.register_once(known, registration()).epoch == before
        assert operator.register_once(team.token(worker), registration())[0] == 503, "a new token: nobody can tell"
        team.server.kubectl("-n", team.name, "delete", "pod", name, "--grace-period=0", "--force", "--wait=false")
        # A watch that stands and says nothing is worse than one that breaks.
        operator.api.freeze()
        time.sleep(1)
        assert "STALE" not in operator.health_text()
    finally:
        operator.api.mend()
    eventually("another worker", lambda: {pod["metadata"]["name"] for pod in team.pods("worker")} - {name})
    assert epoch(server) == before, "the same process"


def test_a_job_goes_on_without_it(operator, kubelet, team):
    expected = prepare(kubelet, team)
    gate = submit_held(kubelet, team)
    try:
        operator.api.cut()
        gate.open()
        time.sleep(4)
    finally:
        operator.api.mend()
    complete(team)
    events = assert_right(kubelet, team, expected)
    assert len({event["epoch"] for event in events}) == 1
    assert not [event for event in events if event["event"] in ("WorkerLost", "Lost", "Failed")]
