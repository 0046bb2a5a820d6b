"""Each end of a Pod, made as the kubelet, the scheduler or a user makes it, is told by its own reason."""

from tests.support.apiserver import eventually


def ended(**fields):
    return [{"name": "worker", "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": fields}]


def test_ends_of_pods_are_told_apart_in_events(server, team, operator):
    team.submit(workers={"replicas": 6})
    pods = eventually("its workers", lambda: found if len(found := team.pods("worker")) == 6 else [])
    oom, evicted, preempted, drained, deleted, imageless = sorted(pod["metadata"]["name"] for pod in pods)
    killed = {"exitCode": 137, "reason": "OOMKilled"}
    team.move_pod(oom, phase="Failed", containerStatuses=ended(terminated=killed))
    team.move_pod(evicted, phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "for another",
    }
    team.move_pod(preempted, phase="Failed", conditions=[target])
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": drained, "namespace": team.name}}
    server.create(f"/api/v1/namespaces/{team.name}/pods/{drained}/eviction", eviction)
    server.kubectl("-n", team.name, "delete", "pod", deleted, "--wait=false")
    waiting = {"reason": "ErrImagePull", "message": "no such image"}
    team.move_pod(imageless, phase="Pending", containerStatuses=ended(waiting=waiting))
    wanted = {
        ("PodOutOfMemory", f"{oom}: OOMKilled; exit code 137, killed by SIGKILL"),
        ("PodEvicted", f"{evicted}: Evicted; The node was low on resource: memory."),
        ("PodPreempted", f"{preempted}: PreemptionByScheduler; for another"),
        ("NodeDrained", f"{drained}: EvictionByEvictionAPI; Eviction API: evicting"),
        ("PodDeleted", f"{deleted}: the Pod was deleted"),
        ("ImageUnavailable", "image '': ErrImagePull: no such image"),
    }

    def told():
        events = server.get("-n", team.name, "events")["items"]
        return {(event["reason"], event["message"]) for event in events if event["type"] == "Warning"}

    eventually("an Event for each", lambda: wanted <= told())
