"""Every write of the operator to the API, fenced by the Lease.

The one way by which modules of `kube` and `drivers` change something: a process whose Lease was
taken writes nothing, however late it wakes up. Neighbours: `client.py` (sends), `lease.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mapreduce_operator.kube.client import Api, JsonObject, Ref
from mapreduce_operator.kube.errors import Unauthorized
from mapreduce_operator.kube.lease import Lease

Result = TypeVar("Result")


class Writer:
    """The writing half of the API. Each call raises `ApiError` or `LeaseLost`."""

    def __init__(self, api: Api, lease: Lease) -> None:
        self._api = api
        self._lease = lease

    async def create(self, ref: Ref, body: JsonObject) -> JsonObject:
        """Create an object in a list."""
        return await self._fenced(lambda: self._api.create(ref, body))

    async def merge_patch(self, ref: Ref, body: JsonObject) -> JsonObject:
        """Apply a JSON merge patch."""
        return await self._fenced(lambda: self._api.merge_patch(ref, body))

    async def delete(self, ref: Ref, uid: str = "", version: str = "") -> None:
        """Delete an object, only if it has this uid and resourceVersion."""
        await self._fenced(lambda: self._api.delete(ref, uid, version))

    async def _fenced(self, send: Callable[[], Awaitable[Result]]) -> Result:
        await self._lease.ensure()
        try:
            return await send()
        except Unauthorized:
            # New credentials were read. The refusal took its time: the Lease may be another's by now.
            await self._lease.ensure()
            return await send()
