"""How much one caller, and all together, may make the operator read: bounds that no core can keep.

User code has its worker's session, so any job's author can send what they like. A session has one
body at a time and a pace; the process has a number of bytes in flight. Neighbour: `server.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from aiohttp import web

from mapreduce import protocol

IN_FLIGHT: Final = 64 << 20
"""Bytes of bodies that are read at the same time, over all sessions."""
RATE: Final = 1 << 20
"""Bytes a second that a worker may send for long. A gateway, which runs no user code, reports journals and plans."""
REQUEST: Final = 8 << 10
"""What every request counts for beside its body: so a session has 128 a second."""
BURST: Final = 8.0
"""Seconds' worth that a session may send at once."""
PATIENCE: Final = 30.0
"""Seconds in which a body must have arrived."""


class Busy(Exception):
    """Too much is being read at this moment: the caller tries again."""


class Overtaken(Exception):
    """A newer request of the same session came while this one's body was read."""


class Intake:
    """Reads bodies within the bounds. A caller is a session, or the name of a worker that registers."""

    def __init__(self, *, in_flight: int = IN_FLIGHT, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = in_flight
        self._clock = clock
        self._reading: dict[str, asyncio.Task[bytes]] = {}
        self._paid_until: dict[str, float] = {}
        """When each caller's bytes are paid for at `RATE`; who is not here has sent nothing lately."""

    async def read(self, request: web.Request, caller: str, limit: int) -> bytes:
        """Return the body; raises `Busy`, `Overtaken`, and 413 for more than `limit` bytes."""
        older = self._reading.get(caller)
        if older is not None:
            older.cancel()
        reading = self._reading[caller] = asyncio.get_running_loop().create_task(self._read(request, caller, limit))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            if self._reading.get(caller) is not reading:
                raise Overtaken from None
            reading.cancel()
            raise
        except TimeoutError as error:
            raise Busy(f"the body did not arrive within {PATIENCE:g} s") from error
        finally:
            if self._reading.get(caller) is reading:
                del self._reading[caller]

    async def _read(self, request: web.Request, caller: str, limit: int) -> bytes:
        size = request.content_length
        if size is not None and size > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=size)
        paced = limit <= protocol.WORKER_BODY
        if paced:
            await asyncio.sleep(self.wait(caller))
        with self._reserved(limit if size is None else size):
            async with asyncio.timeout(PATIENCE):
                body = bytearray()
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > limit:
                        raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(body))
        if paced:
            self.pay(caller, len(body))
        return bytes(body)

    def wait(self, caller: str) -> float:
        """Return the seconds until a caller may send again."""
        return max(0.0, self._paid_until.get(caller, 0.0) - BURST - self._clock())

    def pay(self, caller: str, size: int) -> None:
        """Note that a caller has sent a body of so many bytes."""
        now = self._clock()
        if len(self._paid_until) > 10_000:
            self._paid_until = {name: until for name, until in self._paid_until.items() if until > now}
        self._paid_until[caller] = max(now, self._paid_until.get(caller, now)) + (size + REQUEST) / RATE

    @contextlib.contextmanager
    def _reserved(self, size: int) -> Iterator[None]:
        if size > self._room:
            raise Busy("too many bodies are being read")
        self._room -= size
        try:
            yield
        finally:
            self._room += size
