"""What starts and stops workers in a simulation: a Kubernetes with late and lost watch events."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal

import msgspec

from mapreduce_operator.core.events import StartWorker, WorkerChanged, WorkerSeen
from tests.support.simulated.gateway_host import GatewayHost
from tests.support.simulated.worker_host import WorkerHost

if TYPE_CHECKING:
    from tests.support.simulated.world import World

HINT_LOST = 0.2
"""The chance that a watch event never comes; the next LIST tells then."""


class _Pod(msgspec.Struct):
    seen: WorkerSeen
    host: WorkerHost | GatewayHost | None = None


class Platform:
    """The Pods of the job, and the processes in them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pods: dict[str, _Pod] = {}
        self._uids = itertools.count(1)

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
        )
        self._pods[command.name] = _Pod(seen)
        self._hint(command.name)

        def run() -> None:
            pod = self._pods.get(command.name)
            if pod is None or pod.seen.uid != uid or pod.seen.state != "pending":
                return
            make = WorkerHost if command.role == "worker" else GatewayHost
            pod.host = make(self._world, command.name, uid)
            self._become(command.name, "running")

        self._world.clock.after(self._world.clock.chance.uniform(0.2, 3.0), run)

    def stop(self, name: str) -> None:
        """Delete a Pod with its grace period; the process may use it."""
        pod = self._pods.get(name)
        if pod is None or pod.seen.state == "ending":
            return
        if pod.seen.state == "gone":
            del self._pods[name]
            return
        if pod.host is not None:
            pod.host.terminate()
        self._become(name, "ending")
        self._world.clock.after(self._world.clock.chance.uniform(0.0, 10.0), lambda: self._remove(name))

    def kill(self, name: str) -> None:
        """Kill the process of a Pod; the Pod stays, failed."""
        pod = self._pods.get(name)
        if pod is None or pod.seen.state not in ("running", "ending"):
            return
        if pod.host is not None:
            pod.host.die()
            pod.host = None
        self._become(name, "gone")

    def exited(self, name: str) -> None:
        """A process ended by itself."""
        self.kill(name)

    def seen(self) -> tuple[WorkerSeen, ...]:
        """Return what a LIST gives now."""
        return tuple(pod.seen for pod in self._pods.values())

    def host(self, name: str) -> WorkerHost | GatewayHost | None:
        """Return the process behind an address, if it runs."""
        pod = self._pods.get(name)
        return None if pod is None else pod.host

    def running(self, role: Literal["worker", "gateway"]) -> list[str]:
        """Return the names of the Pods of a role that run."""
        return sorted(name for name, pod in self._pods.items() if pod.seen.role == role and pod.seen.state == "running")

    def _remove(self, name: str) -> None:
        pod = self._pods.pop(name, None)
        if pod is not None and pod.host is not None:
            pod.host.die()
        if pod is not None:
            self._tell(msgspec.structs.replace(pod.seen, state="gone"))

    def _become(self, name: str, state: Literal["running", "ending", "gone"]) -> None:
        pod = self._pods[name]
        pod.seen = msgspec.structs.replace(pod.seen, state=state)
        self._hint(name)

    def _hint(self, name: str) -> None:
        self._tell(self._pods[name].seen)

    def _tell(self, seen: WorkerSeen) -> None:
        chance = self._world.clock.chance
        if chance.random() >= HINT_LOST:
            self._world.clock.after(chance.uniform(0.01, 0.5), lambda: self._world.master.post(WorkerChanged(seen)))
