"""The gateway's assignments on a real folder, with the engine's own parts."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mapreduce import history, keys, paths, values
from mapreduce.bad_records import BadRecord
from mapreduce.errors import SystemFault
from mapreduce.protocol import (
    Cleaned,
    CleanUp,
    JobContext,
    MakePlan,
    Opened,
    OpenOutput,
    PlanFinished,
    Published,
    PublishOutput,
    Staged,
    StagePart,
)
from mapreduce.spec import Limits
from mapreduce_worker.client import MasterClient
from mapreduce_worker.engine import part, part_lines
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.failure import InputNotFound
from mapreduce_worker.gateway import formats, operations
from mapreduce_worker.gateway.core.operations import Broke
from mapreduce_worker.gateway.failures import PartUnreadable, describe
from mapreduce_worker.gateway.operations import Operations
from mapreduce_worker.gateway.reservation import OutputInside
from mapreduce_worker.gateway.shell import Gateway
from mapreduce_worker.settings import Settings
from mapreduce_worker.ticketing import TicketBook
from tests.support.gateway_messages import SPEC, make_plan, open_output, publish
from tests.support.outputs import attempt, opened_epoch

WORDS = (("a", "d"), ("b", "c", "e"))


MANY = tuple(f"{number:03}" for number in range(200))


def write_part(directory: Path, partition: int, words: tuple[str, ...]) -> StagePart:
    source = attempt("reduce", partition)
    path = directory / paths.reduce_output(source)
    with path.open("wb") as file:
        writer = part.Writer(file, "str")
        rows = [(keys.encode(word), values.encode([word, len(word)])) for word in words]
        writer.add(Block([key for key, _ in rows], [value for _, value in rows]))
        result = writer.finish()
    return StagePart(
        attempt=attempt("stage", partition),
        partition=partition,
        source=source,
        address="127.0.0.1:1",
        directory=str(directory),
        ticket="",
        checksum=result.checksum,
        rows=result.rows,
        size=result.size,
    )


class Job:
    """One gateway on a folder with `in/`, `results/` and a worker's `scratch/` on the same disk."""

    def __init__(self, root: Path) -> None:
        for name in ("in", "results", "scratch"):
            (root / name).mkdir()
        self.root = root
        settings = Settings(
            master="http://127.0.0.1:1",
            role="gateway",
            scratch=root / "scratch",
            root_input=root,
            root_output=root,
            shared_disk=True,
        )
        spec = msgspec.structs.replace(SPEC, reducers=len(WORDS), limits=Limits())
        self.operations = Operations(settings, TicketBook())
        self.operations.job = JobContext(spec=spec, program_digest="d", serves_input=True, serves_output=True)

    def do(self, work: OpenOutput | MakePlan | StagePart | PublishOutput | CleanUp, wanted: bool = True) -> Any:
        """Carry out one assignment and return its last report."""
        return asyncio.run(self.operations.perform(work, lambda records, size: wanted)).outcomes[-1]


@pytest.fixture
def job(tmp_path) -> Job:
    return Job(tmp_path)


@pytest.mark.parametrize(
    ("words", "order", "most", "expected"),
    [
        (MANY, "hash", 1 << 20, 1),
        (MANY[:20], "hash", 1 << 20, 0),
        (MANY, "total", 1 << 20, 0),
        (MANY, "hash", 1000, 0),
    ],
    ids=["many rows", "few rows", "parts that follow each other", "a child merges"],
)
def test_what_a_merge_of_columns_needs_is_imported_once_while_parts_still_come(
    job, monkeypatch, words, order, most, expected
):
    begun: list[int] = []
    monkeypatch.setattr(operations, "warm_up_columns", lambda: begun.append(1))
    monkeypatch.setattr(formats, "CHILD_FROM", most)
    assert job.operations.job is not None
    spec = msgspec.structs.replace(job.operations.job.spec, order=order)
    job.operations.job = msgspec.structs.replace(job.operations.job, spec=spec)
    job.do(open_output())
    job.operations.output().append([opened_epoch()])
    for partition in range(len(WORDS)):
        job.do(write_part(job.root / "scratch", partition, words))
    assert len(begun) == expected


