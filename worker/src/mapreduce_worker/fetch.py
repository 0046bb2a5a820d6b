"""Fetching what an attempt reads: input ranges from the gateway, segments from other workers.

What arrives is written to the attempt's scratch directory and checked at once. Neighbours:
`agent.py` (asks for it on the core's word), `data_server.py` and the gateway (the other side),
`outputs.py` (the short cut where both sides share a disk).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import aiohttp
import msgspec
from isal.isal_zlib import crc32

from mapreduce import protocol, tickets
from mapreduce.errors import ProtocolError, SystemFault
from mapreduce.ids import AttemptId
from mapreduce.protocol import ErrorInfo, RangeHead, ReadInput, ReadSegments, SegmentHead
from mapreduce_worker.core.events import (
    FetchedInput,
    FetchedRange,
    FetchedSegment,
    FetchInput,
    FetchSegments,
    SegmentsArrived,
)
from mapreduce_worker.outputs import MapOutputs
from mapreduce_worker.ticketing import TicketBook

SILENCE: Final = 10.0
"""Seconds without a byte after which the other side counts as away."""
BLOCK: Final = 1 << 20
MAX_HEAD: Final = 64 << 10
MAX_CHUNK: Final = 256 << 20
_NUMBERS: Final = frozenset({protocol.GAP_FOLLOWS, protocol.AT_FOLLOWS})
"""What a number follows, in the place of a chunk's length and the chunk."""
_REFUSALS: Final = frozenset({401, 403})


class Unreachable(SystemFault):
    """The other side did not answer, broke off, or said something that makes no sense."""


class TicketRefused(SystemFault):
    """The other side did not accept the ticket: no fault of the data."""


class InputRefusedError(SystemFault):
    """The gateway says that the input cannot be read; `error` is for the master."""

    def __init__(self, error: ErrorInfo) -> None:
        super().__init__(error.message)
        self.error = error


class Fetcher:
    """The connections over which one worker reads data. Use it as an async context manager."""

    def __init__(self, book: TicketBook, *, shared_disk: bool) -> None:
        self._book = book
        self._shared_disk = shared_disk
        self._neighbours: dict[str, MapOutputs] = {}
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, connect=SILENCE, sock_read=SILENCE)
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=8),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
            auto_decompress=False,
            read_bufsize=BLOCK,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    # --- input --------------------------------------------------------------------------

    async def input(self, command: FetchInput, directory: Path) -> FetchedInput:
        """Fetch a split into `directory`; raises `Unreachable`, `TicketRefused`, `InputRefusedError`."""
        await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
        path = directory / "input"
        url = f"http://{command.address}{protocol.INPUT_PATH}"
        body = protocol.encode(ReadInput(split=command.split))
        try:
            async with await self._open(url, body, command.ticket, tickets.INPUT) as response:
                with path.open("wb") as file:
                    ranges = await _receive_ranges(response.content, len(command.split.ranges), file)
        except _BROKEN as error:
            raise Unreachable(f"{url}: {type(error).__name__} {error}") from error
        return FetchedInput(str(path), ranges)

    # --- segments -----------------------------------------------------------------------

    async def segments(self, command: FetchSegments, directory: Path) -> SegmentsArrived:
        """Fetch segments from one holder; what cannot be had is in the result, not an error."""
        await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
        holder, request = command.holder, command.request
        if self._shared_disk and holder.directory and await asyncio.to_thread(Path(holder.directory).is_dir):
            arrived, lost = await asyncio.to_thread(self._look, holder.directory, request)
        else:
            arrived, lost = await self._receive(command, request, directory / f"segments-{command.fetch}")
            damaged = tuple(attempt for attempt, reason in lost if reason == _DAMAGED)
            if damaged:
                again = msgspec.structs.replace(request, maps=damaged)
                more, still = await self._receive(command, again, directory / f"segments-{command.fetch}-again")
                arrived += more
                lost = [(attempt, reason) for attempt, reason in lost if reason != _DAMAGED] + still
        return SegmentsArrived(attempt=command.attempt, fetch=command.fetch, arrived=tuple(arrived), lost=tuple(lost))

    def _look(self, directory: str, request: ReadSegments) -> tuple[list[FetchedSegment], list[tuple[AttemptId, str]]]:
        """Find the segments on the shared disk: a path and a range travel instead of bytes."""
        outputs = self._neighbours.setdefault(directory, MapOutputs(Path(directory)))
        arrived: list[FetchedSegment] = []
        lost: list[tuple[AttemptId, str]] = []
        for attempt in request.maps:
            place = outputs.segment(attempt, request.partition, request.range)
            if place is None:
                lost.append((attempt, "the holder has no such output"))
            else:
                arrived.append(
                    FetchedSegment(attempt, str(place.path), place.offset, place.length, place.rows, place.crc)
                )
        return arrived, lost

    async def _receive(
        self, command: FetchSegments, request: ReadSegments, path: Path
    ) -> tuple[list[FetchedSegment], list[tuple[AttemptId, str]]]:
        url = f"http://{command.holder.address}{protocol.SEGMENTS_PATH}"
        scope = tickets.partition_scope(request.step, request.partition)
        arrived: list[FetchedSegment] = []
        lost: list[tuple[AttemptId, str]] = []
        try:
            async with await self._open(url, protocol.encode(request), command.ticket, scope) as response:
                with path.open("wb") as file:
                    for attempt in request.maps:
                        segment = await _receive_segment(response.content, attempt, file)
                        if isinstance(segment, str):
                            lost.append((attempt, segment))
                        else:
                            arrived.append(segment)
        except TicketRefused:
            pass
        except (*_BROKEN, InputRefusedError) as error:
            told = len(arrived) + len(lost)
            lost += [(attempt, f"{type(error).__name__} {error}".strip()) for attempt in request.maps[told:]]
        return arrived, lost

    async def _open(self, url: str, body: bytes, ticket: str, scope: str) -> aiohttp.ClientResponse:
        """Send a request; a ticket that is refused is minted anew once.

        Raises `TicketRefused`, `Unreachable` and what aiohttp raises.
        """
        if self._http is None:
            raise RuntimeError("Fetcher is used outside of its context")
        for shown in (ticket, self._book.mint(scope)):
            response = await self._http.post(url, data=body, headers={protocol.TICKET_HEADER: shown})
            if response.status not in _REFUSALS:
                break
            response.release()
        else:
            raise TicketRefused(f"{url} does not accept a ticket for {scope}")
        if response.status != 200:
            response.release()
            raise Unreachable(f"{url} answered {response.status}")
        return response


