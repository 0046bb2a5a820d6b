"""The files of a program that a ConfigMap holds, as they were when the job began.

The first reading is kept in an immutable ConfigMap that belongs to the job: an operator that
restarts, or a job that is resumed days later, must go on with the program that made what is
staged already, whatever became of the user's ConfigMap. The journal's digest guards the same.
Neighbours: `reconcile.py` (calls it), `config_maps.py` (their form there), `resource.py` (makes a
`Program` of the files).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mapreduce_operator.kube import config_maps, objects, pods, resource
from mapreduce_operator.kube.client import Api, JsonObject, Ref
from mapreduce_operator.kube.errors import InvalidSpec, NotFound
from mapreduce_operator.kube.inputs import Missing
from mapreduce_operator.kube.resource import Files, Owner
from mapreduce_operator.kube.writer import Writer


class Found(msgspec.Struct, frozen=True):
    """What a ConfigMap holds, and whether it is the job's own copy already."""

    files: dict[str, bytes]
    kept: bool


async def find(api: Api, body: Mapping[str, Any]) -> Found | Missing | None:
    """Return the files of the program, or None where it is not in a ConfigMap.

    Raises `InvalidSpec` where the resource names no program, and `ApiError`.
    """
    place = resource.program_at(body)
    if place is None:
        return None
    owner = resource.owner(body)
    kept = await _kept(api, owner)
    if kept is not None:
        return Found(config_maps.files_of(kept), kept=True)
    try:
        files = config_maps.files_of(await api.get(Ref("configmaps", owner.namespace, place.name)))
    except NotFound:
        return Missing("ProgramNotFound", f"the ConfigMap {place.name!r} that should hold the program does not exist")
    if place.key not in files:
        return Missing("ProgramNotFound", f"the ConfigMap {place.name!r} has no key {place.key!r}")
    return Found(files, kept=False)


async def keep(writer: Writer, owner: Owner, files: Files) -> None:
    """Write the job's own copy; raises `Conflict` if there is one by now, which then is the one to read."""
    await writer.create(Ref("configmaps", owner.namespace), manifest(owner, files))


def manifest(owner: Owner, files: Files) -> JsonObject:
    """Return the job's own copy of a program."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name_of(owner),
            "namespace": owner.namespace,
            "labels": pods.labels(owner),
            "ownerReferences": pods.owner_references(owner),
        },
        "immutable": True,
        **config_maps.data_of(files),
    }


def name_of(owner: Owner) -> str:
    """Return the name of the job's own copy."""
    return f"{owner.prefix}-program"


async def _kept(api: Api, owner: Owner) -> JsonObject | None:
    try:
        found = await api.get(Ref("configmaps", owner.namespace, name_of(owner)))
    except NotFound:
        return None
    if not objects.belongs_to(found, owner):
        raise InvalidSpec(f"the ConfigMap {name_of(owner)!r} stands in the way: it does not belong to this job")
    return found
