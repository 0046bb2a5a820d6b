"""A program that runs in a Pod, with its standard streams: the WebSocket of `exec`.

The client library's own reader gathers everything that has come, which for a large file is the whole
file; this one hands over each frame and lets the other side wait. Neighbours: `api.py` (opens it),
`helper_pod.py` (runs `transfer.py` through it).
"""

from __future__ import annotations

import json
import select
import ssl
from typing import Any, Final

from kubernetes.stream.ws_client import create_websocket, get_websocket_url
from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketException

from mapreduce_cli.cluster.problems import Broken, Forbidden, Unreachable

_STDIN, _STDOUT, _STDERR, _STATUS = range(4)
_BLOCK: Final = 128 << 10
_SILENCE: Final = 300.0
"""Seconds without a byte from the other side after which it counts as dead."""
_STDERR_KEPT: Final = 16 << 10


class Session:
    """Its streams: `write` is its stdin, `read` its stdout; its stderr is kept for messages."""

    def __init__(self, socket: WebSocket, what: str) -> None:
        self._socket = socket
        self._what = what
        self._stderr = b""
        self._pieces: list[bytes] = []
        self._over = False

    @classmethod
    def open(cls, configuration: Any, url: str, headers: dict[str, str], *, what: str, server: str) -> Session:
        """Start the program; raises `Forbidden`, `Broken` or `Unreachable`."""
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            address = get_websocket_url(url)  # type: ignore[no-untyped-call]  # the library's
            socket = create_websocket(configuration, address, lower)  # type: ignore[no-untyped-call]  # as above
            socket.settimeout(_SILENCE)
        except WebSocketBadStatusException as error:
            if error.status_code in (401, 403):
                raise Forbidden(f"{what} is not allowed", hint="you need the right to create pods/exec") from error
            raise Broken(f"{what} failed: {error}") from error
        except (WebSocketException, OSError) as error:
            raise Unreachable(f"the cluster at {server} cannot be reached: {error}") from error
        return cls(socket, what)

    def write(self, data: bytes) -> None:
        """Send bytes to the program; raises `Broken` if it has ended."""
        for at in range(0, len(data), _BLOCK):
            if self._waiting():
                self._take()
            if self._over:
                raise Broken(self._ended())
            try:
                self._socket.send(b"\0" + data[at : at + _BLOCK], ABNF.OPCODE_BINARY)
            except (WebSocketException, OSError) as error:
                raise Broken(f"{self._what}: the connection broke: {error}{self._said()}") from error

    def read(self) -> bytes:
        """Return the next bytes of the program's stdout; nothing at its end."""
        while not self._pieces and not self._over:
            self._take()
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        """Hang up; a program that still runs gets the end of its input."""
        try:
            self._socket.close(timeout=1)
        except (WebSocketException, OSError):
            # It was closed by the other side.
            self._over = True

    def _waiting(self) -> bool:
        inner = self._socket.sock
        if inner is None or (isinstance(inner, ssl.SSLSocket) and inner.pending()):
            return True
        return bool(select.select([inner], [], [], 0)[0])

    def _take(self) -> None:
        """Take one frame."""
        try:
            opcode, frame = self._socket.recv_data_frame(True)
        except (WebSocketException, OSError) as error:
            raise Broken(f"{self._what}: the connection broke: {error}{self._said()}") from error
        if opcode == ABNF.OPCODE_CLOSE:
            self._over = True
            return
        if opcode not in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) or not frame.data:
            return
        channel, data = frame.data[0], frame.data[1:]
        if channel == _STDOUT and data:
            self._pieces.append(data)
        elif channel == _STDERR:
            self._stderr = (self._stderr + data)[-_STDERR_KEPT:]
        elif channel == _STATUS:
            self._over = True
            self._check(data)

    def _check(self, data: bytes) -> None:
        status = json.loads(data or b"{}")
        if status.get("status") == "Failure" and not self._pieces:
            raise Broken(f"{self._what}: {status.get('message') or 'it failed'}{self._said()}")

    def _ended(self) -> str:
        return f"{self._what}: the program ended early{self._said()}"

    def _said(self) -> str:
        text = self._stderr.decode(errors="replace").strip()
        return f": {text}" if text else ""
