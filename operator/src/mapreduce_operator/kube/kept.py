"""What is kept in memory of a resource: what the operator reads of it, and no more.

One object may have more than a megabyte, and every job that exists is kept, also those that are over
or never could run. Neighbours: `jobs.py` (each job goes through here), `reconcile.py` (reads the rest).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mapreduce import words
from mapreduce_operator.kube import objects, resource
from mapreduce_operator.kube.client import JsonObject

_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "generation",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
)
_TTL: Final = "ttlSecondsAfterFinished"


def of(body: Mapping[str, Any]) -> JsonObject:
    """Return the part of a resource that somebody still needs; what is malformed stays so."""
    metadata = body.get("metadata") or {}
    kept: JsonObject = {name: metadata[name] for name in _METADATA if name in metadata}
    annotations = metadata.get("annotations") or {}
    if words.ANNOTATION_IMAGE in annotations:
        kept["annotations"] = {words.ANNOTATION_IMAGE: annotations[words.ANNOTATION_IMAGE]}
    slim: JsonObject = {"metadata": kept, "spec": _spec(body)}
    if body.get("status"):
        slim["status"] = body["status"]
    return slim


def _spec(body: Mapping[str, Any]) -> object:
    spec = body.get("spec")
    if not isinstance(spec, Mapping) or not resource.finished(body):
        return spec
    if resource.finished(body) == "Complete" or not objects.has_finalizer(body):
        return {_TTL: spec[_TTL]} if _TTL in spec else {}
    # A job that failed has files on its claim until it is deleted: a gateway removes them, without the program.
    program = {"inline": ""} if "inline" in (spec.get("program") or {}) else spec.get("program")
    workers = {name: value for name, value in (spec.get("workers") or {}).items() if name not in ("env", "annotations")}
    return {**spec, "program": program, "params": {}, "workers": workers}
