"""How much one caller, and all together, may make the operator read: bounds that no core can keep.

User code has its worker's session, so any job's author can send what they like. A session has one
body at a time and a pace; a job's workers, and the process, have a number of bytes in flight. What
counts is what has come, never what was promised, and small bodies, which every ordinary beat is,
wait for no room: nobody's workers are silenced by another's. Neighbour: `server.py`.
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
"""Bytes of bodies that are held at the same time, over all sessions."""
SHARE: Final = 4
"""The workers of one job together, or one gateway, hold at most one part in so many of them."""
SMALL: Final = 64 << 10
"""The first bytes of every body, which count for nothing. An ordinary beat is no longer."""
RATE: Final = 1 << 20
"""Bytes a second that a worker may send for long. A gateway, which runs no user code, reports journals and plans."""
REQUEST: Final = 8 << 10
"""What every request counts for beside its body: so a session has 128 a second."""
BURST: Final = 8.0
"""Seconds' worth that a session may send at once."""
PATIENCE: Final = 10.0
"""Seconds in which a body must have arrived, beside what it may take at `LEAST_RATE`."""
LEAST_RATE: Final = 256 << 10
"""Bytes a second that must come of a long body, or its sender is not waited for."""


class Busy(Exception):
    """Too much is being read at this moment: the caller tries again."""


class Overtaken(Exception):
    """A newer request of the same session came while this one's body was read."""


class Intake:
    """Reads bodies within the bounds. A caller is a session, or the name of a worker that registers."""

    def __init__(self, *, in_flight: int = IN_FLIGHT, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = in_flight
        self._share = in_flight // SHARE
        self._held: dict[str, int] = {}
        """Bytes that the workers of each job, or each gateway, hold of the room."""
        self._clock = clock
        self._reading: dict[str, asyncio.Task[bytes]] = {}
        self._paid_until: dict[str, float] = {}
        """When each caller's bytes are paid for at `RATE`; who is not here has sent nothing lately."""

    async def read(self, request: web.Request, caller: str, limit: int, job: str) -> bytes:
        """Return the body; raises `Busy`, `Overtaken`, and 413 for more than `limit` bytes. `job`: the caller's."""
        older = self._reading.get(caller)
        if older is not None:
            older.cancel()
        reading = self._reading[caller] = asyncio.get_running_loop().create_task(
            self._read(request, caller, limit, job)
        )
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            if self._reading.get(caller) is not reading:
                raise Overtaken from None
            reading.cancel()
            raise
        except TimeoutError as error:
            raise Busy("the body came too slowly") from error
        finally:
            if self._reading.get(caller) is reading:
                del self._reading[caller]

    async def _read(self, request: web.Request, caller: str, limit: int, job: str) -> bytes:
        size = request.content_length
        if size is not None and size > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=size)
        if limit > protocol.WORKER_BODY:
            return await self._collect(request, limit, caller, bytearray())
        await asyncio.sleep(self.wait(caller))
        body = bytearray()
        try:
            return await self._collect(request, limit, job, body)
        finally:
            self.pay(caller, len(body))

    async def _collect(self, request: web.Request, limit: int, owner: str, body: bytearray) -> bytes:
        """Read into `body` what comes, as long as there is room for it and it comes fast enough."""
        began = asyncio.get_running_loop().time()
        with self._reserving(owner) as reserve:
            async with asyncio.timeout(PATIENCE) as patience:
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > limit:
                        raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(body))
                    reserve(len(body) - SMALL)
                    patience.reschedule(began + PATIENCE + len(body) / LEAST_RATE)
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
    def _reserving(self, owner: str) -> Iterator[Callable[[int], None]]:
        """Yield what sets how much of the room one body takes; it raises `Busy` if there is not as much."""
        taken = 0

        def reserve(size: int) -> None:
            nonlocal taken
            more = size - taken
            if more <= 0:
                return
            held = self._held.get(owner, 0) + more
            if more > self._room or held > self._share:
                raise Busy("too many bodies are being read")
            taken = size
            self._room -= more
            self._held[owner] = held

        try:
            yield reserve
        finally:
            self._room += taken
            if taken and self._held[owner] == taken:
                del self._held[owner]
            elif taken:
                self._held[owner] -= taken
