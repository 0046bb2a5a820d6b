"""Every write of the operator to the API, fenced by the Lease.

The one way by which modules of `kube` and `drivers` change something: a process whose Lease was
taken writes nothing, however late it wakes up. Neighbours: `client.py` (sends), `lease.py`.
"""

from __future__ import annotations

from mapreduce_operator.kube.client import Api, JsonObject, Ref
from mapreduce_operator.kube.lease import Lease


class Writer:
    """The writing half of the API. Each call raises `ApiError` or `LeaseLost`."""

    def __init__(self, api: Api, lease: Lease) -> None:
        self._api = api
        self._lease = lease

    async def create(self, ref: Ref, body: JsonObject) -> JsonObject:
        """Create an object in a list."""
        await self._lease.ensure()
        return await self._api.create(ref, body)

    async def merge_patch(self, ref: Ref, body: JsonObject) -> JsonObject:
        """Apply a JSON merge patch."""
        await self._lease.ensure()
        return await self._api.merge_patch(ref, body)

    async def delete(self, ref: Ref, uid: str = "", version: str = "") -> None:
        """Delete an object, only if it has this uid and resourceVersion."""
        await self._lease.ensure()
        await self._api.delete(ref, uid, version)
