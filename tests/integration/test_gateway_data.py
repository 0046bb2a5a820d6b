"""What travels between a gateway and workers over real HTTP: input ranges out, parts in."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mapreduce import keys, paths, tickets, values
from mapreduce.plan import FileRange, Split
from mapreduce.protocol import StagePart
from mapreduce_worker.core.events import FetchedInput, FetchInput
from mapreduce_worker.data_server import DataServer, worker_routes
from mapreduce_worker.engine import blocks, formats, part, ranges
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.quarantine import Quarantine
from mapreduce_worker.engine.ranges import list_files
from mapreduce_worker.fetch import Fetcher, InputRefusedError, Unreachable
from mapreduce_worker.gateway.failures import PartUnreadable
from mapreduce_worker.gateway.formats import EngineFormats
from mapreduce_worker.gateway.input_files import InputFiles
from mapreduce_worker.gateway.input_server import input_routes
from mapreduce_worker.gateway.part_fetch import PartFetcher
from mapreduce_worker.gateway.publishing import Abandoned
from mapreduce_worker.gateway.storage import Output, PartFacts, PartToStage, Watch
from mapreduce_worker.gateway.store import PosixStore
from mapreduce_worker.outputs import MapOutputs
from mapreduce_worker.slots import process
from mapreduce_worker.ticketing import TicketBook
from tests.support.outputs import attempt

JOB = "uid-1"
KEY = b"0" * 32


def ticket_book(key: bytes = KEY) -> TicketBook:
    book = TicketBook()
    book.learn(JOB, (key,))
    return book


def make_part(directory: Path, rows: int = 3, address: str = "") -> StagePart:
    source = attempt("reduce", 0)
    words = [f"word-{number:09d}" for number in range(rows)]
    with (directory / paths.reduce_output(source)).open("wb") as file:
        writer = part.Writer(file, "str")
        block = Block([keys.encode(word) for word in words], [values.encode([word, 1]) for word in words])
        for piece in blocks.cut([block]):
            writer.add(piece)
        result = writer.finish()
    return StagePart(
        attempt=attempt("stage", 0),
        partition=0,
        source=source,
        address=address,
        directory=str(directory),
        ticket=ticket_book().mint(tickets.part_scope(str(source))),
        checksum=result.checksum,
        rows=result.rows,
        size=result.size,
    )


async def stage(
    root: Path, work: StagePart, book: TicketBook | None = None, watch: Watch = lambda records, size: True
) -> None:
    """Fetch and stage one part, as a gateway on another disk does."""
    store = PosixStore(root)
    output = Output(store, EngineFormats(store, child=False), uid=JOB, path="wc", partitions=1)
    output.open(())
    facts = PartFacts(checksum=work.checksum, rows=work.rows, size=work.size)
    wanted = PartToStage(attempt=work.attempt, partition=0, source=work.source, facts=facts)
    temporary = output.incoming(wanted)
    async with PartFetcher(store, book or ticket_book(), shared_disk=False) as fetcher:
        await fetcher.fetch(work, output, temporary, watch)
    output.stage(wanted, temporary, 1.0)


def with_worker(scratch: Path, test: Callable[[str], Awaitable[None]]) -> None:
    """Run `test` with the address of a worker that holds the files in `scratch`."""

    async def run() -> None:
        server = DataServer(worker_routes(scratch, ticket_book(), MapOutputs(scratch)))
        port = await server.start("127.0.0.1", 0)
        try:
            await test(f"127.0.0.1:{port}")
        finally:
            await server.close()

    asyncio.run(run())


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.mark.parametrize("rows", [0, 3, 200_000])
def test_a_part_is_fetched_and_staged_byte_by_byte(scratch, root, rows):
    async def test(address: str) -> None:
        work = make_part(scratch, rows, address)
        await stage(root, work)
        staged = root / paths.part(paths.staging("wc", JOB), 0, 0)
        assert staged.read_bytes() == (scratch / paths.reduce_output(work.source)).read_bytes()

    with_worker(scratch, test)


def test_a_ticket_that_is_not_accepted_is_minted_anew_once(scratch, root):
    async def test(address: str) -> None:
        work = make_part(scratch, address=address)
        old = StagePart(**{name: getattr(work, name) for name in work.__struct_fields__} | {"ticket": "old.1.x"})
        await stage(root, old)

    with_worker(scratch, test)


def test_without_a_good_key_the_part_is_not_given(scratch, root):
    async def test(address: str) -> None:
        work = make_part(scratch, address=address)
        old = StagePart(**{name: getattr(work, name) for name in work.__struct_fields__} | {"ticket": ""})
        with pytest.raises(PartUnreadable, match="403"):
            await stage(root, old, ticket_book(b"1" * 32))

    with_worker(scratch, test)


def test_a_part_that_the_worker_does_not_hold_is_unreadable(scratch, root):
    async def test(address: str) -> None:
        work = make_part(scratch, address=address)
        (scratch / paths.reduce_output(work.source)).unlink()
        with pytest.raises(PartUnreadable, match="404"):
            await stage(root, work)

    with_worker(scratch, test)


def test_a_worker_that_is_not_there_is_told_at_once(scratch, root):
    with pytest.raises(PartUnreadable):
        asyncio.run(stage(root, make_part(scratch, address="127.0.0.1:9")))


def test_a_part_longer_than_promised_is_broken_off(scratch, root):
    async def test(address: str) -> None:
        work = make_part(scratch, address=address)
        short = StagePart(**{name: getattr(work, name) for name in work.__struct_fields__} | {"size": 10})
        with pytest.raises(PartUnreadable, match="longer than"):
            await stage(root, short)

    with_worker(scratch, test)


def test_a_part_that_is_not_wanted_any_more_is_broken_off(scratch, root):
    async def test(address: str) -> None:
        work = make_part(scratch, address=address)
        with pytest.raises(Abandoned):
            await stage(root, work, watch=lambda records, size: False)

    with_worker(scratch, test)


# --- input ----------------------------------------------------------------------------------


def fetch_input(files: InputFiles | None, split: Split, scratch: Path, book: TicketBook | None = None) -> FetchedInput:
    """Fetch a split from an input gateway as a worker does."""

    async def run() -> FetchedInput:
        server = DataServer(input_routes(lambda: files, ticket_book()))
        port = await server.start("127.0.0.1", 0)
        ticket = (book or ticket_book()).mint(tickets.INPUT)
        try:
            async with Fetcher(book or ticket_book(), shared_disk=False) as fetcher:
                command = FetchInput(attempt("map"), f"127.0.0.1:{port}", ticket, split)
                fetched = await fetcher.input(command, scratch)
        finally:
            await server.close()
        return fetched

    return asyncio.run(run())


def read_input(root: Path | None, split: Split, scratch: Path) -> bytes:
    """Fetch a split; return the records' bytes."""
    fetched = fetch_input(None if root is None else InputFiles(root, ["*"]), split, scratch)
    data = Path(fetched.path).read_bytes()
    return b"|".join(chunks(data[r.at : r.at + r.length]) for r in fetched.ranges)


