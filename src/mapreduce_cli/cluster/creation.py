"""Making a job in the cluster, with what is made before it. Neighbours: `submit.py`, `rerun.py`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from mapreduce import words
from mapreduce_cli.cluster import jobs
from mapreduce_cli.cluster.manifests import API_VERSION, BESIDE, Manifests
from mapreduce_cli.cluster.problems import Conflict, Problem, Refused
from mapreduce_cli.cluster.refs import Ref, job

if TYPE_CHECKING:
    from mapreduce_cli.cluster.api import Api

Json = dict[str, Any]

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Without vowels and look-alikes: no words, no confusion."""


def token() -> str:
    """Return five random letters for a name."""
    return "".join(secrets.choice(_LETTERS) for _ in range(5))


def create(api: Api, namespace: str, manifests: Manifests) -> Json:
    """Create all of it, the job last; return the job. Raises `Problem`, and then takes back what it made."""
    made: list[tuple[Ref, Json]] = []
    try:
        for document in manifests.beside:
            resource = BESIDE[document["kind"]]
            created = _create_beside(api, namespace, resource, document)
            if created is not None:
                made.append((Ref(resource, namespace, created["metadata"]["name"]), created))
        found = api.create(job(namespace), manifests.job)
    except Conflict as error:
        _take_back(api, made)
        name = manifests.job["metadata"]["name"]
        raise Conflict(
            f"there is a job {name!r} in namespace {namespace!r} already",
            hint=f"choose another --name, or: mapreduce delete {name}",
        ) from error
    except Problem:
        _take_back(api, made)
        raise
    _own(api, found, made)
    return found


def _create_beside(api: Api, namespace: str, resource: str, document: Json) -> Json | None:
    """Create a ConfigMap or a claim; one that is there and says the same serves as well."""
    try:
        return api.create(Ref(resource, namespace), document)
    except Conflict as error:
        name = document["metadata"]["name"]
        found = api.get(Ref(resource, namespace, name))
        fields = ("data", "binaryData") if resource == "configmaps" else ()
        if all((found.get(field) or {}) == (document.get(field) or {}) for field in fields):
            return None
        raise Refused(
            f"there is a {document['kind']} {name!r} in namespace {namespace!r} already, with other content",
            hint="kubectl apply changes it",
        ) from error


def _take_back(api: Api, made: list[tuple[Ref, Json]]) -> None:
    for ref, created in made:
        # A claim may be wanted for the next try, and holds nothing; a ConfigMap of ours is of no use.
        if ref.resource == "configmaps":
            api.delete(ref, uid=created["metadata"]["uid"])


def _own(api: Api, found: Json, made: list[tuple[Ref, Json]]) -> None:
    """Let what was made for the program go with the job."""
    owner = {"apiVersion": API_VERSION, "kind": words.KIND, "name": jobs.name(found), "uid": jobs.uid(found)}
    for ref, created in made:
        if (created["metadata"].get("labels") or {}).get(words.LABEL_MANAGED_BY) == words.MANAGED_BY_CLI:
            api.merge_patch(ref, {"metadata": {"ownerReferences": [owner]}})
