"""The API server as unit tests need it: objects in a dictionary, versions, and faults on demand."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

from mapreduce_operator.kube.client import Api, Ref
from mapreduce_operator.kube.errors import ApiError, Conflict, NotFound
from mapreduce_operator.kube.lease import Lease
from mapreduce_operator.kube.writer import Writer


class FakeApi(Api):
    """Has the calls of `kube.client.Api` that the tested code makes; `faults` are raised first, in order."""

    def __init__(self, *objects: tuple[Ref, dict[str, Any]]) -> None:
        self.objects: dict[Ref, dict[str, Any]] = {}
        self.faults: list[ApiError | None] = []
        self.created: list[tuple[Ref, dict[str, Any]]] = []
        self.deleted: list[tuple[Ref, str]] = []
        self.version = 0
        for ref, body in objects:
            self.put(ref, body)

    def put(self, ref: Ref, body: dict[str, Any]) -> dict[str, Any]:
        """Store an object as its next version."""
        self.version += 1
        stored = copy.deepcopy(body)
        stored.setdefault("metadata", {})["resourceVersion"] = str(self.version)
        self.objects[ref] = stored
        return copy.deepcopy(stored)

    async def get(self, ref: Ref) -> dict[str, Any]:
        self._fault()
        if ref not in self.objects:
            raise NotFound(str(ref), status=404)
        return copy.deepcopy(self.objects[ref])

    async def create(self, ref: Ref, body: dict[str, Any]) -> dict[str, Any]:
        self._fault()
        self.created.append((ref, body))
        where = Ref(ref.resource, ref.namespace, body["metadata"]["name"])
        if where in self.objects:
            raise Conflict(str(where), status=409)
        return self.put(where, body)

    async def replace(self, ref: Ref, body: dict[str, Any]) -> dict[str, Any]:
        self._fault()
        if ref not in self.objects:
            raise NotFound(str(ref), status=404)
        if body["metadata"].get("resourceVersion") != self.objects[ref]["metadata"]["resourceVersion"]:
            raise Conflict(str(ref), status=409)
        kept = {name: self.objects[ref]["metadata"][name] for name in ("uid",) if name in self.objects[ref]["metadata"]}
        return self.put(ref, {**body, "metadata": {**body["metadata"], **kept}})

    async def list_all(self, ref: Ref, selector: str = "") -> list[dict[str, Any]]:
        self._fault()
        where = (ref.resource, ref.namespace)
        return [copy.deepcopy(body) for at, body in self.objects.items() if (at.resource, at.namespace) == where]

    async def each(self, ref: Ref, selector: str = "", page: int = 0) -> AsyncIterator[dict[str, Any]]:
        """Yield what stands in a namespace, or in all."""
        self._fault()
        found = [(at, body) for at, body in self.objects.items() if at.resource == ref.resource]
        for at, body in found:
            if ref.namespace in ("", at.namespace):
                yield copy.deepcopy(body)

    async def merge_patch(self, ref: Ref, body: dict[str, Any]) -> dict[str, Any]:
        self._fault()
        where = Ref(ref.resource, ref.namespace, ref.name)
        if where not in self.objects:
            raise NotFound(str(ref), status=404)
        stored = self.objects[where]
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != stored["metadata"]["resourceVersion"]:
            raise Conflict(str(ref), status=409)
        return self.put(where, merged(stored, body))

    async def delete(self, ref: Ref, uid: str = "", version: str = "") -> None:
        self._fault()
        stored = self.objects.get(ref)
        if stored is not None and version and version != stored["metadata"]["resourceVersion"]:
            raise Conflict(str(ref), status=409)
        self.deleted.append((ref, uid))
        if stored is not None and stored["metadata"].get("finalizers"):
            self.put(ref, stored | {"metadata": stored["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
        else:
            self.objects.pop(ref, None)

    def _fault(self) -> None:
        if self.faults:
            fault = self.faults.pop(0)
            if fault is not None:
                raise fault


def merged(stored: Any, patch: Any) -> Any:
    """Return the result of a JSON merge patch."""
    if not isinstance(patch, dict) or not isinstance(stored, dict):
        return patch
    result = dict(stored)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name, {}), value) if isinstance(value, dict) else value
    return result


class HeldLease(Lease):
    """A Lease that nobody takes."""

    def __init__(self) -> None:
        """Hold it already."""

    async def ensure(self) -> None:
        """Let every write through."""


def writer(api: Api) -> Writer:
    """Return a writer that may always write."""
    return Writer(api, HeldLease())
