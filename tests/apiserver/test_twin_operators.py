"""An operator that is frozen while a successor takes its place, and then goes on where it was."""

from tests.support.apiserver import SYSTEM
from tests.support.operator_process import OperatorProcess
from tests.support.whole_jobs import assert_right, complete, prepare, submit_held

RELEASED = '{"spec": {"holderIdentity": ""}}'


def lease(server):
    return server.get("-n", SYSTEM, "lease", "mapreduce-operator")["spec"]


def test_a_frozen_operator_that_goes_on_ends_and_the_job_is_the_successor_s(server, operator, kubelet, team):
    expected = prepare(kubelet, team)
    gate = submit_held(kubelet, team)
    old = lease(server)["leaseTransitions"]
    successor = OperatorProcess(server, twin_of=operator)
    try:
        operator.freeze()
        # As if the Lease had run out: the successor waits for that, which takes 15 s.
        server.kubectl("-n", SYSTEM, "patch", "lease", "mapreduce-operator", "--type=merge", "-p", RELEASED)
        successor.start(pod_uid="successor")
        operator.thaw()
        assert operator.wait() == 1, "workers reached it until now, and it reached the API server"
        assert "another operator" in operator.log()
        operator.service.lead_to(successor.port)
        held = lease(server)
        assert (held["leaseTransitions"], held["holderIdentity"].partition("_")[0]) == (old + 1, "successor")
        gate.open()
        complete(team)
        events = assert_right(kubelet, team, expected)
        assert {event["epoch"] for event in events} == {old, old + 1}
        epochs = [event["epoch"] for event in events]
        assert epochs == sorted(epochs), "nothing of the old one came after the new one had begun"
        made = {pod["metadata"]["labels"]["mapreduce.dev/incarnation"].split("-")[0] for pod in team.pods()}
        assert made <= {str(old), str(old + 1)}
    finally:
        operator.thaw()
        successor.stop()
        operator.service.lead_to(operator.port)
        operator.kill()
        operator.start()
