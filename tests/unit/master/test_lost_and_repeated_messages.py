"""A message that is lost is said again; one that comes twice counts once."""

import itertools

from mapreduce_operator.core import events
from tests.support.master_builder import JobUnderTest


def test_an_assignment_in_a_lost_answer_is_sent_again():
    job = JobUnderTest(maps=1, workers=1)
    job.settle()
    worker, load = job.running("load")[0]
    worker.answers_to_lose = 2
    job.finish(worker, load)
    assert [str(attempt) for _, attempt in job.running("map")] == ["map-0.e1.0"]
    assert len([event for event in job.history("Assigned") if event.task.kind == "map"]) == 1


def test_what_a_lost_answer_said_is_said_again_without_waiting_for_the_beat():
    job = JobUnderTest(maps=1, workers=2).until_mapping()
    idle = next(worker for worker in job.workers if not worker.active)
    busy = next(worker for worker in job.workers if worker.active)
    idle.answers_to_lose = 1
    job.kill(busy)
    assert [str(attempt) for attempt in idle.active] == ["map-0.e1.1"]


def test_pages_of_the_journal_that_come_twice_count_once():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    for number in range(2):
        worker, attempt = job.running("map")[0]
        worker.fail(attempt, message=f"ValueError: {number}")
        worker.request = 0
        job.settle()
    job.losses = itertools.chain([0, 1, 1, 1, 0, 1, 1, 1], itertools.repeat(0))
    job.restart_master()
    job.settle()
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, message="ValueError: 2")
    worker.request = 0
    job.settle()
    assert job.phase == "Mapping"
    assert job.run_to_the_end() == "Succeeded"


def test_an_assignment_that_was_seen_and_never_begun_goes_back_uncharged():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    worker, attempt = job.running("map")[0]
    del worker.active[attempt]
    worker.request = 0
    job.settle()
    job.pass_time(4)
    lost = job.history("Lost")
    assert [(event.attempt, event.budget) for event in lost] == [(attempt, "disruption")]
    assert job.history("Charged") == []
    assert [str(attempt) for _, attempt in job.running("map")] == ["map-0.e1.1"]
    assert job.history("Charged") == []


def test_a_report_that_comes_twice_is_applied_once():
    job = JobUnderTest(maps=2, workers=1).until_mapping()
    worker, attempt = job.running("map")[0]
    worker.succeed(attempt)
    worker.answers_to_lose = 3
    worker.request = 0
    job.settle()
    assert [event.attempt for event in job.history("Finished") if event.task.kind == "map"] == [attempt]
    assert job.status.maps.succeeded == 1


def test_a_late_report_of_an_attempt_that_is_not_wanted_is_acknowledged_and_deleted():
    job = JobUnderTest(maps=1, workers=2).until_mapping()
    slow, attempt = job.running("map")[0]
    job.see(slow, state="ending")
    other = next(worker for worker in job.workers if worker is not slow and worker.active)
    slow.answers_to_lose = 1
    job.finish(other, next(iter(other.active)))
    if attempt in slow.active:
        job.finish(slow, attempt)
    job.settle()
    assert slow.reports == {}
    assert job.status.maps.succeeded == 1
    assert job.run_to_the_end() == "Succeeded"


def test_what_nobody_knows_is_cancelled_until_it_is_gone():
    job = JobUnderTest(maps=2, workers=1, slots=2).until_mapping()
    worker, attempt = job.running("map")[0]
    stranger = type(attempt)(attempt.task, 1, 77)
    worker.active[stranger] = worker.active[attempt]
    worker.request = 0
    job.settle()
    assert stranger not in worker.active
    assert attempt in worker.active


def test_a_job_ends_well_although_every_other_answer_is_lost():
    job = JobUnderTest(maps=4, reducers=2)
    job.losses = itertools.cycle([0, 1])
    assert job.run_to_the_end() == "Succeeded"
    assert job.store.staged_times == {0: 1, 1: 1}
    assert [event for event in job.history("Lost") if event.task.kind != "plan"] == []


def test_a_pause_of_the_master_costs_nobody_the_lease():
    job = JobUnderTest().until_mapping()
    job.mono += 100.0
    job.tell(events.Ticked())
    job.settle()
    assert job.history("WorkerLost") == []
    assert job.run_to_the_end() == "Succeeded"
