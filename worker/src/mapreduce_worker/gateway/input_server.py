"""Serving input ranges: what `/v1/input` answers, by `docs/protocol.md`.

Neighbours: `data_server.py` (routes, tickets), `input_files.py` (which files, and their records).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from aiohttp import web

from mapreduce import protocol, tickets
from mapreduce.errors import MapReduceError
from mapreduce.plan import Split
from mapreduce.protocol import RangeHead, ReadInput
from mapreduce_worker.data_server import Handler, RequestRefused, demand, read
from mapreduce_worker.engine.long_lines import Chunk, Gap
from mapreduce_worker.engine.sparse import At
from mapreduce_worker.gateway import failures
from mapreduce_worker.gateway.input_files import InputFiles
from mapreduce_worker.ticketing import TicketBook

BLOCK: Final = 1 << 20
"""Bytes that are sent at once."""
_END: Final = bytes(4)


def input_routes(files: Callable[[], InputFiles | None], book: TicketBook) -> dict[str, Handler]:
    """Return the routes of a gateway; `files` gives the input's files, or None if this one serves no input."""

    async def serve(request: web.Request) -> web.StreamResponse:
        demand(request, book, tickets.INPUT)
        body = await read(request, ReadInput)
        served = files()
        if served is None:
            raise RequestRefused(404, "NotFound", "this gateway serves no input")
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await response.prepare(request)
        blocks = joined(frames(served, body.split))
        while block := await asyncio.to_thread(next, blocks, b""):
            await response.write(block)
        await response.write_eof()
        return response

    return {protocol.INPUT_PATH: serve}


def frames(files: InputFiles, split: Split) -> Iterator[bytes]:
    """Yield the answer for a split; an error ends it, in the place of a length."""
    try:
        for position, part in enumerate(split.ranges):
            offset, chunks = files.read(part)
            head = protocol.encode(RangeHead(position=position, offset=offset))
            yield _length(head) + head
            for chunk in chunks:
                yield from _framed(chunk)
            yield _END
    except (MapReduceError, OSError) as error:
        yield protocol.ERROR_FOLLOWS.to_bytes(4, "big") + protocol.encode(failures.describe(error))


def _framed(chunk: Chunk) -> Iterator[bytes]:
    if isinstance(chunk, Gap):
        yield protocol.GAP_FOLLOWS.to_bytes(4, "big") + chunk.size.to_bytes(protocol.GAP_BYTES, "big")
        return
    if isinstance(chunk, At):
        yield protocol.AT_FOLLOWS.to_bytes(4, "big") + chunk.offset.to_bytes(protocol.GAP_BYTES, "big")
        return
    for start in range(0, len(chunk), BLOCK):
        block = chunk[start : start + BLOCK]
        yield _length(block) + block


def joined(pieces: Iterable[bytes], size: int = BLOCK) -> Iterator[bytes]:
    """Join small pieces into blocks of about `size` bytes: many small files make many pieces."""
    block: list[bytes] = []
    room = size
    for piece in pieces:
        block.append(piece)
        room -= len(piece)
        if room <= 0:
            yield b"".join(block)
            block, room = [], size
    if block:
        yield b"".join(block)


def _length(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big")
