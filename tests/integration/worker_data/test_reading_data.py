"""Segments, parts and input between real servers and clients on the loopback address."""

import asyncio
import os
import socket
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Self

import aiohttp
import pytest
from aiohttp import web

from mapreduce import paths, protocol, tickets
from mapreduce.protocol import ErrorInfo, Holder, RangeHead, ReadSegments, SegmentHead
from mapreduce_worker import fetch
from mapreduce_worker.core.events import FetchedSegment, FetchInput, FetchSegments, SegmentsArrived
from mapreduce_worker.data_server import DataServer, Handler, worker_routes
from mapreduce_worker.engine import map_output
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.fetch import Fetcher, InputRefusedError, TicketRefused, Unreachable
from mapreduce_worker.outputs import MapOutputs
from mapreduce_worker.ticketing import TicketBook
from tests.support.slot_bench import run
from tests.support.worker_messages import map_attempt, reduce_attempt, split

HOST = "127.0.0.1"


def _book(*keys: bytes) -> TicketBook:
    book = TicketBook()
    book.learn("job", keys or (b"key",))
    return book


def _write_output(folder: Path, index: int, partitions: int = 2) -> map_output.Index:
    """Write a map output with one row in each partition; returns its index."""
    path = folder / paths.map_output(map_attempt(index))
    with path.open("wb") as file:
        writer = map_output.Writer(file)
        for partition in range(partitions):
            writer.segment([Block([b"key-%d-%d" % (index, partition)], [b"\x01"])])
        return writer.finish("str", "a.txt:0")


class Holding:
    """A worker's data server over a folder, and a reader with a folder of its own."""

    def __init__(self, folder: Path, routes: dict[str, Handler] | None = None, *, shared: bool = False) -> None:
        self.held = folder / "held"
        self.reading = folder / "reading"
        self.held.mkdir(exist_ok=True)
        self.server = DataServer(routes or worker_routes(self.held, _book(), MapOutputs(self.held)))
        self.book = _book()
        self.fetcher = Fetcher(self.book, shared_disk=shared)
        self.directory = str(self.held) if shared else ""
        self.port = 0

    async def __aenter__(self) -> Self:
        self.port = await self.server.start(HOST, 0)
        await self.fetcher.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.fetcher.__aexit__(None, None, None)
        await self.server.close()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def segments(self, *indices: int, partition: int = 1, ticket: str | None = None) -> SegmentsArrived:
        scope = tickets.partition_scope(0, partition)
        request = ReadSegments(step=0, partition=partition, maps=tuple(map(map_attempt, indices)))
        command = FetchSegments(
            attempt=reduce_attempt(partition),
            fetch=5,
            holder=Holder(number=0, worker="w-0", address=self.address, directory=self.directory),
            ticket=tickets.mint(b"key", "job", scope, 2e9) if ticket is None else ticket,
            request=request,
        )
        return await self.fetcher.segments(command, self.reading)

    def input_command(self) -> FetchInput:
        return FetchInput(map_attempt(0), self.address, tickets.mint(b"key", "job", tickets.INPUT, 2e9), split(0))


def _slice(path: str, offset: int, length: int) -> bytes:
    return Path(path).read_bytes()[offset : offset + length]


def _bytes_of(segment: FetchedSegment) -> bytes:
    data = _slice(segment.path, segment.offset, segment.length)
    assert zlib.crc32(data) == segment.crc
    return data


# --- segments -----------------------------------------------------------------------------


def test_segments_arrive_as_they_stand_in_the_holders_files(tmp_path):
    async def story() -> None:
        async with Holding(tmp_path) as holding:
            indices = [_write_output(holding.held, number) for number in range(3)]
            result = await holding.segments(2, 0, 1)
        assert result.lost == ()
        assert [segment.source for segment in result.arrived] == [map_attempt(number) for number in (2, 0, 1)]
        for segment in result.arrived:
            number = segment.source.task.index
            place = indices[number].segments[1]
            file = (holding.held / paths.map_output(map_attempt(number))).read_bytes()
            assert _bytes_of(segment) == file[place.offset : place.offset + place.length]

    run(story())