def chunks(data: bytes) -> bytes:
    """Return what the chunks hold; in the file each is behind its length."""
    content, at = b"", 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        content, at = content + data[at + 4 : end], end
    return content


def make_split(root: Path, **files: bytes) -> Split:
    for name, content in files.items():
        (root / name).write_bytes(content)
    return Split(0, tuple(FileRange(file, 0, file.size) for file in list_files(root, ["*"])))


def test_a_worker_gets_the_records_of_a_split(scratch, root):
    large = b"".join(b"line %d\n" % number for number in range(300_000))
    assert read_input(root, make_split(root, a=b"one\ntwo\n", b=large), scratch) == b"one\ntwo\n|" + large


def test_a_worker_is_told_that_the_input_changed(scratch, root):
    split = make_split(root, a=b"one\n", b=b"two\n")
    (root / "b").write_bytes(b"other\n")
    with pytest.raises(InputRefusedError) as caught:
        read_input(root, split, scratch)
    assert caught.value.error.reason == "InputChanged"


def test_a_gateway_without_the_input_gives_nothing(scratch, root):
    with pytest.raises(Unreachable, match="404"):
        read_input(None, make_split(root, a=b"one\n"), scratch)


def test_a_line_that_is_too_long_is_left_out_alike_from_a_gateway_and_from_the_disk(scratch, root):
    limit, size = 1000, 5 << 20
    (root / "a").write_bytes(b"one\n" + b"x" * size + b"\ntwo\n")
    (file,) = list_files(root, ["*"])
    split = Split(0, (FileRange(file, 1, file.size),))
    fetched = fetch_input(InputFiles(root, ["*"], limit, skips=True), split, scratch)
    assert Path(fetched.path).stat().st_size < 2 * limit
    local = ranges.read_range(root, split.ranges[0], limit, skips=True)
    told = []
    for offset, chunks in (local, process.fetched_range(fetched, 0)):
        kept = Quarantine(1)
        options = TaskOptions(max_record_bytes=limit, skip_bad_records=1)
        batches = formats.read(file, offset, chunks, options, kept.refuse)
        told.append(([(batch.offset(0), batch.records) for batch in batches], kept.kept))
    assert told[0] == told[1]
    assert told[0][0] == [(size + 5, ["two"])]
    assert [(bad.offset, bad.reason, bad.cut) for bad in told[0][1]] == [(4, "RecordTooLong", True)]
