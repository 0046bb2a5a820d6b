"""What runs for one job: its core, at most one at a time, and its Pods.

Carries out and passes on; what is told to the core, and when it starts and stops, is for
`reconcile.py` to say. Neighbours: `runtime.jobs` (runs the core), `sightings.py`, `objects.py`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import msgspec

from mapreduce.spec import JobSpec
from mapreduce_operator.core.events import Event, WorkerChanged, WorkersListed
from mapreduce_operator.kube import objects, observe, pods
from mapreduce_operator.kube.client import Api, Ref
from mapreduce_operator.kube.observe import PodSeen
from mapreduce_operator.kube.pods import Platform
from mapreduce_operator.kube.resource import Defaults, Owner, ParsedJob
from mapreduce_operator.kube.sightings import Sightings
from mapreduce_operator.kube.writer import Writer
from mapreduce_operator.runtime.counts import Counts
from mapreduce_operator.runtime.driver import Driver
from mapreduce_operator.runtime.jobs import Core, JobRuntime, Observer
from mapreduce_operator.runtime.registry import Registry


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What all jobs of one operator share."""

    api: Api
    writer: Writer
    registry: Registry
    platform: Platform
    defaults: Defaults
    make_core: Callable[[JobSpec, bool, int], Core]
    """From the job, whether an earlier core may have run it, and the first incarnation of its workers."""
    make_driver: Callable[[ParsedJob, Callable[[PodSeen], None]], Driver]
    latest_epoch: Callable[[], Awaitable[int]]
    deposed: Callable[[str], None]
    """Told, with the reason, that another operator has this one's place."""
    counts: Counts = msgspec.field(default_factory=Counts)
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    """Unix seconds: ends are written down, and outlive a process, in these."""


class Running:
    """The core of one job and what is known of the job's Pods."""

    def __init__(self, owner: Owner, shared: Shared, observer: Observer) -> None:
        self._owner = owner
        self._shared = shared
        self._observer = observer
        self._sightings = Sightings()
        self._runtime: JobRuntime | None = None
        self._core: Core | None = None
        """The core of `_runtime`; one that has ended is let go, with all that it knew of its tasks."""
        self._next_incarnation = 0
        """Where the next core begins to count the names of its Pods."""
        self.has_pods = False
        """Whether there may be Pods that are to go when the job is over."""

    @property
    def is_on(self) -> bool:
        """Whether there is a core."""
        return self._runtime is not None

    def post(self, event: Event) -> None:
        """Tell the core; without one nobody is told."""
        if self._runtime is not None:
            self._runtime.post(event)

    def make(self, parsed: ParsedJob, *, resumed: bool) -> None:
        """Make a core. It is told the whole truth before `begin`. `resumed`: an earlier one may have run the job."""
        # Another core may have made Pods in this epoch that are gone by now; their names are used up.
        self._core = core = self._shared.make_core(parsed.spec, resumed, self._next_incarnation)
        self.has_pods = True
        driver = self._shared.make_driver(parsed, self.pod_seen)
        self._runtime = JobRuntime(parsed.spec, core, driver, self._observer, latest_epoch=self._shared.latest_epoch)
        self._shared.registry.add(self._runtime)

    def begin(self) -> None:
        """Let the core see the time pass from now on."""
        if self._runtime is not None:
            self._runtime.begin()

    async def stop(self) -> None:
        """Stop the core, if there is one; its Pods are left alone."""
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            if self._shared.registry.get(runtime.uid) is runtime:
                self._shared.registry.remove(runtime.uid)
            await runtime.close()
        if self._core is not None and self._runtime is None:
            self._next_incarnation, self._core = self._core.next_incarnation, None

    # --- Pods ---

    def pod_seen(self, pod: PodSeen) -> None:
        """A hint about one of the job's Pods."""
        if self._is_ours(pod):
            self.post(WorkerChanged(self._sightings.seen(pod.worker, self._shared.clock())))

    def pods_listed(self, listed: list[PodSeen], began: float) -> bool:
        """All Pods of the job, by a LIST that began at `began`; tell whether there are some for the first time."""
        workers = self._sightings.listed([pod for pod in listed if self._is_ours(pod)], began)
        # Also those of a job that is over: an operator that ended too early left them.
        are_new = any(pod.namespace == self._owner.namespace for pod in listed) and not self.has_pods
        self.has_pods = self.has_pods or are_new
        self.post(WorkersListed(workers))
        return are_new

    def _is_ours(self, pod: PodSeen) -> bool:
        """Tell whether an operator made a Pod for this job; the core hears of no other, and none may register."""
        return pod.namespace == self._owner.namespace and self._shared.platform.made(pod)

    async def list_pods(self) -> list[PodSeen]:
        """Return all Pods of the job as they are now; raises `ApiError`."""
        listed = await self._shared.api.list_all(Ref("pods", self._owner.namespace), pods.selector(self._owner.uid))
        return [seen for pod in listed if (seen := observe.seen(pod))]

    async def remove_pods(self) -> bool:
        """Delete what Pods there are, and tell whether none is left; raises `ApiError`."""
        if self.has_pods:
            self.has_pods = not await objects.delete_pods(self._shared.api, self._shared.writer, self._owner)
        return not self.has_pods