def test_an_output_that_the_holder_lacks_is_lost_and_the_others_arrive(tmp_path):
    async def story() -> None:
        async with Holding(tmp_path) as holding:
            _write_output(holding.held, 0)
            (holding.held / paths.map_output(map_attempt(2))).write_bytes(b"damaged")
            result = await holding.segments(0, 1, 2)
        assert [segment.source.task.index for segment in result.arrived] == [0]
        assert [attempt.task.index for attempt, _ in result.lost] == [1, 2]

    run(story())


def test_a_path_travels_in_place_of_bytes_where_the_disk_is_shared(tmp_path):
    async def story() -> None:
        async with Holding(tmp_path, shared=True) as holding:
            _write_output(holding.held, 0)
            result = await holding.segments(0, 1)
            assert [segment.path for segment in result.arrived] == [
                str(holding.held / paths.map_output(map_attempt(0)))
            ]
            assert [attempt for attempt, _ in result.lost] == [map_attempt(1)]
            (holding.held / paths.map_output(map_attempt(0))).unlink()
            assert len((await holding.segments(0)).lost) == 1

    run(story())


def test_a_ticket_of_an_older_key_is_renewed_and_no_complaint(tmp_path):
    async def story() -> None:
        async with Holding(tmp_path) as holding:
            _write_output(holding.held, 0)
            result = await holding.segments(0, ticket=tickets.mint(b"old", "job", "partition-0-1", 2e9))
            assert len(result.arrived) == 1
            holding.book.learn("job", (b"another key",))
            assert await holding.segments(0, ticket="worthless") == SegmentsArrived(attempt=reduce_attempt(1), fetch=5)

    run(story())


def test_a_holder_that_is_gone_loses_everything_at_once(tmp_path):
    async def story() -> None:
        async with Holding(tmp_path) as holding:
            await holding.server.close()
            result = await asyncio.wait_for(holding.segments(0, 1), 30)
        assert len(result.lost) == 2

    run(story())


def test_a_holder_that_says_nothing_is_given_up_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "SILENCE", 0.2)

    async def story() -> None:
        with socket.create_server((HOST, 0)) as silent:
            async with Holding(tmp_path) as holding:
                await holding.server.close()
                holding.port = silent.getsockname()[1]
                result = await asyncio.wait_for(holding.segments(0), 30)
        assert len(result.lost) == 1

    run(story())


def _frames(segments: list[tuple[SegmentHead, bytes]]) -> bytes:
    out = b""
    for head, data in segments:
        encoded = protocol.encode(head)
        out += len(encoded).to_bytes(4, "big") + encoded + data
    return out


def _answering(bodies: list[bytes]) -> Callable[[web.Request], object]:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=bodies.pop(0))

    return handler


def _segment(index: int, data: bytes, crc: int | None = None) -> tuple[SegmentHead, bytes]:
    crc = zlib.crc32(data) if crc is None else crc
    return SegmentHead(attempt=map_attempt(index), found=True, length=len(data), rows=1, crc=crc), data


def test_a_damaged_segment_is_fetched_once_more(tmp_path):
    async def story() -> None:
        bodies = [_frames([_segment(0, b"good"), _segment(1, b"evil", crc=1)]), _frames([_segment(1, b"fine")])]
        async with Holding(tmp_path, {protocol.SEGMENTS_PATH: _answering(bodies)}) as holding:  # type: ignore[dict-item]  # a fake
            result = await holding.segments(0, 1)
        assert result.lost == ()
        assert [_bytes_of(segment) for segment in result.arrived] == [b"good", b"fine"]

    run(story())


