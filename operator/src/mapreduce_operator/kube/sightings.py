"""What is known of one job's Pods, from the watch, from LISTs and from their creation, in one order.

Neighbours: `observe.py` (one Pod as the API server has it), `reconcile.py` (tells the core).
"""

from __future__ import annotations

from typing import Final

from mapreduce_operator.core.events import WorkerSeen
from mapreduce_operator.kube.observe import PodSeen

_STATES: Final = ("pending", "running", "ending", "gone")


class Sightings:
    """The Pods of one job by their uids, each with the instant of its latest sight."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, WorkerSeen]] = {}

    def seen(self, worker: WorkerSeen, at: float) -> WorkerSeen:
        """Take in a sight of one Pod; return what to tell of it."""
        furthest = self._furthest(worker)
        self._known[furthest.uid] = (at, furthest)
        return furthest

    def listed(self, pods: list[PodSeen], began: float) -> tuple[WorkerSeen, ...]:
        """Take in a LIST that began at `began`; return all Pods: what was seen since is newer than it."""
        workers = {pod.worker.uid: self._furthest(pod.worker) for pod in pods}
        newer = {uid: worker for uid, (at, worker) in self._known.items() if at >= began}
        workers |= newer
        self._known = {uid: self._known[uid] if uid in newer else (began, worker) for uid, worker in workers.items()}
        return tuple(workers.values())

    def _furthest(self, worker: WorkerSeen) -> WorkerSeen:
        """A Pod never goes back: an older state that comes late, by another way, is not told."""
        known = self._known.get(worker.uid)
        if known is not None and _STATES.index(known[1].state) > _STATES.index(worker.state):
            return known[1]
        return worker
