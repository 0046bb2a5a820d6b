"""Objects of one job in the API: what is made before its Pods, and what is taken away after them.

Each function may be called again at any time: what is there already is left alone.
Neighbours: `reconcile.py` (calls it), `pods.py` (manifests).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from mapreduce import words
from mapreduce_operator.kube import pods
from mapreduce_operator.kube.client import Api, JsonObject, Ref
from mapreduce_operator.kube.errors import Conflict, Forbidden, NotFound
from mapreduce_operator.kube.pods import Platform
from mapreduce_operator.kube.resource import Owner
from mapreduce_operator.kube.writer import Writer


def has_finalizer(body: Mapping[str, Any]) -> bool:
    """Tell whether the job waits for us before it goes."""
    return words.FINALIZER in ((body.get("metadata") or {}).get("finalizers") or ())


def is_deleted(body: Mapping[str, Any]) -> bool:
    """Tell whether an object was deleted, and only waits for finalizers."""
    return bool((body.get("metadata") or {}).get("deletionTimestamp"))


def belongs_to(body: Mapping[str, Any], owner: Owner) -> bool:
    """Tell whether an object was made for this very job."""
    references = (body.get("metadata") or {}).get("ownerReferences") or ()
    return any(reference.get("controller") and reference.get("uid") == owner.uid for reference in references)


async def adopt(writer: Writer, body: JsonObject, image: str) -> JsonObject:
    """Set our finalizer, and note the image that the job begins with; return the job as it is now.

    Raises `Conflict` if the job changed meanwhile.
    """
    metadata = body["metadata"]
    finalizers = [*(metadata.get("finalizers") or ()), words.FINALIZER]
    return await _patch(writer, body, {"finalizers": finalizers, "annotations": {words.ANNOTATION_IMAGE: image}})


async def release(writer: Writer, body: JsonObject) -> JsonObject:
    """Take our finalizer off; return the job as it is now, or as it was if it is gone."""
    finalizers = [name for name in body["metadata"].get("finalizers") or () if name != words.FINALIZER]
    try:
        return await _patch(writer, body, {"finalizers": finalizers})
    except NotFound:
        return body


async def _patch(writer: Writer, body: JsonObject, metadata: JsonObject) -> JsonObject:
    """Patch the metadata of exactly this version of the job: a list is replaced as a whole."""
    known = body["metadata"]
    version = {"uid": known["uid"], "resourceVersion": known["resourceVersion"]}
    where = Ref(words.PLURAL, known["namespace"], known["name"])
    return await writer.merge_patch(where, {"metadata": version | metadata})


async def delete_job(writer: Writer, body: JsonObject) -> None:
    """Delete exactly this version of the job, or nothing if it is gone; raises `Conflict` if it changed meanwhile."""
    known = body["metadata"]
    where = Ref(words.PLURAL, known["namespace"], known["name"])
    with contextlib.suppress(NotFound):
        await writer.delete(where, known["uid"], known["resourceVersion"])


async def prepare(api: Api, writer: Writer, owner: Owner, platform: Platform) -> None:
    """Make what Pods need before they start: the CA's ConfigMap, and the job's NetworkPolicy. Raises `ApiError`."""
    await _make(api, writer, Ref("configmaps", owner.namespace), pods.ca_config_map(owner, platform))
    await _make(api, writer, Ref("networkpolicies", owner.namespace), pods.network_policy(owner, platform))


async def _make(api: Api, writer: Writer, where: Ref, body: JsonObject) -> None:
    try:
        await writer.create(where, body)
    except Conflict as error:
        if not is_there(error):
            raise
    except Forbidden as error:
        # A quota that is used up refuses an object before anybody looks whether it is there already.
        try:
            await api.get(Ref(where.resource, where.namespace, body["metadata"]["name"]))
        except (NotFound, Forbidden):
            raise error from None


def is_there(error: Conflict) -> bool:
    """Tell whether an object could not be made since its name is taken, and not for a quota that many use at once."""
    return error.reason in ("", "AlreadyExists")


async def delete_pods(api: Api, writer: Writer, owner: Owner) -> bool:
    """Delete every Pod of a job that is over; tell whether none is left."""
    left = False
    for pod in await api.list_all(Ref("pods", owner.namespace), pods.selector(owner.uid)):
        left = True
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp") and (pod.get("spec") or {}).get("nodeName"):
            # The node's kubelet ends it. One without a node is gone at once, or its deletion was broken off half-way
            # (the API server does it in two writes), as where this operator stopped waiting for the answer.
            continue
        with contextlib.suppress(NotFound, Conflict):
            await writer.delete(Ref("pods", owner.namespace, metadata["name"]), metadata["uid"])
    return not left