def test_a_job_goes_from_parts_to_its_published_directory(job):
    assert job.do(open_output()) == Opened(attempt=open_output().attempt, pages=0)
    job.operations.output().append([opened_epoch()])
    for partition, words in enumerate(WORDS):
        work = write_part(job.root / "scratch", partition, words)
        staged = job.do(work)
        assert staged == Staged(
            attempt=work.attempt,
            partition=partition,
            source=work.source,
            checksum=work.checksum,
            rows=work.rows,
            size=work.size,
        )
    published = job.do(publish(through=1))
    assert isinstance(published, Published)
    output = job.root / "results" / "wc"
    assert (output / "output.tsv").read_bytes() == b"a\t1\nb\t1\nc\t1\nd\t1\ne\t1\n"
    assert published.summary.records == 5
    events = history.parse((output / paths.EVENTS).read_bytes())
    assert [event["event"] for event in events] == ["EpochOpened", "Staged", "Staged", "Publishing"]
    manifest = msgspec.json.decode((output / paths.MANIFEST).read_bytes())
    assert manifest["uid"] == SPEC.uid
    assert manifest["output"]["checksum"] == published.summary.checksum
    assert {path.name for path in (job.root / "results").iterdir()} == {"wc"}
    assert job.do(open_output(number=1)) == Opened(
        attempt=open_output(number=1).attempt, pages=0, published=True, summary=published.summary
    )


def test_bad_records_are_published_beside_the_data_and_the_manifest_names_their_file(job):
    work = [write_part(job.root / "scratch", number, words) for number, words in enumerate(WORDS)]
    job.do(open_output())
    job.operations.output().append([opened_epoch()])
    for stage in work:
        job.do(stage)
    bad = tuple(BadRecord(file="a", offset=at, reason="UserCodeFailed", message="ValueError: no") for at in (3, 9))
    report = job.do(msgspec.structs.replace(publish(), bad=bad))
    published = job.root / report.summary.path
    kept = (published / paths.BAD_RECORDS).read_bytes()
    assert [msgspec.json.decode(line, type=BadRecord) for line in kept.splitlines()] == list(bad)
    manifest = msgspec.json.decode((published / paths.MANIFEST).read_bytes())
    checksum = f"sha256:{hashlib.sha256(kept).hexdigest()}"
    named = {"name": "_bad_records.jsonl", "records": 2, "size": len(kept), "checksum": checksum}
    assert (manifest["bad_records"], report.summary.bad_records) == (named, 2)


def test_the_lock_names_who_the_master_says_judges(job):
    job.do(msgspec.structs.replace(open_output(), judge="ours"))
    assert (job.root / paths.lock(SPEC.output)).read_bytes() == b"uid-1\t0\tours\n"
    assert job.operations.output().append([opened_epoch()]) == 1
    job.do(CleanUp(attempt=attempt("clean"), mode="deleted"))
    assert list((job.root / "results").iterdir()) == []


def test_a_damaged_part_is_not_staged(job):
    job.do(open_output())
    work = write_part(job.root / "scratch", 0, WORDS[0])
    path = job.root / "scratch" / paths.reduce_output(work.source)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(PartUnreadable) as caught:
        job.do(work)
    assert describe(caught.value).reason == "SegmentUnreadable"
    staging = job.root / paths.staging(SPEC.output, SPEC.uid)
    assert [path.name for path in staging.rglob("*part*") if path.is_file()] == []


def test_a_part_that_is_gone_is_the_workers_loss(job):
    job.do(open_output())
    work = write_part(job.root / "scratch", 0, WORDS[0])
    (job.root / "scratch" / paths.reduce_output(work.source)).unlink()
    with pytest.raises(PartUnreadable):
        job.do(work)


