"""`kubectl drain` of a node with workers, as an administrator runs it while a job does."""

from tests.support.whole_jobs import assert_right, complete, prepare, submit_held

NODE = "drained"
"""No other test has Pods on it."""


def test_a_drained_node_gives_its_workers_back_and_the_job_goes_on_elsewhere(server, operator, kubelet, team):
    expected = prepare(kubelet, team)
    server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
    kubelet.worker_node = NODE
    gate = submit_held(kubelet, team)
    drained = {pod["metadata"]["name"] for pod in team.pods("worker")}
    kubelet.worker_node = "elsewhere"
    # Neither --force nor more: a Pod without a controller, or with other data, would be refused here.
    try:
        server.kubectl("drain", NODE, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=50s")
    except AssertionError as error:
        pods = server.kubectl("get", "pods", "--all-namespaces", "--output", "wide")
        raise AssertionError(f"{error}\n{kubelet.state()}\n{pods}") from error
    left = team.server.get("-n", team.name, "pods", "--field-selector=spec.nodeName=" + NODE)["items"]
    assert left == []
    gate.open()
    complete(team)
    assert_right(kubelet, team, expected)
    assert drained.isdisjoint(pod["metadata"]["name"] for pod in team.pods("worker"))
