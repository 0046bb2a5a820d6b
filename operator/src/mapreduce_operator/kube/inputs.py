"""What a job names and the operator must find: its program, its claims, its input's ConfigMap.

Reads only. Neighbours: `reconcile.py` (asks), `resource.py` (what the job names).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from mapreduce_operator.kube import resource
from mapreduce_operator.kube.client import Api, Ref
from mapreduce_operator.kube.errors import InvalidSpec, NotFound
from mapreduce_operator.kube.resource import ParsedJob


class Missing(msgspec.Struct, frozen=True):
    """Something that a job names does not exist; an empty reason says that all is there."""

    reason: str = ""
    message: str = ""


async def read_program(api: Api, body: Mapping[str, Any]) -> bytes | Missing | None:
    """Return the source that a ConfigMap holds, or None where it is inline.

    Raises `InvalidSpec` where the resource names none, and `ApiError`.
    """
    place = resource.program_at(body)
    if place is None:
        return None
    namespace = resource.owner(body).namespace
    try:
        found = await api.get(Ref("configmaps", namespace, place.name))
    except NotFound:
        return Missing("ProgramNotFound", f"the ConfigMap {place.name!r} that should hold the program does not exist")
    text = (found.get("data") or {}).get(place.key)
    if text is not None:
        return str(text).encode()
    binary = (found.get("binaryData") or {}).get(place.key)
    if binary is None:
        return Missing("ProgramNotFound", f"the ConfigMap {place.name!r} has no key {place.key!r}")
    try:
        return base64.b64decode(binary, validate=True)
    except binascii.Error as error:
        raise InvalidSpec(f"the key {place.key!r} of the ConfigMap {place.name!r}: {error}") from error


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


async def _exists(api: Api, ref: Ref) -> bool:
    try:
        await api.get(ref)
    except NotFound:
        return False
    return True
