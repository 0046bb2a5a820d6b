"""Before the chart is removed: end the operator, stop what runs, let every job go.

The hook takes the Lease as a successor would, so that an operator that does not end cannot
write any more. The Lease itself stays: the next installation must go on counting epochs.
Neighbours: `helm/mapreduce-operator/templates/uninstall.yaml` (runs it).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from mapreduce import words
from mapreduce_operator.kube import kept, objects, pods, resource
from mapreduce_operator.kube.client import Api, JsonObject, Ref
from mapreduce_operator.kube.errors import ApiError, Conflict, Forbidden, NotFound
from mapreduce_operator.kube.lease import Lease
from mapreduce_operator.kube.writer import Writer

TRIES: Final = 20
PAUSE: Final = 1.0
PAGE: Final = 20
"""Jobs in one page of a LIST."""

_log = logging.getLogger(__name__)


async def run(api: Api, lease: Lease, namespaces: tuple[str, ...], deployment: tuple[str, str]) -> None:
    """Do it; raises `ApiError` where it cannot. `deployment`: namespace and name of the operator's."""
    with contextlib.suppress(NotFound):
        await api.merge_patch(Ref("deployments", *deployment, "scale"), {"spec": {"replicas": 0}})
    await lease.acquire()
    writer = Writer(api, lease)
    namespaces = await _readable(api, namespaces or ("",))
    await _delete_pods(api, writer, namespaces)
    for _ in range(TRIES):
        held = await _held(api, namespaces)
        if not held:
            return
        for job in held:
            await _let_go(writer, job)
        await asyncio.sleep(PAUSE)
    if held := await _held(api, namespaces):
        # Without an operator nobody would ever let them go: the chart must not be removed now.
        names = ", ".join(f"{job['metadata']['namespace']}/{job['metadata']['name']}" for job in held)
        raise ApiError(f"these jobs still have the finalizer {words.FINALIZER}: {names}")


async def _readable(api: Api, namespaces: tuple[str, ...]) -> tuple[str, ...]:
    """Return the namespaces of which jobs and Pods may be listed; raises `ApiError` where none is: nothing was done.

    What is in the others stays as it is, with our finalizers, and the log says so.
    """
    readable: list[str] = []
    refused: ApiError | None = None
    for namespace in namespaces:
        try:
            for resource_name in ("pods", words.PLURAL):
                async for _ in api.each(Ref(resource_name, namespace), page=1):
                    # That there is an answer is enough.
                    break
        except (Forbidden, NotFound) as error:
            refused = error
            _log.error(
                "namespace %s cannot be listed; its Pods, and its jobs with their finalizer %s, stay: %s",
                namespace or "(all)",
                words.FINALIZER,
                error,
            )
        else:
            readable.append(namespace)
    if refused is not None and not readable:
        raise refused
    return tuple(readable)


async def _held(api: Api, namespaces: tuple[str, ...]) -> list[JsonObject]:
    """Return all jobs that wait for us, without what they want: one may have more than a megabyte."""
    return [
        {"metadata": kept.of(job)["metadata"]}
        for namespace in namespaces
        async for job in api.each(Ref(words.PLURAL, namespace), page=PAGE)
        if objects.has_finalizer(job)
    ]


async def _let_go(writer: Writer, job: JsonObject) -> None:
    try:
        await objects.release(writer, job)
        _log.info("job %s let go", resource.owner(job).name)
    except Conflict:
        # Somebody changed it between the LIST and now: the next round sees that version.
        return


async def _delete_pods(api: Api, writer: Writer, namespaces: tuple[str, ...]) -> None:
    for pod in await api.list_in("pods", namespaces, pods.selector()):
        metadata = pod["metadata"]
        with contextlib.suppress(NotFound, Conflict):
            await writer.delete(Ref("pods", metadata["namespace"], metadata["name"]), metadata["uid"])
