"""The HTTP client for the master: the three requests of `docs/protocol.md`, one method each.

Every failure becomes one of two errors: the master refused, or it is away. Whether and when to try
again is decided by a core (`core/link.py`), not here. Neighbours: `agent.py` and the gateway's
shell, which own one `MasterClient` each.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import aiohttp

from mapreduce import protocol
from mapreduce.errors import ProtocolError, SystemFault
from mapreduce.program import Program
from mapreduce.protocol import Answer, Exchange, Refusal, Register, Registered

REGISTER_PATIENCE: Final = 15.0
"""Seconds: a registration waits for TokenReview."""
CONNECT_PATIENCE: Final = 5.0
_REFUSALS: Final = frozenset({400, 401, 403, 404, 409, 410, 413, 426})
"""Statuses by which the master itself says no; any other one means that it is away."""

T = TypeVar("T")


class MasterAway(SystemFault):
    """No answer, or one that says that the master is not there now: try again later."""


class MasterRefused(SystemFault):
    """The master said no; `status` by the table of the protocol."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class MasterClient:
    """The connections of one process to its master. Use it as an async context manager.

    `token` gives the bearer token for a registration and may raise `OSError`.
    """

    def __init__(self, master: str, token: Callable[[], str], ca: Path | None = None) -> None:
        self._master = master
        self._token = token
        self._ca = ca
        self._tls: ssl.SSLContext | bool = True
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # One connection for the parked exchange, one for a newer exchange, one to spare.
        connector = aiohttp.TCPConnector(limit=4, keepalive_timeout=60)
        self._http = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def register(self, body: Register, patience: float = REGISTER_PATIENCE) -> Registered:
        """Open a session; raises `MasterRefused`, `MasterAway`."""
        try:
            # Token and CA certificate may have been renewed since the last time.
            headers = {"Authorization": f"Bearer {self._token()}"}
            if self._master.startswith("https:"):
                self._tls = ssl.create_default_context(cafile=self._ca)
        except OSError as error:
            raise MasterAway(f"token or CA certificate cannot be read: {error}") from error
        return await self._post(protocol.REGISTER, body, Registered, headers, patience)

    async def program(self, session: str, digest: str, patience: float = REGISTER_PATIENCE) -> Program:
        """Get the job's program; raises `MasterRefused`, `MasterAway`, `ProtocolError` for another one."""
        headers = {protocol.SESSION_HEADER: session}
        program = await self._post(protocol.PROGRAM, digest, Program, headers, patience)
        if program.digest != digest:
            raise ProtocolError(f"the master sent the program {program.digest}, not {digest}")
        return program

    async def exchange(self, session: str, body: Exchange, patience: float) -> Answer:
        """Exchange; the answer may take a beat. Raises `MasterRefused`, `MasterAway`."""
        return await self._post(protocol.EXCHANGE, body, Answer, {protocol.SESSION_HEADER: session}, patience)

    async def _post(self, path: str, body: object, kind: type[T], headers: dict[str, str], patience: float) -> T:
        status, content = await self._exchange_bytes(path, protocol.encode(body), headers, patience)
        if status == 200:
            try:
                return protocol.decode(content, kind)
            except ProtocolError as error:
                raise MasterAway(f"{path}: {error}") from error
        if status not in _REFUSALS:
            raise MasterAway(f"{path}: the master answered {status}")
        try:
            refusal = protocol.decode(content, Refusal)
        except ProtocolError as error:
            # A proxy or another server stands there, not a master of ours.
            raise MasterAway(f"{path}: the status {status} without a refusal") from error
        raise MasterRefused(status, refusal.reason, refusal.message)

    async def _exchange_bytes(
        self, path: str, body: bytes, headers: dict[str, str], patience: float
    ) -> tuple[int, bytes]:
        if self._http is None:
            raise RuntimeError("MasterClient is used outside of its context")
        timeout = aiohttp.ClientTimeout(total=patience, connect=min(CONNECT_PATIENCE, patience))
        try:
            async with self._http.post(
                self._master + path,
                data=body,
                headers={"Content-Type": protocol.CONTENT_TYPE} | headers,
                timeout=timeout,
                ssl=self._tls,
                allow_redirects=False,
            ) as response:
                content = await _read_all(response)
                return response.status, content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise MasterAway(f"{path}: {type(error).__name__} {error}") from error


async def _read_all(response: aiohttp.ClientResponse) -> bytes:
    """Read a body that is no larger than the protocol allows; raises `MasterAway`."""
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > protocol.MAX_BODY:
            raise MasterAway(f"an answer larger than {protocol.MAX_BODY} bytes")
    return bytes(content)
