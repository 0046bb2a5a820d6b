"""A Pod that somebody made beforehand, under the name that a worker will have."""

import copy

from tests.support.apiserver import SYSTEM, eventually
from tests.support.operator_process import registration


def lookalike(team, epoch, stolen):
    """Return what the first worker's Pod will look like, as far as anybody can know; `stolen` is from another Pod."""
    owner = team.job()["metadata"]
    labels = stolen["metadata"]["labels"] | {
        "mapreduce.dev/job": "wordcount",
        "mapreduce.dev/job-uid": owner["uid"],
        "mapreduce.dev/incarnation": f"{epoch}-0",
    }
    made = {"apiVersion": "v1", "kind": "Pod", "spec": copy.deepcopy(stolen["spec"])}
    reference = {"apiVersion": "mapreduce.dev/v1alpha1", "kind": "MapReduceJob", "name": "wordcount"}
    made["metadata"] = {
        "name": f"wordcount-{owner['uid'][:8]}-w-0-{epoch}-0",
        "namespace": team.name,
        "labels": labels,
        "annotations": stolen["metadata"]["annotations"],
        # Whatever of the suspended job is cleaned up meanwhile, the name stays taken.
        "finalizers": ["example.org/stays"],
        "ownerReferences": [reference | {"uid": owner["uid"], "controller": True}],
    }
    return made


def test_a_pod_made_beforehand_under_a_worker_s_name_is_not_taken(server, team, operator):
    epoch = server.get("-n", SYSTEM, "lease", "mapreduce-operator")["spec"]["leaseTransitions"]
    team.submit("other", workers={"replicas": 1})
    eventually("a worker's Pod to copy", lambda: team.pods("worker"))
    team.submit(workers={"replicas": 1}, suspend=True)
    eventually("it is suspended", lambda: team.status().get("phase") == "Suspended")
    false = lookalike(team, epoch, team.pods("worker")[0])
    server.apply(false)
    name = false["metadata"]["name"]
    team.run_pod(name)
    false = team.server.get("-n", team.name, "pod", name)
    token = team.token(false)
    server.kubectl("-n", team.name, "patch", "mrjob", "wordcount", "--type=merge", "-p", '{"spec": {"suspend": false}}')

    def true_worker():
        found = [pod for pod in team.pods("worker") if pod["metadata"]["name"] == name.removesuffix("0") + "1"]
        return found[0] if found else None

    worker = eventually("the worker has another name", true_worker)
    assert operator.register(token, registration())[0] == 403
    team.run_pod(worker["metadata"]["name"])
    assert operator.register(team.token(worker), registration()).epoch == epoch