_BROKEN: Final = (
    aiohttp.ClientError,
    TimeoutError,
    ConnectionError,
    asyncio.IncompleteReadError,
    Unreachable,
    ProtocolError,
)
_DAMAGED: Final = "the segment is damaged"


async def _receive_segment(stream: aiohttp.StreamReader, attempt: AttemptId, file: BinaryIO) -> FetchedSegment | str:
    """Read one segment's frame behind the end of `file`; returns the reason if it is not good."""
    head = protocol.decode(await _frame(stream), SegmentHead)
    if head.attempt != attempt:
        raise Unreachable(f"a segment of {head.attempt} came in place of {attempt}")
    if not head.found:
        return "the holder has no such output"
    if head.length < 0 or head.rows < 0:
        raise Unreachable(f"{head.length} bytes and {head.rows} rows of a segment make no sense")
    offset = file.tell()
    if await _copy(stream, head.length, file) != head.crc:
        return _DAMAGED
    return FetchedSegment(attempt, file.name, offset, head.length, head.rows, head.crc)


async def _receive_ranges(stream: aiohttp.StreamReader, count: int, file: BinaryIO) -> tuple[FetchedRange, ...]:
    """Write the chunks of every range to `file`, each behind its length."""
    ranges = []
    for position in range(count):
        head = protocol.decode(await _frame(stream), RangeHead)
        if head.position != position:
            raise Unreachable(f"range {head.position} came in place of {position}")
        at = file.tell()
        while length := await _length(stream, MAX_CHUNK, gaps=True):
            file.write(length.to_bytes(4, "big"))
            await _copy(stream, protocol.GAP_BYTES if length in _NUMBERS else length, file)
        ranges.append(FetchedRange(head.offset, at, file.tell() - at))
    file.flush()
    return tuple(ranges)


async def _frame(stream: aiohttp.StreamReader) -> bytes:
    return await stream.readexactly(await _length(stream, MAX_HEAD))


async def _length(stream: aiohttp.StreamReader, most: int, *, gaps: bool = False) -> int:
    """Read a length, or where `gaps` may be what stands for one; raises `InputRefusedError` if an error follows."""
    length = int.from_bytes(await stream.readexactly(4), "big")
    if length == protocol.ERROR_FOLLOWS:
        raise InputRefusedError(protocol.decode(await _rest(stream), ErrorInfo))
    if length > most and not (gaps and length in _NUMBERS):
        raise Unreachable(f"a length of {length} bytes makes no sense here")
    return length


async def _rest(stream: aiohttp.StreamReader) -> bytes:
    """Read to the end, which must come within the size of a message."""
    rest = bytearray()
    while block := await stream.read(BLOCK):
        rest += block
        if len(rest) > protocol.MAX_BODY:
            raise Unreachable(f"an error of more than {protocol.MAX_BODY} bytes makes no sense")
    return bytes(rest)


async def _copy(stream: aiohttp.StreamReader, length: int, file: BinaryIO) -> int:
    """Copy `length` bytes and return their CRC-32; the disk is written to in a thread."""
    crc = 0
    while length:
        block = await stream.readexactly(min(length, BLOCK))
        length -= len(block)
        crc = await asyncio.to_thread(_write, file, block, crc) if len(block) >= BLOCK else _write(file, block, crc)
    return crc


def _write(file: BinaryIO, block: bytes, crc: int) -> int:
    file.write(block)
    return crc32(block, crc)
