"""What runs workers and gateways in a simulation: nodes and Pods, as the API server and the kubelets see them.

A Pod that ends has the status that a cluster gives it, and `kube.pod_ends` reads the reason from that, as it does in
the operator. Neighbours: `driver.py` (creates and deletes), `api_server.py` (tells the watches), `faults/pods.py`
(deletes, kills, loses and starves).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from mapreduce_operator.core.events import StartWorker, WorkerSeen
from mapreduce_operator.kube import pod_ends
from tests.support.simulated.gateway_host import GatewayHost
from tests.support.simulated.worker_host import WorkerHost

if TYPE_CHECKING:
    from tests.support.simulated.world import World

NODES = 3
GRACE = 10.0
FORCED_AFTER = 45.0
"""Seconds after which somebody removes the Pods of a node that does not come back."""
SIGKILL: Final = 137
"""The exit code of a container whose process was killed."""


class _Pod(msgspec.Struct):
    seen: WorkerSeen
    status: dict[str, Any] = {}
    """What Kubernetes says of its end, in the fields of a Pod's status."""
    host: WorkerHost | GatewayHost | None = None
    unreachable: bool = False
    """Its node is lost: nobody carries out what the API server is asked for."""


class Starving(msgspec.Struct, frozen=True):
    """Why no Pod begins to run until `until`."""

    until: float
    fault: str
    reason: str
    message: str


class Platform:
    """The Pods of the job, and the processes in them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pods: dict[str, _Pod] = {}
        self._uids = itertools.count(1)
        self.starving: Starving | None = None

    def start(self, command: StartWorker) -> None:
        """Create a Pod; once there, doing it again is harmless. It runs a little later."""
        if command.name in self._pods:
            return
        uid = f"uid-{next(self._uids)}-{command.name}"
        seen = WorkerSeen(
            name=command.name,
            uid=uid,
            role=command.role,
            index=command.index,
            incarnation=command.incarnation,
            state="pending",
            node=f"node-{self._world.clock.chance.randrange(NODES)}",
        )
        self._pods[command.name] = _Pod(seen)
        self._tell(seen)
        self._world.clock.after(self._world.clock.chance.uniform(0.2, 3.0), lambda: self._run(command.name, uid))

    def _run(self, name: str, uid: str) -> None:
        pod = self._pods.get(name)
        if pod is None or pod.seen.uid != uid or pod.seen.state != "pending":
            return
        starving = self.starving
        if starving is not None and self._world.clock.now < starving.until:
            self._world.hit(starving.fault)
            pod.seen = msgspec.structs.replace(pod.seen, reason=starving.reason, message=starving.message)
            self._tell(pod.seen)
            self._world.clock.after(1.0, lambda: self._run(name, uid))
            return
        make = WorkerHost if pod.seen.role == "worker" else GatewayHost
        pod.host = make(self._world, name, uid)
        self._become(name, "running")

    def stop(self, name: str, uid: str = "", *, grace: float = GRACE, disruption: str = "") -> None:
        """Delete a Pod with its grace period; the process may use it. `disruption`: why, if nobody just deleted it,
        as the condition DisruptionTarget says it."""
        pod = self._pods.get(name)
        if pod is None or pod.seen.state == "ending" or (uid and pod.seen.uid != uid):
            return
        if pod.seen.state == "gone":
            del self._pods[name]
            return
        if pod.host is not None:
            pod.host.terminate()
        if disruption:
            pod.status |= _disrupted(disruption)
        self._become(name, "ending")
        if not pod.unreachable:
            latest = self._world.clock.chance.uniform(0.0, grace)
            self._world.clock.after(latest, lambda: self.remove(name))

    def kill(self, name: str, *, code: int = SIGKILL, oom: bool = False, evicted: bool = False) -> None:
        """End the process of a Pod with an exit code; the Pod stays, failed. `oom`: the kernel did it, for its memory;
        `evicted`: the kubelet did it, for its node's."""
        pod = self._pods.get(name)
        if pod is None or pod.seen.state not in ("running", "ending"):
            return
        if pod.host is not None:
            pod.host.die()
            pod.host = None
        reason = "OOMKilled" if oom else "Error"
        pod.status |= {"containerStatuses": [{"state": {"terminated": {"exitCode": code, "reason": reason}}}]}
        if evicted:
            pod.status |= {"reason": "Evicted", **_disrupted("TerminationByKubelet")}
        pod.seen = msgspec.structs.replace(pod.seen, oom=oom)
        self._become(name, "gone")

    def lose_node(self, name: str) -> None:
        """The node under a Pod stops for good: the API server learns of it only when its Pods are removed by force."""
        pod = self._pods[name]
        if pod.host is not None:
            pod.host.die()
            pod.host = None
        pod.unreachable = True
        pod.status |= _disrupted("DeletionByTaintManager")
        self._world.clock.after(FORCED_AFTER, lambda: self.remove(name))

    def exited(self, name: str) -> None:
        """A process ended by itself, since it had to."""
        self.kill(name, code=1)

    def remove(self, name: str) -> None:
        """Take a Pod away at once, with its process."""
        pod = self._pods.get(name)
        if pod is None:
            return
        if pod.host is not None:
            pod.host.die()
        if pod.seen.state != "gone":
            self._become(name, "gone", deleted=True)
        else:
            self._tell(pod.seen)
        del self._pods[name]

    def seen(self) -> tuple[WorkerSeen, ...]:
        """Return what a LIST gives now."""
        return tuple(pod.seen for pod in self._pods.values())

    def host(self, name: str) -> WorkerHost | GatewayHost | None:
        """Return the process behind an address, if it runs."""
        pod = self._pods.get(name)
        return None if pod is None else pod.host

    def workers(self) -> list[WorkerHost]:
        """Return the workers that run."""
        return [host for name in self.running("worker") if isinstance(host := self.host(name), WorkerHost)]

    def running(self, role: Literal["worker", "gateway"]) -> list[str]:
        """Return the names of the Pods of a role that run."""
        return sorted(
            name
            for name, pod in self._pods.items()
            if pod.seen.role == role and pod.seen.state == "running" and not pod.unreachable
        )

    def on_node_of(self, name: str) -> list[str]:
        """Return the names of the Pods that run on the node of one."""
        node = self._pods[name].seen.node
        every = [*self.running("worker"), *self.running("gateway")]
        return [other for other in every if self._pods[other].seen.node == node]

    def _become(self, name: str, state: Literal["running", "ending", "gone"], *, deleted: bool = False) -> None:
        pod = self._pods[name]
        reason, message = "", ""
        if state == "ending":
            reason, message = pod_ends.ending(pod.status)
        elif state == "gone":
            reason, message = pod_ends.gone(pod.status, deleted=deleted or pod.seen.state == "ending")
        pod.seen = msgspec.structs.replace(pod.seen, state=state, reason=reason, message=message)
        self._tell(pod.seen)

    def _tell(self, seen: WorkerSeen) -> None:
        self._world.api.tell(seen)


def _disrupted(reason: str) -> dict[str, Any]:
    """Return the status of a Pod that is to go for this reason."""
    return {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": reason}]}