def test_a_part_of_another_attempt_than_promised_is_not_staged(job):
    job.do(open_output())
    work = msgspec.structs.replace(write_part(job.root / "scratch", 0, WORDS[0]), checksum="xxh3:other")
    with pytest.raises(PartUnreadable):
        job.do(work)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({}, "parts of this job are merged by the keys of their rows"),
        ({"merge": "none", "output_format": "jsonl"}, "lines of tsv, where the output has jsonl"),
        ({"order": "total", "output_format": "parquet"}, "lines of tsv, where the output has parquet"),
        ({"merge": "none"}, None),
        ({"order": "total"}, None),
    ],
)
def test_lines_are_staged_only_where_they_can_be_published(job, spec, told):
    context = job.operations.job
    job.operations.job = msgspec.structs.replace(context, spec=msgspec.structs.replace(context.spec, **spec))
    job.do(open_output())
    rows = write_part(job.root / "scratch", 0, WORDS[0])
    path = job.root / "scratch" / paths.reduce_output(rows.source)
    with path.open("wb") as file:
        writer = part_lines.LinesWriter(file, "tsv", "str", own=True)
        writer.add(Block([keys.encode("a")], [1], packed=False))
        made = writer.finish()
    work = msgspec.structs.replace(rows, checksum=made.checksum, rows=made.rows, size=made.size)
    if told is None:
        job.do(work)
        return
    with pytest.raises(PartUnreadable, match=told):
        job.do(work)


def test_publishing_without_every_part_is_a_fault(job):
    job.do(open_output())
    job.do(write_part(job.root / "scratch", 0, WORDS[0]))
    with pytest.raises(SystemFault, match="1 of 2 parts"):
        job.do(publish())


def test_publishing_that_is_not_wanted_any_more_leaves_nothing_under_the_final_name(job):
    job.do(open_output())
    for partition, words in enumerate(WORDS):
        job.do(write_part(job.root / "scratch", partition, words))
    with pytest.raises(SystemFault):
        job.do(publish(), wanted=False)
    assert not (job.root / "results" / "wc").exists()
    job.do(CleanUp(attempt=attempt("clean"), mode="deleted"))
    assert list((job.root / "results").iterdir()) == []


def test_after_a_failure_only_the_history_is_left(job):
    job.do(open_output())
    job.operations.output().append([opened_epoch()])
    job.do(write_part(job.root / "scratch", 0, WORDS[0]))
    assert job.do(CleanUp(attempt=attempt("clean"), mode="failed")) == Cleaned(attempt=attempt("clean"))
    files = [
        str(path.relative_to(job.root / "results")) for path in (job.root / "results").rglob("*") if path.is_file()
    ]
    assert sorted(files) == [f".wc.{SPEC.uid}/{name}" for name in (paths.EVENTS, paths.JOB, paths.REPORT)]


def test_the_plan_lists_the_input(job):
    (job.root / "in" / "b.txt").write_bytes(b"two\n")
    (job.root / "in" / "a.txt").write_bytes(b"one\n")
    finished = job.do(make_plan())
    assert isinstance(finished, PlanFinished)
    assert (finished.header.files, finished.header.size, finished.pages) == (2, 8, 1)


def test_the_files_of_a_config_map_are_known_by_their_content(job):
    folder = job.root / "..2026_01_01"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"one\n")
    (job.root / "..data").symlink_to(folder.name)
    (job.root / "in" / "a.txt").symlink_to("../..data/a.txt")
    page, finished = asyncio.run(job.operations.perform(make_plan(), lambda records, size: True)).outcomes
    assert finished.header.files == 1
    assert page.splits[0].ranges[0].file.identity.startswith("sha256:")


def test_an_input_that_matches_nothing_is_refused(job):
    with pytest.raises(InputNotFound) as caught:
        job.do(make_plan())
    error = describe(caught.value)
    assert (error.kind, error.reason) == ("refused", "InputNotFound")


