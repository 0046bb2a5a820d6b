"""Getting a part from the worker that made it: over HTTP, or by its path where the disk is shared.

Neighbours: `operations.py` (asks), `storage.py` (checks and stages), `data_server.py` (the other side).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp

from mapreduce import paths, protocol, tickets
from mapreduce.protocol import StagePart
from mapreduce_worker.gateway.failures import PartUnreadable
from mapreduce_worker.gateway.publishing import Abandoned
from mapreduce_worker.gateway.storage import Output, Watch
from mapreduce_worker.gateway.store import NotThere, PosixStore
from mapreduce_worker.ticketing import TicketBook

SILENCE: Final = 10.0
"""Seconds without a byte after which the worker counts as away."""
BLOCK: Final = 1 << 20
_REFUSALS: Final = frozenset({401, 403})


class PartFetcher:
    """The connections over which one gateway gets parts. Use it as an async context manager."""

    def __init__(self, store: PosixStore, book: TicketBook, *, shared_disk: bool) -> None:
        self._store = store
        self._book = book
        self._shared_disk = shared_disk
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=SILENCE, sock_read=SILENCE),
            auto_decompress=False,
            read_bufsize=BLOCK,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def fetch(self, work: StagePart, output: Output, temporary: str, watch: Watch) -> None:
        """Put the part's bytes under `temporary`; raises `PartUnreadable`, `StoreError`, `Abandoned`."""
        if self._shared_disk and work.directory:
            await asyncio.to_thread(self._adopt, work, temporary)
        else:
            await self._receive(work, output, temporary, watch)

    def _adopt(self, work: StagePart, temporary: str) -> None:
        source = Path(work.directory) / paths.reduce_output(work.source)
        try:
            self._store.adopt(source, temporary)
        except NotThere as error:
            raise PartUnreadable(f"the part of {work.source} is not in {work.directory} any more") from error

    async def _receive(self, work: StagePart, output: Output, temporary: str, watch: Watch) -> None:
        url = f"http://{work.address}{protocol.PART_PATH}"
        received = 0
        try:
            async with await self._open(url, work) as response:
                async for block in _blocks(response.content, work.size):
                    await asyncio.to_thread(output.receive, temporary, block)
                    received += len(block)
                    if not watch(0, received):
                        raise Abandoned("the part is not wanted any more")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PartUnreadable(f"{url}: {type(error).__name__} {error}") from error

    async def _open(self, url: str, work: StagePart) -> aiohttp.ClientResponse:
        """Ask for the part; a ticket that is refused is minted anew once."""
        if self._http is None:
            raise RuntimeError("PartFetcher is used outside of its context")
        body = protocol.encode(work.source)
        status = 0
        for ticket in (work.ticket, self._book.mint(tickets.part_scope(str(work.source)))):
            response = await self._http.post(url, data=body, headers={protocol.TICKET_HEADER: ticket})
            status = response.status
            if status == 200:
                return response
            response.release()
            if status not in _REFUSALS:
                break
        raise PartUnreadable(f"{url} answered {status} for the part of {work.source}")


async def _blocks(stream: aiohttp.StreamReader, size: int) -> AsyncIterator[bytes]:
    """Yield the body in blocks, at least one; a body that is longer than `size` is broken off."""
    block = bytearray()
    left = size
    async for chunk in stream.iter_any():
        left -= len(chunk)
        if left < 0:
            raise PartUnreadable(f"the part is longer than its {size} bytes")
        block += chunk
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)
