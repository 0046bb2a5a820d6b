"""What workers use over time is in the history: samples, at first every ten seconds, later fewer."""

import pytest

from mapreduce import history, usage_rows
from mapreduce.history import Frame, HistoryEvent
from mapreduce.protocol import Usage
from mapreduce.usage_rows import Row
from mapreduce_operator.core import policies
from tests.support.master_builder import JobUnderTest


def using(job, worker, *, cores=0.5, mib=100):
    """Let a worker say that it uses so much since its process began."""
    began, exchange = job.mono, worker.exchange

    def with_usage():
        seconds = job.mono - began
        usage = Usage(at_ms=round(seconds * 1000), cpu_ms=round(cores * seconds * 1000), resident=mib << 20)
        body = exchange()
        return type(body)(**{name: getattr(body, name) for name in body.__struct_fields__} | {"usage": usage})

    worker.exchange = with_usage


def working(workers=2):
    job = JobUnderTest(maps=4, workers=workers).until_mapping()
    for worker in job.workers:
        using(job, worker)
    return job


def samples(job):
    return [usage_rows.unpack(event.usage) for event in job.history("Usage")]


def number(job, worker):
    return job.master.book.registry.by_name(worker.name).number


def test_a_sample_has_every_worker_with_what_it_used_since_the_one_before():
    job = working()
    using(job, job.workers[0], cores=1.5, mib=300)
    job.pass_time(25)
    first, second = samples(job)
    one, other = (number(job, worker) for worker in job.workers)
    assert first == second == [Row(one, 1500, 300), Row(other, 500, 100)]


def test_a_worker_that_says_nothing_new_is_left_out():
    job = working()
    job.pass_time(12)
    silent, other = job.workers
    silent.exchange = type(silent).exchange.__get__(silent)
    job.pass_time(20)
    assert [row.number for row in samples(job)[-1]] == [number(job, other)]


def test_where_nobody_says_anything_there_is_no_sample():
    job = JobUnderTest(maps=4).until_mapping()
    job.pass_time(60)
    assert samples(job) == []


def test_a_process_that_was_started_again_begins_anew():
    job = working(workers=1)
    job.pass_time(12)
    (worker,) = job.workers
    worker.start_again()
    using(job, worker, cores=2.0)
    job.pass_time(12)
    assert [rows[0].cpu for rows in samples(job)] == [500, 2000]


@pytest.mark.parametrize(("elapsed", "pause"), [(0, 10), (300, 10), (1200, 20), (86_400, 1440)])
def test_samples_become_fewer_with_time(elapsed, pause):
    assert policies.usage_pause(elapsed) == pause


def test_a_day_has_some_hundred_samples():
    at, count = 0.0, 0
    while at < 86_400:
        at += policies.usage_pause(at)
        count += 1
    assert count < 400


def test_numbers_that_do_not_fit_are_cut():
    assert usage_rows.unpack(usage_rows.pack([Row(1, 1 << 40, 1 << 40), Row(2, -1, 5)])) == [
        Row(1, (1 << 16) - 1, (1 << 32) - 1),
        Row(2, 0, 5),
    ]


def test_a_row_that_is_not_whole_is_left_out():
    assert usage_rows.unpack(usage_rows.pack([Row(1, 2, 3)]) + b"torn") == [Row(1, 2, 3)]


def test_people_read_the_rows_as_lists():
    event = HistoryEvent(event="Usage", wall=1.0, usage=usage_rows.pack([Row(1, 1500, 300)]))
    (line,) = history.parse(b"".join(history.render([Frame(1, 1, event)])))
    assert line["usage"] == [[1, 1500, 300]]


def test_a_worker_that_lies_spoils_its_own_row_only():
    job = working()
    liar, other = job.workers
    exchange = liar.exchange

    def lying():
        body = exchange()
        usage = Usage(at_ms=body.usage.at_ms, cpu_ms=1 << 60, resident=1 << 62)
        return type(body)(**{name: getattr(body, name) for name in body.__struct_fields__} | {"usage": usage})

    liar.exchange = lying
    job.pass_time(12)
    rows = {row.number: row for row in samples(job)[0]}
    assert rows[number(job, liar)].cpu == 65_535
    assert rows[number(job, other)] == Row(number(job, other), 500, 100)