def test_a_gateway_without_the_output_refuses_to_open_it(job):
    job.operations.job = msgspec.structs.replace(job.operations.job, serves_output=False)
    with pytest.raises(SystemFault, match="does not serve the output"):
        job.do(open_output())


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (("results/wc/in",), "is inside the output"),
        (("results/wc",), "is inside the output"),
        (("results/link/in",), "is inside the output"),
        (("in", "results"), "lies in the input 'results'"),
        (("in", "**/*.tsv"), "lies in the input"),
        (("in", "results/w?/output.*"), "lies in the input"),
    ],
)
def test_an_output_is_not_replaced_by_a_job_that_reads_from_it(job, inputs, said):
    (job.root / "in" / "a.txt").write_bytes(b"x\n")
    (job.root / "in" / "b.tsv").write_bytes(b"x\n")
    (job.root / "results" / "other").write_bytes(b"x\n")
    (job.root / "results" / "ww").mkdir()
    (job.root / "results" / "ww" / "output.csv").write_bytes(b"x\n")
    if said == "is inside the output":
        (job.root / "results" / "wc").mkdir()
        (job.root / "results" / "wc" / "in").write_bytes(b"precious\n")
        (job.root / "results" / "link").symlink_to("wc")
    context = job.operations.job
    spec = msgspec.structs.replace(context.spec, inputs=inputs, overwrite="replace")
    job.operations.job = msgspec.structs.replace(context, spec=spec)
    with pytest.raises(OutputInside, match=said) as caught:
        job.do(make_plan())
    assert (describe(caught.value).kind, describe(caught.value).reason) == ("refused", "InvalidSpec")


@pytest.mark.parametrize("overwrite", ["refuse", "replace"])
@pytest.mark.parametrize("inputs", [("in", "results"), ("in", "**"), ("in", "results/w?/*"), (".",)])
def test_an_output_is_not_made_inside_the_input(job, inputs, overwrite):
    (job.root / "in" / "a.txt").write_bytes(b"x\n")
    (job.root / "results" / "ww").mkdir(parents=True)
    (job.root / "results" / "ww" / "b").write_bytes(b"x\n")
    context = job.operations.job
    spec = msgspec.structs.replace(context.spec, inputs=inputs, overwrite=overwrite)
    job.operations.job = msgspec.structs.replace(context, spec=spec)
    with pytest.raises(OutputInside, match="lies in the input") as caught:
        job.do(make_plan())
    assert (describe(caught.value).kind, describe(caught.value).reason) == ("refused", "InvalidSpec")


@pytest.mark.parametrize("overwrite", ["refuse", "replace"])
@pytest.mark.parametrize("inputs", [("in",), ("in/*",), ("results/*.tsv",), ("**/*.txt",), ("results/other",)])
def test_an_output_may_be_beside_the_input(job, inputs, overwrite):
    (job.root / "in" / "a.txt").write_bytes(b"x\n")
    (job.root / "results" / "b.tsv").write_bytes(b"x\n")
    (job.root / "results" / "other").write_bytes(b"x\n")
    context = job.operations.job
    spec = msgspec.structs.replace(context.spec, inputs=inputs, overwrite=overwrite)
    job.operations.job = msgspec.structs.replace(context, spec=spec)
    assert isinstance(job.do(make_plan()), PlanFinished)


class Panic(BaseException):
    """What Polars raises where its own code panics: no `Exception`."""


@pytest.mark.parametrize("error", [Panic("index out of bounds"), ValueError("index out of bounds"), MemoryError()])
def test_whatever_an_operation_raises_is_told_to_the_master(tmp_path, monkeypatch, error):
    async def run() -> Any:
        settings = Settings(master="http://127.0.0.1:1", role="gateway", scratch=tmp_path)
        gateway = Gateway(settings, MasterClient("http://127.0.0.1:1", lambda: ""), TicketBook())
        gateway._operations = Operations(settings, TicketBook())

        async def perform(work: Any, watch: Any) -> Any:
            raise error

        monkeypatch.setattr(gateway._operations, "perform", perform)
        await gateway._perform(publish())
        return gateway._loop._inbox.get_nowait()

    broke = asyncio.run(run())
    assert isinstance(broke, Broke)
    assert broke.error.reason == "InternalError"
    assert str(error) in broke.error.message
