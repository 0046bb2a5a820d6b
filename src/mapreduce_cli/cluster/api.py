"""Requests to the API server: JSON objects in and out, a timeout on each, our errors.

With `connection.py` and `session.py` the only module that imports the Kubernetes client: it uses
its configuration, credentials and transport, not its models. Every exception of the client
becomes one of `problems.py` here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import OpenApiException

from mapreduce import words
from mapreduce_cli.cluster.problems import Broken, Conflict, Forbidden, Invalid, NotFound, Problem, Unreachable
from mapreduce_cli.cluster.refs import Ref
from mapreduce_cli.cluster.session import Session

TIMEOUT: Final = 20.0
"""Seconds that a request may take."""
CONNECT_TIMEOUT: Final = 10.0
PAGE: Final = 500

JsonObject = dict[str, Any]


class Api:
    """One API server, with one user's credentials."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self.server = str(client.configuration.host)

    def get(self, ref: Ref) -> JsonObject:
        """Return one object; raises `NotFound`."""
        return self._request("GET", ref)

    def list_all(self, ref: Ref, *, labels: str = "", fields: str = "") -> list[JsonObject]:
        """Return every object that the selectors pick, page by page."""
        query = {"limit": str(PAGE)}
        query |= {"labelSelector": labels} if labels else {}
        query |= {"fieldSelector": fields} if fields else {}
        items: list[JsonObject] = []
        while True:
            page = self._request("GET", ref, query=query)
            items += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return items
            query["continue"] = token

    def create(self, ref: Ref, body: JsonObject, *, dry_run: bool = False) -> JsonObject:
        """Create an object in the list `ref`; a field that the cluster does not know is an error."""
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        return self._request("POST", ref, query=query, body=body)

    def merge_patch(self, ref: Ref, body: JsonObject) -> JsonObject:
        """Apply a JSON merge patch; a field that the cluster does not know is an error."""
        query = {"fieldValidation": "Strict"}
        return self._request("PATCH", ref, query=query, body=body, content_type="application/merge-patch+json")

    def delete(self, ref: Ref, *, uid: str = "", grace: int | None = None) -> None:
        """Delete an object, only if it has this uid; raises `NotFound`. grace: seconds, of a Pod."""
        body: JsonObject = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        self._request("DELETE", ref, body=body)

    def stream(self, ref: Ref, query: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the pieces of an answer as they come, such as a Pod's log that is followed."""
        what = f"GET {ref}"
        # No bound between two pieces: a program may be silent for long.
        response = self._send("GET", ref, query, None, "application/json", timeout=(CONNECT_TIMEOUT, None))
        try:
            if not 200 <= response.status < 300:
                raise _refusal(self.server, what, response.status, response.read())
            yield from response.stream(1 << 16, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Broken(f"{ref}: the connection broke: {error}") from error
        finally:
            response.close()

    def execute(self, namespace: str, pod: str, command: list[str]) -> Session:
        """Run a program in a running Pod, with its standard streams; raises `Problem`."""
        ref = Ref("pods", namespace, pod, "exec")
        query = [("command", word) for word in command]
        query += [(name, "true") for name in ("stdin", "stdout", "stderr")]
        _, url, headers, _, _ = self._serialized("GET", f"{ref.path}?{urlencode(query)}", None, "application/json")
        return Session.open(self._client.configuration, url, headers, what=f"exec in {ref.name}", server=self.server)

    def _request(
        self,
        method: str,
        ref: Ref,
        *,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        content_type: str = "application/json",
    ) -> JsonObject:
        response = self._send(method, ref, query, body, content_type, timeout=(CONNECT_TIMEOUT, TIMEOUT))
        try:
            content = response.read()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        if not 200 <= response.status < 300:
            raise _refusal(self.server, f"{method} {ref}", response.status, content)
        return _decoded(self.server, content)

    def _send(
        self,
        method: str,
        ref: Ref,
        query: Mapping[str, str] | None,
        body: JsonObject | None,
        content_type: str,
        *,
        timeout: tuple[float, float | None],
    ) -> urllib3.BaseHTTPResponse:
        path = f"{ref.path}?{urlencode(query)}" if query else ref.path
        try:
            method, url, headers, sent, _ = self._serialized(method, path, body, content_type)
            answer = self._client.call_api(method, url, headers, sent, _request_timeout=timeout)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        except OpenApiException as error:
            raise Unreachable(f"{self.server}: {error}") from error
        response: urllib3.BaseHTTPResponse = answer.response
        return response

    def _serialized(self, method: str, path: str, body: JsonObject | None, content_type: str) -> Any:
        return self._client.param_serialize(
            method,
            path,
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"the cluster at {self.server} cannot be reached: {cause(error)}",
            hint="check that it runs, and that --kubeconfig and --context name the right one",
        )


def cause(error: BaseException) -> str:
    """Return what lies at the bottom of a library's error, without its addresses of objects."""
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        return cause(inner)
    text = re.sub(r"<[^<>]* object at 0x[0-9a-f]+>:? ?|^\w+\(host=[^)]*\): ", "", str(error))
    return text.strip() or type(error).__name__


def _decoded(server: str, content: bytes) -> JsonObject:
    try:
        answer: JsonObject = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Unreachable(f"{server} does not answer as an API server does: {error}") from error
    return answer


_KINDS: Final[Mapping[int, type[Problem]]] = {
    400: Invalid,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
}


def _refusal(server: str, what: str, status: int, content: bytes) -> Problem:
    """Return the problem that an answer of the API server tells of."""
    try:
        answer = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError:
        answer = {}
    message = str(answer.get("message") or f"{what}: status {status}")
    if status == 401:
        return Unreachable(f"the cluster at {server} does not accept your credentials", hint="log in again")
    if status == 404 and words.PLURAL in what and not (answer.get("details") or {}).get("name"):
        return NotFound(
            f"the cluster at {server} does not know {words.KIND} resources",
            hint="install the operator: helm install mapreduce helm/mapreduce-operator"
            " -n mapreduce-system --create-namespace",
        )
    kind = _KINDS.get(status)
    if kind is None:
        return Unreachable(f"the cluster at {server} cannot answer now: {message}", hint="try again")
    return kind(message, reason=str(answer.get("reason") or ""))
