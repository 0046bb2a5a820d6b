"""What a job names and the operator must find: its claims, its input's ConfigMap.

Reads only. Neighbours: `reconcile.py` (asks), `resource.py` (what the job names), `programs.py`
(the one thing that a job names and the operator reads itself).
"""

from __future__ import annotations

import msgspec

from mapreduce_operator.kube.client import Api, JsonObject, Ref
from mapreduce_operator.kube.errors import NotFound
from mapreduce_operator.kube.resource import ParsedJob


class Missing(msgspec.Struct, frozen=True):
    """Something that a job names does not exist; an empty reason says that all is there."""

    reason: str = ""
    message: str = ""


async def find_volumes(api: Api, job: ParsedJob) -> Missing:
    """Return the first claim or ConfigMap of a job that does not exist; raises `ApiError`."""
    for claim in dict.fromkeys(name for name in (job.output.claim, job.input.claim) if name):
        if not await _exists(api, Ref("persistentvolumeclaims", job.owner.namespace, claim)):
            return Missing("ClaimNotFound", f"the claim {claim!r} does not exist in namespace {job.owner.namespace!r}")
    name = job.input.config_map
    if name and not await _exists(api, Ref("configmaps", job.owner.namespace, name)):
        return Missing(
            "ConfigMapNotFound", f"the ConfigMap {name!r} does not exist in namespace {job.owner.namespace!r}"
        )
    return Missing()


async def output_claim(api: Api, job: ParsedJob) -> JsonObject | None:
    """Return the claim of the output, or None if it does not exist; raises `ApiError`."""
    try:
        return await api.get(Ref("persistentvolumeclaims", job.owner.namespace, job.output.claim))
    except NotFound:
        return None


async def _exists(api: Api, ref: Ref) -> bool:
    try:
        await api.get(ref)
    except NotFound:
        return False
    return True
