"""User code may say anything in its worker's name: what cannot be true is acknowledged, and changes nothing."""

from typing import get_args

import msgspec
import pytest

from mapreduce import protocol
from mapreduce.errors import ProtocolError
from mapreduce.ids import AttemptId, TaskId
from mapreduce.plan import PlanHeader
from mapreduce.protocol import (
    AttemptCancelled,
    AttemptFailed,
    Cleaned,
    Exchange,
    MapOutput,
    MapPartSucceeded,
    MapSucceeded,
    Opened,
    OutputSummary,
    PlanFinished,
    Published,
    ReduceSucceeded,
    Report,
    Staged,
)
from mapreduce_operator.core import credible
from tests.support.master_builder import JobUnderTest


def attempt(kind="map", index=0, epoch=1, number=0):
    return AttemptId(TaskId(0, kind, index), epoch, number)


def output(of):
    return MapOutput(attempt=of, checksum="x", rows=1, size=1, key_type="str", key_at="a:0")


def staged(stage, partition=0, source=None):
    source = source or attempt("reduce", partition)
    return Staged(attempt=stage, partition=partition, source=source, checksum="forged", rows=1, size=1)


HEADER = PlanHeader(
    files=1, size=1, splits=1, partitions=1, split_size=1, flush_bytes=1, program_digest="", engine_version=""
)
FORGED = [
    staged(attempt("stage")),
    staged(attempt("map")),
    Published(attempt=attempt("publish"), summary=OutputSummary(path="x", files=1, records=1, size=1, checksum="")),
    Cleaned(attempt=attempt("clean")),
    Opened(attempt=attempt("open"), pages=0),
    PlanFinished(attempt=attempt("plan"), header=HEADER, pages=0),
    # Of an attempt that the worker really has, but of another kind.
    ReduceSucceeded(attempt=attempt("map"), checksum="x", rows=1, size=1, consumed=""),
    PlanFinished(attempt=attempt("map"), header=HEADER, pages=0),
    Published(attempt=attempt("map"), summary=OutputSummary(path="x", files=1, records=1, size=1, checksum="")),
    MapPartSucceeded(attempt=attempt("map"), checksum="x", rows=1, size=1, records=1),
    # Of attempts that nobody gave.
    MapSucceeded(output=output(attempt("map", 77)), records=1),
    MapSucceeded(output=output(attempt("map", 0, number=9)), records=1),
    MapSucceeded(output=output(attempt("map", 0, epoch=7)), records=1),
]


def say(job, worker, outcome):
    worker.report(outcome, ends=False)
    worker.request = 0
    job.settle()
    assert worker.number not in worker.reports, "it was not acknowledged"


@pytest.mark.parametrize("outcome", FORGED, ids=lambda outcome: type(outcome).__name__)
def test_a_worker_s_report_that_cannot_be_true_changes_nothing(outcome):
    job = JobUnderTest(maps=2, reducers=1, workers=1).until_mapping()
    (worker,) = job.workers
    assert attempt("map") in worker.active
    before, told = job.status, list(worker.discarded)
    say(job, worker, outcome)
    assert job.status == before
    assert worker.discarded == told
    assert job.run_to_the_end() == "Succeeded"
    assert [event.checksum for event in job.history("Staged")] == ["p0"]


@pytest.mark.parametrize(
    "outcome",
    [
        staged(attempt("stage", 3), 3),
        staged(attempt("stage", 0), 1),
        staged(attempt("stage", 0), 0, attempt("reduce", 1)),
        staged(attempt("stage", 0), 0, attempt("load")),
    ],
)
def test_what_a_gateway_stages_is_a_partition_of_the_job(outcome):
    job = JobUnderTest(reducers=2).until_reducing()
    say(job, job.gateway, outcome)
    assert job.status.reduces.succeeded == 0
    assert job.run_to_the_end() == "Succeeded"


def test_a_worker_gets_as_many_tasks_as_the_job_has_slots_whatever_it_says():
    job = JobUnderTest(maps=5, reducers=1, workers=1)
    job.settle()
    (worker,) = job.workers
    worker.slots = 1000
    job.register(worker)
    job.until_mapping()
    assert len(worker.active) == job.spec.slots


def test_a_held_output_of_no_attempt_is_not_taken_and_not_discarded():
    job = JobUnderTest(maps=2, reducers=1, workers=1).until_mapping()
    (worker,) = job.workers
    forged = [attempt("map", 1, number=5), attempt("map", 1, epoch=4), attempt("map", 9), attempt("reduce", 0)]
    worker.outputs = {one: output(one) for one in forged}
    job.register(worker)
    job.settle()
    assert job.status.maps.succeeded == 0
    assert worker.discarded == []
    worker.outputs.clear()
    assert job.run_to_the_end() == "Succeeded"


@pytest.mark.parametrize(
    "of",
    [
        attempt(index=-1),
        attempt(index=1 << 31),
        attempt(epoch=-1),
        attempt(epoch=1 << 32),
        attempt(number=1 << 32),
        attempt(number=-1),
    ],
)
def test_an_id_that_no_column_could_hold_is_no_message(of):
    report = Report(number=1, outcome=MapSucceeded(output=output(of), records=1))
    with pytest.raises(ProtocolError, match="Exchange"):
        protocol.decode(protocol.encode(Exchange(epoch=1, seen=0, reports=(report,))), Exchange)


@pytest.mark.parametrize("changes", [{"rows": -1}, {"size": 1 << 63}, {"records": -5}])
def test_an_amount_that_no_sum_could_hold_is_no_message(changes):
    forged = msgspec.structs.replace(output(attempt()), **changes)
    with pytest.raises(ProtocolError, match="Exchange"):
        protocol.decode(protocol.encode(Exchange(epoch=1, seen=0, held=(forged,))), Exchange)


def test_every_kind_of_report_is_judged():
    assert set(get_args(protocol.Outcome)) == {*credible.KINDS, AttemptFailed, AttemptCancelled}
