"""Workers and gateways as Pods.

Names are never used twice and a Pod that exists already is the one that was asked for, so a
call that is repeated, by a retry or by the next epoch, changes nothing. Neighbours:
`mapreduce_operator.runtime.jobs` (calls it), `kube.pods` (manifests), `kube.writer` (sends).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from mapreduce_operator.core.events import StartWorker, StopWorker
from mapreduce_operator.kube import observe, pods
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import ApiError, Conflict, Forbidden, NotFound, Unavailable
from mapreduce_operator.kube.observe import PodSeen
from mapreduce_operator.kube.pods import Platform
from mapreduce_operator.kube.resource import ParsedJob
from mapreduce_operator.kube.writer import Writer
from mapreduce_operator.runtime.driver import NotStartedError

TRIES: Final = 3
PAUSE: Final = 1.0
"""Seconds before the second try; doubled for each one after."""

Result = TypeVar("Result")


class KubernetesDriver:
    """The `Driver` of one job; `tell` hears of a Pod as soon as it is created."""

    def __init__(self, job: ParsedJob, platform: Platform, writer: Writer, tell: Callable[[PodSeen], None]) -> None:
        self._job = job
        self._platform = platform
        self._writer = writer
        self._tell = tell

    async def start(self, command: StartWorker) -> None:
        """Create the Pod; raises `NotStartedError`."""
        body = pods.pod(self._job, command, self._platform)
        where = Ref("pods", self._job.owner.namespace)
        try:
            made = await _retried(lambda: self._writer.create(where, body))
        except Conflict:
            return
        except Unavailable as error:
            raise NotStartedError("NotStarted", f"the API server did not answer: {error}") from error
        except Forbidden as error:
            if "exceeded quota" in str(error):
                raise NotStartedError("QuotaExceeded", str(error)) from error
            raise NotStartedError("PodRefused", str(error), final=True) from error
        except ApiError as error:
            raise NotStartedError("PodRefused", str(error), final=400 <= error.status < 500) from error
        seen = observe.seen(made)
        if seen is not None:
            self._tell(seen)

    async def stop(self, command: StopWorker) -> None:
        """Delete the Pod, and no other of its name; one that is gone is no error."""
        where = Ref("pods", self._job.owner.namespace, command.name)
        try:
            await _retried(lambda: self._writer.delete(where, command.uid))
        except (NotFound, Conflict):
            return


async def _retried(call: Callable[[], Awaitable[Result]]) -> Result:
    """Call again where the API server gave no answer: the same name makes that harmless."""
    pause = PAUSE
    for _ in range(TRIES - 1):
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(pause)
            pause *= 2
    return await call()
