"""The HTTP server from which other workers and gateways of the job read data.

A worker serves the segments of its map outputs and the parts of its reduce attempts; a gateway
adds input ranges. Each request shows a ticket for what it reads; see "Reading data" in
`docs/protocol.md`. Neighbours: `fetch.py` (the reader), `ticketing.py`, `outputs.py` (the files).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from mapreduce import paths, protocol, tickets
from mapreduce.errors import ProtocolError
from mapreduce.ids import AttemptId
from mapreduce.protocol import ReadSegments, Refusal, SegmentHead
from mapreduce_worker.outputs import MapOutputs, SegmentPlace
from mapreduce_worker.ticketing import TicketBook

BLOCK: Final = 1 << 20
SHUTDOWN_SECONDS: Final = 1.0

_log: Final = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")


class RequestRefused(Exception):
    """Raised by a handler to answer with a `Refusal` and this status."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = Refusal(reason=reason, message=message)


class DataServer:
    """A server of `routes` (path → handler of POST requests). `served`: bytes that were read from it."""

    def __init__(self, routes: Mapping[str, Handler]) -> None:
        self.served = 0
        app = web.Application(client_max_size=protocol.MAX_BODY, middlewares=[_counting(self), _refusals])
        for path, handler in routes.items():
            app.router.add_post(path, handler)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port; 0 takes any free one. Raises `OSError`."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=512).start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def close(self) -> None:
        """Stop listening and end every request."""
        await self._runner.cleanup()


def worker_routes(directory: Path, book: TicketBook, outputs: MapOutputs) -> dict[str, Handler]:
    """Return the routes of a worker whose results lie in `directory`."""

    async def segments(request: web.Request) -> web.StreamResponse:
        body = await read(request, ReadSegments)
        demand(request, book, tickets.partition_scope(body.step, body.partition))
        return await _send_segments(request, outputs, body)

    async def part(request: web.Request) -> web.StreamResponse:
        attempt = await read(request, AttemptId)
        demand(request, book, tickets.part_scope(str(attempt)))
        path = directory / paths.reduce_output(attempt)
        if not path.is_file():
            raise RequestRefused(404, "NotFound", f"no part of {attempt} is held here")
        return web.FileResponse(path, chunk_size=BLOCK)

    return {protocol.SEGMENTS_PATH: segments, protocol.PART_PATH: part}


async def read(request: web.Request, kind: type[T]) -> T:
    """Return the message in the body; answers 400 for anything else."""
    try:
        return protocol.decode(await request.read(), kind)
    except ProtocolError as error:
        raise RequestRefused(400, "ProtocolError", str(error)) from error


def demand(request: web.Request, book: TicketBook, scope: str) -> None:
    """Answer 401 without a ticket and 403 to one that does not open `scope`."""
    ticket = request.headers.get(protocol.TICKET_HEADER, "")
    if not ticket:
        raise RequestRefused(401, "TicketMissing", f"a ticket for {scope} is needed")
    if not book.opens(ticket, scope):
        raise RequestRefused(403, "TicketRefused", f"the ticket does not open {scope}")


def _counting(server: DataServer) -> Middleware:
    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if response.status == 200:
            # A file goes out behind this; what is sent in pieces is out, and its length was not told.
            server.served += response.content_length or response.body_length
        return response

    return counted


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RequestRefused as refused:
        return web.Response(
            status=refused.status, body=protocol.encode(refused.body), content_type=protocol.CONTENT_TYPE
        )
    except ConnectionError:
        # The reader went away: killed, cancelled, or it has had enough. Nobody hears this answer.
        return web.Response(status=499)


async def _send_segments(request: web.Request, outputs: MapOutputs, body: ReadSegments) -> web.StreamResponse:
    found = await asyncio.to_thread(_places, outputs, body)
    heads = [_head(attempt, place) for attempt, place in zip(body.maps, found, strict=True)]
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.content_length = sum(map(len, heads)) + sum(place.length for place in found if place)
    await response.prepare(request)
    blocks = _blocks(heads, found)
    try:
        while block := await asyncio.to_thread(next, blocks, b""):
            await response.write(block)
    except OSError as error:
        # The length was promised: only a closed connection tells the reader that the rest is lost.
        _log.warning("segments cannot be read: %s", error)
        if request.transport is not None:
            request.transport.close()
        return response
    await response.write_eof()
    return response


def _places(outputs: MapOutputs, body: ReadSegments) -> list[SegmentPlace | None]:
    return [outputs.segment(attempt, body.partition, body.range) for attempt in body.maps]


def _head(attempt: AttemptId, place: SegmentPlace | None) -> bytes:
    head = SegmentHead(attempt=attempt, found=False, crc=protocol.NOTHING)
    if place is not None:
        head = SegmentHead(attempt=attempt, found=True, length=place.length, rows=place.rows, crc=place.crc)
    encoded = protocol.encode(head)
    return len(encoded).to_bytes(4, "big") + encoded


def _blocks(heads: list[bytes], found: list[SegmentPlace | None]) -> Iterator[bytes]:
    """Yield the answer in blocks of about a megabyte.

    Raises `OSError` for a file that went away meanwhile, after everything before it was yielded:
    the other segments are not at fault.
    """
    block = bytearray()
    try:
        for head, place in zip(heads, found, strict=True):
            block += head
            for data in _bytes_of(place) if place else ():
                block += data
                if len(block) >= BLOCK:
                    yield bytes(block)
                    block.clear()
    except OSError:
        if block:
            yield bytes(block)
        raise
    if block:
        yield bytes(block)


def _bytes_of(place: SegmentPlace) -> Iterator[bytes]:
    with place.path.open("rb") as file:
        file.seek(place.offset)
        left = place.length
        while left:
            data = file.read(min(left, BLOCK))
            if not data:
                raise OSError(f"{place.path} has become shorter")
            left -= len(data)
            yield data
