"""What runs workers and gateways in a simulation: nodes and Pods, as the API server and the kubelets see them.

Neighbours: `driver.py` (creates and deletes), `api_server.py` (tells the watches), `faults/pods.py` (deletes, kills,
loses and starves).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal

import msgspec

from mapreduce_operator.core.events import StartWorker, WorkerSeen
from tests.support.simulated.gateway_host import GatewayHost
from tests.support.simulated.worker_host import WorkerHost

if TYPE_CHECKING:
    from tests.support.simulated.world import World

NODES = 3
GRACE = 10.0
FORCED_AFTER = 45.0
"""Seconds after which somebody removes the Pods of a node that does not come back."""


class _Pod(msgspec.Struct):
    seen: WorkerSeen
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
        pod.seen = msgspec.structs.replace(pod.seen, reason="", message="")
        make = WorkerHost if pod.seen.role == "worker" else GatewayHost
        pod.host = make(self._world, name, uid)
        self._become(name, "running")

    def stop(self, name: str, uid: str = "", *, grace: float = GRACE) -> None:
        """Delete a Pod with its grace period; the process may use it."""
        pod = self._pods.get(name)
        if pod is None or pod.seen.state == "ending" or (uid and pod.seen.uid != uid):
            return
        if pod.seen.state == "gone":
            del self._pods[name]
            return
        if pod.host is not None:
            pod.host.terminate()
        self._become(name, "ending")
        if not pod.unreachable:
            latest = self._world.clock.chance.uniform(0.0, grace)
            self._world.clock.after(latest, lambda: self.remove(name))

    def kill(self, name: str, *, oom: bool = False) -> None:
        """Kill the process of a Pod; the Pod stays, failed. `oom`: the kernel did it, for its memory."""
        pod = self._pods.get(name)
        if pod is None or pod.seen.state not in ("running", "ending"):
            return
        if pod.host is not None:
            pod.host.die()
            pod.host = None
        pod.seen = msgspec.structs.replace(pod.seen, oom=oom)
        self._become(name, "gone")

    def lose_node(self, name: str) -> None:
        """The node under a Pod stops for good: the API server learns of it only when its Pods are removed by force."""
        pod = self._pods[name]
        if pod.host is not None:
            pod.host.die()
            pod.host = None
        pod.unreachable = True
        self._world.clock.after(FORCED_AFTER, lambda: self.remove(name))

    def exited(self, name: str) -> None:
        """A process ended by itself."""
        self.kill(name)

    def remove(self, name: str) -> None:
        """Take a Pod away at once, with its process."""
        pod = self._pods.pop(name, None)
        if pod is not None and pod.host is not None:
            pod.host.die()
        if pod is not None:
            self._tell(msgspec.structs.replace(pod.seen, state="gone"))

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

    def _become(self, name: str, state: Literal["running", "ending", "gone"]) -> None:
        pod = self._pods[name]
        pod.seen = msgspec.structs.replace(pod.seen, state=state)
        self._tell(pod.seen)

    def _tell(self, seen: WorkerSeen) -> None:
        self._world.api.tell(seen)
