"""An operator that ends, however it ends, and the one that comes after it."""

from tests.support.apiserver import SYSTEM, eventually
from tests.support.operator_process import registration


def lease(server):
    return server.get("-n", SYSTEM, "lease", "mapreduce-operator")["spec"]


def names(team):
    return {pod["metadata"]["name"] for pod in team.pods()}


def test_each_start_has_the_next_epoch_and_keeps_the_pods_that_are_there(server, team, operator):
    epoch = lease(server)["leaseTransitions"]
    team.submit(workers={"replicas": 1})
    eventually("its Pods", lambda: len(names(team)) == 3)
    before = names(team)
    worker = team.pods("worker")[0]
    team.run_pod(worker["metadata"]["name"])
    assert operator.register(team.token(worker), registration()).epoch == epoch

    operator.kill()
    operator.start()
    assert lease(server)["leaseTransitions"] == epoch + 1, "a restart in the same Pod waits for nothing"
    assert operator.register(team.token(worker), registration()).epoch == epoch + 1
    assert names(team) == before

    assert operator.stop() == 0
    assert lease(server).get("holderIdentity", "") == "", "it released the Lease"
    operator.start(pod_uid="another-pod")
    assert lease(server)["leaseTransitions"] == epoch + 2
    assert operator.register(team.token(worker), registration()).epoch == epoch + 2
    assert names(team) == before


def test_a_job_that_is_over_is_not_started_again(team, operator):
    absent = {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "absent"}}}
    team.submit("over", output=absent, preRunningDeadlineSeconds=1)
    eventually("it failed", lambda: team.condition("Failed", "over"))
    eventually("its Pods are gone", lambda: names(team) == set())
    before = team.job("over")
    operator.kill()
    operator.start()
    team.submit("next", workers={"replicas": 1})
    eventually("the next one has Pods", lambda: len(names(team)) == 3)
    assert all(name.startswith("next-") for name in names(team))
    assert team.job("over")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_an_operator_whose_lease_was_taken_ends_and_writes_no_more(server, operator):
    taken = '{"spec": {"holderIdentity": "another", "leaseTransitions": 1000}}'
    server.kubectl("-n", SYSTEM, "patch", "lease", "mapreduce-operator", "--type=merge", "-p", taken)
    try:
        assert operator.wait() == 1
        assert "another operator has taken the Lease" in operator.log()
        assert lease(server)["holderIdentity"] == "another"
    finally:
        released = '{"spec": {"holderIdentity": ""}}'
        server.kubectl("-n", SYSTEM, "patch", "lease", "mapreduce-operator", "--type=merge", "-p", released)
        operator.start()
    assert lease(server)["leaseTransitions"] == 1001
