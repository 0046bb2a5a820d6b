"""Workers and gateways as Pods.

Names are never used twice and each Pod bears a word that only an operator can make, so a call that
is repeated changes nothing, and a Pod that somebody else made under the same name is never taken
for ours, nor deleted. Neighbours:
`mapreduce_operator.runtime.jobs` (calls it), `kube.pods` (manifests), `kube.writer` (sends).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from mapreduce_operator.core.events import StartWorker, StopWorker
from mapreduce_operator.kube import objects, observe, pods
from mapreduce_operator.kube.client import Api, JsonObject, Ref
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

    def __init__(
        self,
        job: ParsedJob,
        platform: Platform,
        api: Api,
        writer: Writer,
        tell: Callable[[PodSeen], None],
    ) -> None:
        self._api = api
        self._job = job
        self._platform = platform
        self._writer = writer
        self._tell = tell

    async def start(self, command: StartWorker) -> None:
        """Create the Pod; raises `NotStartedError`."""
        body = pods.pod(self._job, command, self._platform)
        where = Ref("pods", self._job.owner.namespace)
        try:
            try:
                made = await _retried(lambda: self._writer.create(where, body))
            except Conflict as error:
                if not objects.is_there(error):
                    raise NotStartedError("NotStarted", str(error)) from error
                made = await self._own(body)
        except Unavailable as error:
            message = f"the API server did not answer: {error}"
            raise NotStartedError("NotStarted", message, unanswered=True) from error
        except Forbidden as error:
            if "exceeded quota" in str(error):
                raise NotStartedError("QuotaExceeded", str(error)) from error
            raise NotStartedError("PodRefused", str(error), final=True) from error
        except ApiError as error:
            raise NotStartedError("PodRefused", str(error), final=400 <= error.status < 500) from error
        seen = observe.seen(made)
        if seen is not None:
            self._tell(seen)

    async def _own(self, body: JsonObject) -> JsonObject:
        """Return the Pod of that name if an earlier try made it: anybody of the namespace may have made another."""
        metadata = body["metadata"]
        where = Ref("pods", metadata["namespace"], metadata["name"])
        found = await self._made(where)
        if not found:
            message = f"there was a Pod {where.name} already, which this operator did not make"
            raise NotStartedError("PodRefused", message)
        return found

    async def _made(self, where: Ref) -> JsonObject:
        """Return the Pod of a name if an operator made it, else nothing."""
        try:
            found = await _retried(lambda: self._api.get(where))
        except NotFound:
            return {}
        seen = observe.seen(found)
        return found if seen is not None and self._platform.made(seen) else {}

    async def stop(self, command: StopWorker) -> None:
        """Delete the Pod, and no other of its name; one that is gone is no error."""
        where = Ref("pods", self._job.owner.namespace, command.name)
        uid = command.uid
        if not uid:
            # It was never seen: whether it was made, and by whom, is not known here.
            uid = str(((await self._made(where)).get("metadata") or {}).get("uid") or "")
            if not uid:
                return
        try:
            await _retried(lambda: self._writer.delete(where, uid))
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
