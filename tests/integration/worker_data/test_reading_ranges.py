"""Ranges of keys of a map output whose keys have a total order, between a real server and a client."""

from pathlib import Path
from unittest import mock

import pytest

from mapreduce import paths, protocol, tickets
from mapreduce.boundaries import ALL, KeyRange
from mapreduce.ids import AttemptId
from mapreduce.protocol import Holder, ReadSegments
from mapreduce_worker.core.events import FetchedSegment, FetchSegments, SegmentsArrived
from mapreduce_worker.data_server import DataServer, worker_routes
from mapreduce_worker.engine import map_output, ordered
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.fetch import Fetcher
from mapreduce_worker.outputs import MapOutputs
from mapreduce_worker.ticketing import TicketBook
from tests.support.slot_bench import run
from tests.support.worker_messages import map_attempt, reduce_attempt

KEYS = [b"%03d" % number for number in range(0, 400, 2)]
RANGES = [
    KeyRange(b"", b"100"),
    KeyRange(b"100", b"101"),
    KeyRange(b"101", b"102"),
    KeyRange(b"101", b"300"),
    KeyRange(b"300", None),
    KeyRange(b"", b""),
    ALL,
]


def write_ordered(folder: Path, attempt: AttemptId) -> None:
    """Write a map output of many small blocks."""
    with mock.patch.object(map_output, "BLOCK_BYTES", 40), (folder / paths.map_output(attempt)).open("wb") as file:
        writer = map_output.Writer(file, notes=ordered.Notes(4, lambda key: key))
        writer.segment([Block(KEYS, [b"\x01"] * len(KEYS))])
        writer.finish("bytes", "a.txt:0")


async def fetched(folder: Path, wanted: KeyRange, *, shared: bool) -> SegmentsArrived:
    """Fetch a range of the outputs of two maps, of which the holder has one."""
    book = TicketBook()
    book.learn("job", (b"key",))
    server = DataServer(worker_routes(folder, book, MapOutputs(folder)))
    port = await server.start("127.0.0.1", 0)
    try:
        async with Fetcher(book, shared_disk=shared) as fetcher:
            command = FetchSegments(
                attempt=reduce_attempt(3),
                fetch=1,
                holder=Holder(
                    number=0, worker="w", address=f"127.0.0.1:{port}", directory=str(folder) if shared else ""
                ),
                ticket=tickets.mint(b"key", "job", tickets.partition_scope(0, 3), 2e9),
                request=ReadSegments(step=0, partition=3, maps=(map_attempt(0), map_attempt(1)), range=wanted),
            )
            return await fetcher.segments(command, folder / "reading")
    finally:
        await server.close()


def keys_of(segment: FetchedSegment, wanted: KeyRange) -> list[bytes]:
    """Return the keys of the range that a reduce reads of a segment."""
    place = (segment.offset, segment.length, segment.rows, segment.crc)
    file = map_output.SegmentFile(Path(segment.path), *place, wanted)
    return [key for block in map_output.read(file) for key in block.keys]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("wanted", RANGES, ids=str)
def test_a_range_arrives_whole_with_little_beside_it(tmp_path: Path, wanted: KeyRange, shared: bool) -> None:
    write_ordered(tmp_path, map_attempt(0))
    result = run(fetched(tmp_path, wanted, shared=shared))
    (segment,) = result.arrived
    assert [attempt for attempt, _ in result.lost] == [map_attempt(1)]
    expected = [key for key in KEYS if key >= wanted.low and (wanted.high is None or key < wanted.high)]
    assert keys_of(segment, wanted) == expected
    assert segment.rows <= len(expected) + 30


def test_a_block_that_is_damaged_on_the_holders_disk_is_lost(tmp_path: Path) -> None:
    write_ordered(tmp_path, map_attempt(0))
    path = tmp_path / paths.map_output(map_attempt(0))
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    result = run(fetched(tmp_path, KeyRange(b"", b"100"), shared=False))
    assert result.arrived == ()
    assert {attempt.task.index for attempt, _ in result.lost} == {0, 1}
    assert len(run(fetched(tmp_path, KeyRange(b"300", None), shared=False)).arrived) == 1


def test_a_request_from_before_there_were_ranges_asks_for_all() -> None:
    old = {"step": 0, "partition": 1, "maps": []}
    assert protocol.decode(protocol.encode(old), ReadSegments).range == ALL
