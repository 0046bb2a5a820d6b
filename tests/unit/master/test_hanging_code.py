"""User code that hangs costs its task an attempt; whoever waits, or moves at all, does not hang."""

import re

from mapreduce.spec import Limits
from tests.support import slow_tasks
from tests.support.master_builder import JobUnderTest


def job_that_allows(seconds, **changes):
    """A job of one map whose code may be without progress for so long."""
    return JobUnderTest(limits=Limits(task_timeout=seconds, attempts_per_task=3), maps=1, **changes).until_mapping()


def beat(job, seconds, reached=lambda second: (0, 0, 0)):
    """Let workers exchange every second, with what their attempts have reached."""
    for second in range(seconds):
        for worker in job.workers:
            worker.reached = dict.fromkeys(worker.active, reached(second))
            worker.request = 0
        job.pass_time(1)


def test_an_attempt_without_progress_is_killed_and_its_task_charged():
    job = job_that_allows(30.0, workers=2)
    beat(job, 28)
    assert job.history("Charged") == []
    beat(job, 8)
    (charged,) = job.history("Charged")
    assert (str(charged.attempt), charged.reason, charged.budget) == ("map-0.e1.0", "NoProgress", "user")
    assert [str(attempt) for _, attempt in job.running("map")] == ["map-0.e1.1"]
    failure = job.status.last_failures[-1]
    assert failure.message.startswith("no progress for 30 s: ")
    assert failure.traceback == "Where it was (most recent call first):"
    assert failure.peak_memory == 7
    assert re.fullmatch(r"job\.py on \S+, bytes 0 to \d+, after 0 records, 0 bytes", failure.where)
    assert job.run_to_the_end() == "Succeeded"


def test_a_call_of_progress_is_enough():
    job = job_that_allows(30.0)
    beat(job, 100, lambda second: (0, 0, second // 20))
    assert job.history("Charged") == []


def test_an_attempt_that_waits_does_not_hang():
    job = job_that_allows(30.0)
    for worker in job.workers:
        worker.waiting.update(worker.active)
    beat(job, 100)
    assert job.history("Charged") == []


def test_code_that_always_hangs_fails_the_job():
    job = job_that_allows(5.0)
    beat(job, 60)
    assert job.phase == "Failed"
    assert job.status.conditions[-1].reason == "NoProgress"


def test_a_worker_that_cannot_end_it_within_a_lease_is_not_waited_for():
    job = job_that_allows(30.0, workers=2)
    for worker in job.workers:
        worker.cannot_kill = True
    beat(job, 32)
    assert job.history("Charged") == []
    beat(job, 16)
    (charged,) = job.history("Charged")
    assert (str(charged.attempt), charged.reason, charged.budget) == ("map-0.e1.0", "NoProgress", "user")
    assert [str(attempt) for _, attempt in job.running("map")] == ["map-0.e1.0", "map-0.e1.1"]


def test_an_attempt_that_moves_again_before_it_was_ended_is_not_charged():
    job = job_that_allows(30.0)
    for worker in job.workers:
        worker.cannot_kill = True
    beat(job, 60, lambda second: (second // 40, 0, 0))
    assert job.history("Charged") == []


def until_charged(job, count):
    """Let time go by until so many hangs were charged."""
    for _ in range(400):
        if len(job.history("Charged")) == count:
            return
        beat(job, 1)
    raise AssertionError(f"{len(job.history('Charged'))} were charged")


def test_a_task_and_its_backup_that_hang_at_the_same_time_are_not_two_workers_that_fail_alike():
    job = slow_tasks.job(limits=Limits(task_timeout=60.0))
    slow_tasks.until_one_is_left(job)
    until_charged(job, 2)
    first, second = job.history("Charged")
    assert (first.message, first.worker != second.worker) == (second.message, True)
    assert job.phase == "Mapping"


def test_a_task_that_hangs_alike_on_another_worker_after_it_was_charged_fails():
    job = slow_tasks.job(limits=Limits(task_timeout=60.0), speculation=False)
    slow_tasks.until_one_is_left(job)
    until_charged(job, 2)
    assert "failed alike on two workers" in job.status.conditions[-1].message