def test_a_segment_that_stays_damaged_is_lost(tmp_path):
    async def story() -> None:
        bodies = [_frames([_segment(0, b"evil", crc=1)])] * 2
        async with Holding(tmp_path, {protocol.SEGMENTS_PATH: _answering(bodies)}) as holding:  # type: ignore[dict-item]  # a fake
            result = await holding.segments(0)
        assert result.arrived == ()
        assert result.lost == ((map_attempt(0), "the segment is damaged"),)

    run(story())


def test_what_came_before_a_connection_broke_is_kept(tmp_path):
    async def story() -> None:
        bodies = [_frames([_segment(0, b"good"), _segment(1, b"half of it")])[:-4]]
        async with Holding(tmp_path, {protocol.SEGMENTS_PATH: _answering(bodies)}) as holding:  # type: ignore[dict-item]  # a fake
            result = await holding.segments(0, 1, 2)
        assert [segment.source.task.index for segment in result.arrived] == [0]
        assert [attempt.task.index for attempt, _ in result.lost] == [1, 2]

    run(story())


@pytest.mark.parametrize(
    "nonsense",
    [
        _frames([(SegmentHead(attempt=map_attempt(1), found=True, length=-1), b"")]),
        _frames([(SegmentHead(attempt=map_attempt(1), found=True, rows=-1), b"")]),
        b"\xff\xff\xff\xff" + protocol.encode(ErrorInfo(kind="refused", reason="InternalError", message="no")),
    ],
)
def test_nonsense_in_place_of_a_segment_loses_what_is_not_here(tmp_path, nonsense):
    async def story() -> None:
        bodies = [_frames([_segment(0, b"good")]) + nonsense]
        async with Holding(tmp_path, {protocol.SEGMENTS_PATH: _answering(bodies)}) as holding:  # type: ignore[dict-item]  # a fake
            result = await holding.segments(0, 1, 2)
        assert [segment.source.task.index for segment in result.arrived] == [0]
        assert [attempt.task.index for attempt, _ in result.lost] == [1, 2]

    run(story())


# --- tickets and parts --------------------------------------------------------------------


@pytest.mark.parametrize(("ticket", "status"), [("", 401), ("worthless", 403)])
def test_nothing_is_served_without_a_ticket(tmp_path, ticket, status):
    async def story() -> None:
        async with Holding(tmp_path) as holding, aiohttp.ClientSession() as http:
            for path, body in (
                (protocol.SEGMENTS_PATH, ReadSegments(step=0, partition=1, maps=())),
                (protocol.PART_PATH, reduce_attempt(0)),
            ):
                headers = {protocol.TICKET_HEADER: ticket} if ticket else {}
                url = f"http://{holding.address}{path}"
                async with http.post(url, data=protocol.encode(body), headers=headers) as response:
                    assert response.status == status
                    protocol.decode(await response.read(), protocol.Refusal)

    run(story())


def test_a_part_is_served_whole_and_a_missing_one_is_not_found(tmp_path):
    async def story() -> None:
        async with Holding(tmp_path) as holding, aiohttp.ClientSession() as http:
            content = bytes(range(256)) * 10_000
            (holding.held / paths.reduce_output(reduce_attempt(0))).write_bytes(content)
            statuses = []
            for index in (0, 1):
                attempt = reduce_attempt(index)
                ticket = tickets.mint(b"key", "job", tickets.part_scope(str(attempt)), 2e9)
                url = f"http://{holding.address}{protocol.PART_PATH}"
                headers = {protocol.TICKET_HEADER: ticket}
                async with http.post(url, data=protocol.encode(attempt), headers=headers) as response:
                    statuses.append(response.status)
                    if index == 0:
                        assert await response.read() == content
            assert statuses == [200, 404]

    run(story())


# --- input --------------------------------------------------------------------------------


