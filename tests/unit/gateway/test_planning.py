"""The plan as the gateway reports it: whole, in pages, and refused where it is too large."""

import msgspec
import pytest

from mapreduce import protocol
from mapreduce.plan import FileRange, ListedFile, Split
from mapreduce.protocol import JobContext
from mapreduce.spec import Limits
from mapreduce_worker.gateway import planner
from mapreduce_worker.gateway.planner import PlanTooLarge
from tests.support.gateway_messages import SPEC

MIB = 1 << 20


def listing(*sizes: int) -> list[ListedFile]:
    return [ListedFile(f"in/{n}.txt", f"{n}.txt", size, "mtime:1") for n, size in enumerate(sizes)]


def job(**changes) -> JobContext:
    return JobContext(spec=msgspec.structs.replace(SPEC, **changes), program_digest="digest", serves_input=True)


def test_the_header_carries_the_digest_of_the_program_that_the_gateway_never_sees():
    header, pages = planner.plan(listing(10, 20), job(), "0.1")
    assert (header.program_digest, header.engine_version, header.splits) == ("digest", "0.1", 1)
    assert pages == [(Split(0, tuple(FileRange(file, 0, file.size) for file in listing(10, 20))),)]


def test_pages_hold_all_splits_in_order():
    _, pages = planner.plan(listing(1200 * MIB), job(split_size=MIB), "0.1")
    assert [len(page) for page in pages] == [500, 500, 200]
    assert [split.index for page in pages for split in page] == list(range(1200))


def test_a_page_of_many_small_files_is_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(planner, "PAGE_BYTES", 100_000)
    _, pages = planner.plan(listing(*[1000] * 10_000), job(split_size=MIB), "0.1")
    assert len(pages) > 1
    assert max(len(protocol.encode(page)) for page in pages) < 110_000
    assert sum(len(split.ranges) for page in pages for split in page) == 10_000


def test_an_empty_input_has_no_page():
    assert planner.plan(listing(0), job(), "0.1")[1] == []


def test_a_plan_with_too_many_splits_is_refused_with_a_split_size_that_fits():
    with pytest.raises(PlanTooLarge, match="splitSize of at least"):
        planner.plan(listing(100 * MIB), job(split_size=MIB, limits=Limits(max_splits=10)), "0.1")


def test_a_split_of_too_many_files_to_be_described_is_refused(monkeypatch):
    monkeypatch.setattr(planner, "MAX_SPLIT_BYTES", 10_000)
    with pytest.raises(PlanTooLarge, match="smaller splitSize"):
        planner.plan(listing(*[1] * 10_000), job(), "0.1")
