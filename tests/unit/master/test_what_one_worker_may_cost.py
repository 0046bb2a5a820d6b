"""What one worker says is bounded in what it makes the master do and remember."""

from typing import Any

import pytest

from mapreduce import protocol
from mapreduce.errors import ProtocolError
from mapreduce.ids import AttemptId, TaskId
from mapreduce.protocol import (
    AttemptCancelled,
    AttemptFailed,
    ErrorInfo,
    Exchange,
    MapOutput,
    MapPartSucceeded,
    MapSucceeded,
    Progress,
    ReduceSucceeded,
    Report,
)
from mapreduce_operator.core import answers, attempts, book, exchange, storage
from mapreduce_operator.core.outputs import KEPT_PAGES
from tests.support.master_builder import JobUnderTest


def map_attempt(index, epoch=1, number=0):
    return AttemptId(TaskId(0, "map", index), epoch, number)


def test_reports_beyond_so_many_wait_for_the_next_exchange():
    job = JobUnderTest(maps=2, reducers=1, workers=1).until_mapping()
    (worker,) = job.workers
    for _ in range(exchange.REPORTS_AT_ONCE + 10):
        worker.report(AttemptCancelled(attempt=map_attempt(0, epoch=0)), ends=False)
    number = worker.number
    worker.request = 0
    job.exchange(worker)
    assert worker.answers[-1].acknowledged == number - 10
    job.settle()
    assert worker.answers[-1].acknowledged == number
    assert job.run_to_the_end() == "Succeeded"


def test_results_to_delete_are_remembered_up_to_a_number_and_named_in_pages():
    job = JobUnderTest(maps=2, reducers=1, workers=1).until_mapping()
    (worker,) = job.workers
    record = job.master.book.registry.by_name(worker.name)
    assert record is not None
    for number in range(attempts.DISCARDS + 1000):
        attempts.discard(job.master.book, record, map_attempt(0, number=number))
    assert len(record.discard) == attempts.DISCARDS
    job.pass_time(0.5)
    assert len(worker.discarded) == attempts.DISCARDS
    assert max(len(answer.discard) for answer in worker.answers) == answers.DISCARD_PAGE


def test_pages_of_locations_are_not_kept_for_every_version_that_somebody_names():
    job = JobUnderTest(maps=2 * KEPT_PAGES, reducers=1, workers=1).until_reducing()
    outputs, registry = job.master.book.outputs, job.master.book.registry
    for seen in range(outputs.version):
        outputs.since(seen, registry)
    assert len(outputs._pages[1]) <= KEPT_PAGES


@pytest.mark.parametrize(
    "fields",
    [
        {"running": tuple(Progress(attempt=map_attempt(index)) for index in range(10_001))},
        {
            "reports": tuple(
                Report(number=index, outcome=AttemptCancelled(attempt=map_attempt(0))) for index in range(10_001)
            )
        },
        {"locations_seen": -1},
    ],
)
def test_a_message_with_more_than_any_worker_has_to_say_is_refused(fields):
    with pytest.raises(ProtocolError, match="Exchange"):
        protocol.decode(protocol.encode(Exchange(epoch=1, seen=0, **fields)), Exchange)


def test_a_map_output_with_more_counters_than_a_job_can_have_is_refused():
    counters = {f"name-{number}": 1 for number in range(51)}
    output = MapOutput(attempt=map_attempt(0), checksum="x", rows=1, size=1, key_type="str", counters=counters)
    report = Report(number=1, outcome=MapSucceeded(output=output, records=1))
    with pytest.raises(ProtocolError, match="Exchange"):
        protocol.decode(protocol.encode(Exchange(epoch=1, seen=0, reports=(report,))), Exchange)


@pytest.mark.parametrize("field", ["checksum", "consumed"])
def test_a_digest_of_a_part_that_is_none_is_refused(field):
    digests = {"checksum": "x", "consumed": "y"} | {field: "z" * 101}
    part = ReduceSucceeded(attempt=AttemptId(TaskId(0, "reduce", 0), 1, 0), rows=1, size=1, **digests)
    report = Report(number=1, outcome=part)
    with pytest.raises(ProtocolError, match="Exchange"):
        protocol.decode(protocol.encode(Exchange(epoch=1, seen=0, reports=(report,))), Exchange)


@pytest.mark.parametrize("counters", [{"c" * 101: 1}, {str(number): 1 for number in range(51)}])
@pytest.mark.parametrize("kind", ["map", "part", "reduce"])
def test_counters_that_no_program_can_have_are_refused(kind, counters):
    said = {"attempt": map_attempt(0), "checksum": "x", "rows": 1, "size": 1, "counters": counters}
    outcome: Any = {
        "map": lambda: MapSucceeded(output=MapOutput(key_type="str", **said), records=1),
        "part": lambda: MapPartSucceeded(records=1, **said),
        "reduce": lambda: ReduceSucceeded(consumed="y", **said),
    }[kind]()
    with pytest.raises(ProtocolError, match="counters"):
        protocol.decode(
            protocol.encode(Exchange(epoch=1, seen=0, reports=(Report(number=1, outcome=outcome),))), Exchange
        )


def test_a_reason_that_is_no_word_is_refused():
    error = ErrorInfo(kind="user", reason="x" * 101, message="m")
    report = Report(number=1, outcome=AttemptFailed(attempt=map_attempt(0), error=error))
    with pytest.raises(ProtocolError, match="Exchange"):
        protocol.decode(protocol.encode(Exchange(epoch=1, seen=0, reports=(report,))), Exchange)


def test_of_a_failure_so_much_text_is_kept_and_no_more():
    job = JobUnderTest(maps=2, reducers=1, workers=1).until_mapping()
    worker, attempt = job.running("map")[0]
    texts = dict.fromkeys(("message", "where", "traceback", "log_tail"), "x" * 1000000)
    worker.fail(attempt, **texts)
    worker.request = 0
    job.settle()
    (failure,) = job.status.last_failures
    assert {len(text) for text in (failure.message, failure.where, failure.traceback, failure.output)} == {16_384}


@pytest.mark.parametrize("kind", ["user", "refused", "disruption"])
def test_what_is_told_of_a_failure_is_bounded_wherever_it_is_told(kind):
    job = JobUnderTest(maps=2, reducers=1, workers=1).until_mapping()
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, kind=kind, message="x" * 1_000_000, where="y" * 1_000_000)
    worker.request = 0
    job.settle()
    told = [announced.message for announced in job.announced]
    told += [condition.message for condition in job.status.conditions]
    told += [entry.message for entry in job.history("Failed")]
    assert 2000 <= max(map(len, told)) < 40_000


def test_why_a_journal_cannot_be_written_is_kept_in_short():
    master = JobUnderTest(maps=2, reducers=1, workers=1).until_mapping().master
    storage.note_journal_trouble(master.book, "x" * 1_000_000)
    assert master.book.journal_trouble is not None
    assert len(master.book.journal_trouble.message) == storage.TROUBLE_KEPT


def test_a_worker_that_says_something_new_each_time_is_told_of_a_thousand_times():
    job = JobUnderTest(maps=2, reducers=1, workers=1).until_mapping()
    (worker,) = job.workers
    for number in range(book.MOST_ANNOUNCED + 100):
        job.register(worker, engine=f"odd-{number}")
    assert len(job.master.book.announced) == book.MOST_ANNOUNCED