def _range(position: int, offset: int, *chunks: bytes) -> bytes:
    head = protocol.encode(RangeHead(position=position, offset=offset))
    framed = b"".join(len(chunk).to_bytes(4, "big") + chunk for chunk in chunks)
    return len(head).to_bytes(4, "big") + head + framed


def _input(folder: Path, *bodies: bytes) -> Holding:
    return Holding(folder, {protocol.INPUT_PATH: _answering(list(bodies))})  # type: ignore[dict-item]  # a fake


def test_input_is_kept_with_its_chunks(tmp_path):
    async def story() -> None:
        async with _input(tmp_path, _range(0, 17, b"one\n", b"two\n", b"")) as holding:
            fetched = await holding.fetcher.input(holding.input_command(), holding.reading)
        (only,) = fetched.ranges
        assert only.offset == 17
        assert _slice(fetched.path, only.at, only.length) == b"\0\0\0\x04one\n\0\0\0\x04two\n"

    run(story())


def test_input_that_breaks_off_is_unreachable(tmp_path):
    async def story() -> None:
        async with _input(tmp_path, _range(0, 0, b"one\n")) as holding:
            with pytest.raises(Unreachable):
                await holding.fetcher.input(holding.input_command(), holding.reading)

    run(story())


def test_an_error_in_the_midst_of_the_input_is_told_as_the_gateway_told_it(tmp_path):
    async def story() -> None:
        error = ErrorInfo(kind="refused", reason="InputChanged", message="a.txt changed")
        body = _range(0, 0, b"one\n") + b"\xff\xff\xff\xff" + protocol.encode(error)
        async with _input(tmp_path, body) as holding:
            with pytest.raises(InputRefusedError) as refused:
                await holding.fetcher.input(holding.input_command(), holding.reading)
        assert refused.value.error == error

    run(story())


def test_an_error_that_does_not_end_is_not_read_to_its_end(tmp_path):
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"\xff\xff\xff\xff")
        while True:
            await response.write(bytes(1 << 20))

    async def story() -> None:
        async with Holding(tmp_path, {protocol.INPUT_PATH: endless}) as holding:
            with pytest.raises(Unreachable, match="an error of more than"):
                await holding.fetcher.input(holding.input_command(), holding.reading)

    run(story())


def test_a_gateway_that_does_not_accept_the_ticket_is_told_apart_from_one_that_is_away(tmp_path):
    async def refuse(request: web.Request) -> web.StreamResponse:
        raise web.HTTPForbidden

    async def story() -> None:
        async with Holding(tmp_path, {protocol.INPUT_PATH: refuse}) as holding:
            with pytest.raises(TicketRefused):
                await holding.fetcher.input(holding.input_command(), holding.reading)
            await holding.server.close()
            with pytest.raises(Unreachable):
                await holding.fetcher.input(holding.input_command(), holding.reading)

    run(story())


def test_a_file_that_is_cut_short_under_the_server_is_lost_at_once(tmp_path):
    async def story() -> None:
        async with Holding(tmp_path) as holding:
            _write_output(holding.held, 0)
            _write_output(holding.held, 1)
            assert (await holding.segments(0, 1)).lost == ()
            # The server knows the index by now; the bytes are gone.
            os.truncate(holding.held / paths.map_output(map_attempt(1)), 20)
            result = await asyncio.wait_for(holding.segments(0, 1), 30)
        assert [segment.source.task.index for segment in result.arrived] == [0]
        assert [attempt.task.index for attempt, _ in result.lost] == [1]

    run(story())


def test_a_reader_that_goes_away_is_no_error_of_the_server(tmp_path, caplog):
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 20))

    async def story() -> None:
        async with Holding(tmp_path, {protocol.INPUT_PATH: endless}) as holding:
            async with aiohttp.ClientSession() as http:
                response = await http.post(f"http://{holding.address}{protocol.INPUT_PATH}")
                await response.content.read(1)
                response.close()
            await asyncio.sleep(0.1)

    run(story())
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
