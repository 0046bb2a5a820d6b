"""All jobs of this operator: which exist, and what a LIST says of them and of their Pods.

Watches are hints; the truth is a LIST every 30 s and at each start. A namespace that may not be
listed, since its rights or it are gone, stops nothing in the others. Neighbours: `handlers.py`
(hints), `reconcile.py` (one job), `__main__` (runs `keep_listing`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Final

from mapreduce import words
from mapreduce_operator.kube import kept, observe, pods, resource
from mapreduce_operator.kube.client import JsonObject, Ref
from mapreduce_operator.kube.errors import ApiError, Forbidden, InvalidSpec, NotFound
from mapreduce_operator.kube.existing import Existing
from mapreduce_operator.kube.job_series import JobSeries
from mapreduce_operator.kube.observe import PodSeen
from mapreduce_operator.kube.reconcile import Job
from mapreduce_operator.kube.running import Shared

PAGE: Final = 20
"""Jobs in one page of a LIST: one may have more than a megabyte."""
LIST_EVERY: Final = 30.0
LIST_AGAIN: Final = 5.0
"""Seconds after a LIST that failed."""
RETRY: Final = 2.0

_log = logging.getLogger(__name__)


class Jobs:
    """Every job by its uid; all calls on the master's loop."""

    def __init__(self, shared: Shared, namespaces: tuple[str, ...]) -> None:
        self._shared = shared
        self._namespaces = namespaces
        self._jobs: dict[str, Job] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._listed = shared.clock()
        self._trouble: dict[str, str] = {}
        """Namespaces that could not be listed the last time, and why."""

    async def find(self) -> Existing:
        """Return which jobs exist, by a LIST of every namespace that begins now; raises `ApiError`.

        In a namespace whose LIST is refused anybody may live.
        """
        found: set[str] = set()
        unread: list[str] = []
        for name in self._all():
            try:
                found.update([str(body["metadata"].get("uid")) async for body in self._each(name)])
            except (Forbidden, NotFound) as error:
                unread.append(f"namespace {name or '(all)'} could not be listed: {error}")
        return Existing(frozenset(found), "; ".join(unread))

    def _all(self) -> tuple[str, ...]:
        return self._namespaces or ("",)

    async def _each(self, namespace: str) -> AsyncIterator[JsonObject]:
        async for body in self._shared.api.each(Ref(words.PLURAL, namespace), page=PAGE):
            yield kept.of(body)

    def namespace_of(self, uid: str) -> str | None:
        """Return the namespace of a job that exists."""
        job = self._jobs.get(uid)
        return job.owner.namespace if job is not None else None

    def job_seen(self, body: JsonObject, *, gone: bool = False, began: float | None = None) -> None:
        """A job as a watch or a LIST shows it; `gone`: it was removed."""
        try:
            owner = resource.owner(body)
        except InvalidSpec as error:
            _log.error("an object that is no job: %s", error)
            return
        job = self._jobs.get(owner.uid)
        if gone:
            if job is not None:
                self._forget(owner.uid)
        elif job is None:
            self._jobs[owner.uid] = Job(kept.of(body), self._shared, self.find)
        else:
            job.seen(kept.of(body), began)

    def pod_seen(self, pod: PodSeen) -> None:
        """A hint from a watch about a Pod."""
        job = self._jobs.get(pod.job_uid)
        if job is not None:
            job.pod_seen(pod)

    def series(self) -> tuple[JobSeries, ...]:
        """Return what a scraper is told of each job; the order stays while jobs come and go."""
        return tuple(job.series for job in self._jobs.values())

    def age(self) -> float:
        """Return the seconds since a LIST that succeeded began, or since the start if none did."""
        return self._shared.clock() - self._listed

    def trouble(self) -> tuple[str, ...]:
        """Return a line for each namespace that could not be listed the last time."""
        return tuple(f"namespace {name} could not be listed: {why}" for name, why in sorted(self._trouble.items()))

    async def list_all(self) -> None:
        """Read every job and every Pod, and tell each job its part; raises `ApiError`.

        A namespace whose LIST is refused is left as it is known, unless all are: then none was listed.
        """
        began = self._shared.clock()
        refused: ApiError | None = None
        for namespace in self._all():
            try:
                await self._list(namespace)
            except (Forbidden, NotFound) as error:
                refused = error
                self._note_refused(namespace, error)
            else:
                self._note_listed(namespace)
        if refused is not None and set(self._trouble) == set(self._all()):
            raise refused
        self._listed = began

    async def _list(self, namespace: str) -> None:
        """The same for one namespace, or for the whole cluster."""
        began = self._shared.clock()
        listed = await self._shared.api.list_all(Ref("pods", namespace), pods.selector())
        # All of them before the first is told: a LIST that breaks off says nothing.
        bodies = [body async for body in self._each(namespace)]
        present: set[str] = set()
        for body in bodies:
            present.add(str(body["metadata"].get("uid")))
            self.job_seen(body, began=began)
        for uid in {uid for uid, job in self._jobs.items() if namespace in ("", job.owner.namespace)} - present:
            if self._jobs[uid].existed_before(began):
                self._forget(uid)
        pods_of: dict[str, list[PodSeen]] = defaultdict(list)
        for pod in listed:
            seen = observe.seen(pod)
            if seen is not None:
                pods_of[seen.job_uid].append(seen)
        for uid in present & set(self._jobs):
            self._jobs[uid].pods_listed(pods_of[uid], began)

    def _note_refused(self, namespace: str, error: ApiError) -> None:
        if namespace not in self._trouble:
            _log.error(
                "namespace %s cannot be listed, its jobs are left as they are known: %s", namespace or "(all)", error
            )
        self._trouble[namespace] = str(error)

    def _note_listed(self, namespace: str) -> None:
        if self._trouble.pop(namespace, None) is not None:
            _log.warning("namespace %s can be listed again", namespace or "(all)")

    async def keep_listing(self) -> None:
        """List every 30 s, for ever; sooner again where it failed: the watches may be deaf for the same reason."""
        pause = LIST_EVERY
        while True:
            await asyncio.sleep(pause)
            pause = LIST_EVERY
            try:
                await self.list_all()
            except ApiError as error:
                pause = LIST_AGAIN
                _log.warning("jobs and Pods could not be listed: %s", error)

    async def list_at_start(self) -> None:
        """Return after the first LIST that succeeded."""
        while True:
            try:
                return await self.list_all()
            except ApiError as error:
                _log.warning("jobs and Pods could not be listed: %s", error)
                await asyncio.sleep(RETRY)

    async def close(self) -> None:
        """Stop following every job; what runs for them goes on without a master."""
        for uid in list(self._jobs):
            self._forget(uid)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _forget(self, uid: str) -> None:
        task = asyncio.get_running_loop().create_task(self._jobs.pop(uid).close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
