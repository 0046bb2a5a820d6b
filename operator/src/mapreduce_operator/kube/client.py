"""Requests to the API server: JSON objects in and out, a timeout on each, our errors.

The only module that imports the Kubernetes client; it uses its configuration, credentials and
transport, not its models: what the operator reads is decoded by the module that needs it.
A server that asks to be left alone for some seconds (`Retry-After`) is, by everybody but the
Lease; credentials that are refused are read again at once, since the kubelet changes them, and
what was asked is asked again. A write is not: `writer.py` looks at the Lease before it repeats one.
Neighbours: everything in `kube` that reads; `writer.py` for everything that writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import msgspec
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import OpenApiException
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from mapreduce.metric_page import Counter
from mapreduce_operator.kube.errors import (
    ApiError,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    Rejected,
    Unauthorized,
    Unavailable,
)
from mapreduce_operator.kube.refs import Ref

TIMEOUT: Final = 15.0
"""Seconds that a request may take."""
PAGE: Final = 500
"""Objects in one page of a list."""
PATIENCE: Final = 3.0
"""Seconds that a request waits for a server that asked for it; where it asked for longer, none is sent.

No longer than what the Lease leaves between the check before a write and its own end.
"""
LONGEST_PAUSE: Final = 60.0
"""Seconds for which a server is left alone at most, whatever it asks for."""

__all__ = ["Api", "JsonObject", "Ref", "connect"]

_KINDS_OF_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: Rejected,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    422: Rejected,
    429: Unavailable,
}

_UNFENCED: Final = frozenset({"leases", "tokenreviews"})
"""Resources whose writes are repeated here: a Lease, which is a compare-and-swap, and reviews of tokens, which change
nothing."""

JsonObject = dict[str, Any]


class Api:
    """One connection pool to one API server; used on one loop only."""

    def __init__(
        self,
        client: ApiClient,
        timeout: float = TIMEOUT,
        read_credentials: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        counted: Counter | None = None,
    ) -> None:
        """`read_credentials` reads those of the client again, where they may change. `counted`: what was asked."""
        self._client = client
        self._counted = counted or Counter()
        self._timeout = timeout
        self._read_credentials = read_credentials
        self._clock = clock
        self._busy_until = 0.0

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the library's

    async def get(self, ref: Ref) -> JsonObject:
        """Return one object; raises `NotFound`."""
        return await self._request("GET", ref)

    async def list_all(self, ref: Ref, selector: str = "") -> list[JsonObject]:
        """Return every object that the label selector picks, page by page."""
        return [item async for item in self.each(ref, selector)]

    async def each(self, ref: Ref, selector: str = "", page: int = PAGE) -> AsyncIterator[JsonObject]:
        """Yield every object that the label selector picks; no more than `page` of them are in memory here."""
        query = {"limit": str(page)} | ({"labelSelector": selector} if selector else {})
        while True:
            found = await self._request("GET", ref, query=query)
            items, token = found.get("items") or [], (found.get("metadata") or {}).get("continue")
            del found
            while items:
                yield items.pop(0)
            if not token:
                return
            query["continue"] = token

    async def list_in(self, resource: str, namespaces: Iterable[str], selector: str = "") -> list[JsonObject]:
        """Return the objects of these namespaces, or of all where none is given."""
        items: list[JsonObject] = []
        for namespace in list(namespaces) or [""]:
            items += await self.list_all(Ref(resource, namespace), selector)
        return items

    async def create(self, ref: Ref, body: JsonObject) -> JsonObject:
        """Create an object in a list; raises `Conflict` if one of that name exists."""
        return await self._request("POST", ref, body=body)

    async def replace(self, ref: Ref, body: JsonObject) -> JsonObject:
        """Put an object; its resourceVersion makes this compare-and-swap (`Conflict`)."""
        return await self._request("PUT", ref, body=body)

    async def merge_patch(self, ref: Ref, body: JsonObject) -> JsonObject:
        """Apply a JSON merge patch."""
        return await self._request("PATCH", ref, body=body, content_type="application/merge-patch+json")

    async def delete(self, ref: Ref, uid: str = "", version: str = "") -> None:
        """Delete an object, only if it has this uid and resourceVersion (else `Conflict`); raises `NotFound`."""
        body: JsonObject = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        conditions = {"uid": uid, "resourceVersion": version}
        if preconditions := {name: value for name, value in conditions.items() if value}:
            body["preconditions"] = preconditions
        await self._request("DELETE", ref, body=body)

    async def _request(
        self,
        method: str,
        ref: Ref,
        *,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        content_type: str = "application/json",
    ) -> JsonObject:
        path = f"{ref.path}?{urlencode(query)}" if query else ref.path
        what = f"{method} {ref}"
        try:
            # Anything but a timeout of ours would let a dead connection hold a job for ever.
            async with asyncio.timeout(self._timeout):
                await self._heed(ref, what)
                status, content, pause = await self._send(method, path, body, content_type)
                if status == HTTPStatus.UNAUTHORIZED and self._read_credentials is not None:
                    self._read_credentials()
                    if method == "GET" or ref.resource in _UNFENCED:
                        status, content, pause = await self._send(method, path, body, content_type)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self._counted.add(method, "error")
            raise Unavailable(f"{what}: {str(error) or type(error).__name__}") from error
        except (OpenApiException, ConfigException) as error:
            raise Unavailable(f"{what}: {error}") from error
        self._busy_until = max(self._busy_until, self._clock() + pause)
        return _decoded(what, status, content)

    async def _heed(self, ref: Ref, what: str) -> None:
        """Wait until a server that asked for it may be asked again; raises `Unavailable` where that is long."""
        left = self._busy_until - self._clock()
        if left <= 0 or ref.resource == "leases":
            # A renewal is one small request, and without it the Lease, and so everything, is lost.
            return
        if left > PATIENCE:
            raise Unavailable(f"{what}: not sent, the API server asked for a pause of {left:.0f} s more")
        await asyncio.sleep(left)

    async def _send(
        self, method: str, path: str, body: JsonObject | None, content_type: str
    ) -> tuple[int, bytes, float]:
        """Return the status, the answer, and the seconds for which the server wants no more."""
        method, url, headers, sent, _ = await self._client.param_serialize(
            method,
            path,
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        response = await self._client.call_api(method, url, headers, sent, _request_timeout=self._timeout)
        content: bytes = await response.read()  # type: ignore[no-untyped-call]  # the library's
        self._counted.add(method, str(response.status))
        return response.status, content, _pause(response.status, response.headers)


def _pause(status: int, headers: Mapping[str, str]) -> float:
    """Return the seconds that `Retry-After` asks for; a date says nothing without its clock, and is not read."""
    if status < HTTPStatus.BAD_REQUEST:
        return 0.0
    with contextlib.suppress(ValueError):
        return min(max(float(int(headers.get("Retry-After", "0"))), 0.0), LONGEST_PAUSE)
    return 0.0


def _decoded(what: str, status: int, content: bytes) -> JsonObject:
    try:
        answer: JsonObject = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        if status >= 500 or 200 <= status < 300:
            raise Unavailable(f"{what}: status {status}, and no JSON object in the answer", status=status) from error
        answer = {}
    if 200 <= status < 300:
        return answer
    kind = _KINDS_OF_STATUS.get(status, Unavailable if status >= 500 else ApiError)
    reason = str(answer.get("reason") or "")
    raise kind(str(answer.get("message") or f"{what}: status {status}"), status=status, reason=reason)


async def connect(counted: Counter | None = None) -> Api:
    """Return a client with the Pod's own credentials, or, outside of one, with those of KUBECONFIG.

    Raises `ApiError` where there are none.
    """
    configuration = Configuration()
    # The default is a handful; a burst of jobs creates many Pods at once.
    configuration.connection_pool_maxsize = 32
    read: Callable[[], None] | None = None
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            read = partial(load_incluster_config, client_configuration=configuration)
            read()
        else:
            path = os.environ.get("KUBECONFIG")
            await load_kube_config(  # type: ignore[no-untyped-call]  # the library's
                config_file=path, client_configuration=configuration, persist_config=False
            )
    except (ConfigException, OSError) as error:
        raise ApiError(f"no way to reach a cluster: {error}") from error
    return Api(ApiClient(configuration), read_credentials=read, counted=counted)
