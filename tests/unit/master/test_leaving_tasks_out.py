"""Up to `max_failed_tasks` tasks may spend their budget and be left out; status, manifest and history name them."""

import json

import pytest

from mapreduce.spec import Limits
from tests.support.master_builder import JobUnderTest


def job_that_may_lose(count, **changes):
    """A job that goes on without `count` tasks."""
    return JobUnderTest(limits=Limits(max_failed_tasks=count, attempts_per_task=2), **changes)


def is_running(job, task):
    """Whether some worker has an attempt of a task."""
    return any(str(attempt.task) == task for _, attempt in job.running(task.split("-")[0]))


def spend(job, task):
    """Let every attempt of a task fail, and everything else succeed, until its budget is spent."""
    for _ in range(60):
        for worker in job.workers:
            for attempt in list(worker.active):
                if str(attempt.task) == task and attempt not in worker.waiting:
                    worker.fail(attempt, message=f"ValueError {attempt.number}")
                    worker.request = 0
                    job.settle()
                elif worker.alive and worker.can_finish(attempt) and not is_running(job, task):
                    job.finish(worker, attempt)
        if job.history("LeftOut") or job.ended:
            return
        job.pass_time(0.5)
    raise AssertionError(f"{task} never spent its budget: {job.status}")


def test_by_default_the_first_task_that_spends_its_budget_fails_the_job():
    job = job_that_may_lose(0)
    spend(job, "map-0")
    assert job.phase == "Failed"


def test_a_map_is_left_out_and_the_reduces_do_not_wait_for_it():
    job = job_that_may_lose(1, maps=3)
    spend(job, "map-1")
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.failed_tasks == ("map-1",)
    assert (job.status.maps.succeeded, job.status.maps.failed, job.status.records) == (2, 1, 20)
    assert job.status.counters == {"maps": 2, "reduces": 2}
    assert json.loads(job.store.manifest)["left_out"] == ["map-1"]
    complete = next(found for found in job.status.conditions if found.type == "Complete")
    assert complete.message == "the output is published, but without map-1, which failed"
    (event,) = job.history("LeftOut")
    assert (str(event.task), event.reason) == ("map-1", "UserCodeFailed")
    assert "ValueError 1" in event.message


@pytest.mark.parametrize("has_reduce", [True, False])
def test_a_part_of_a_task_that_is_left_out_is_not_published(has_reduce):
    job = job_that_may_lose(1, maps=3, reducers=3, has_reduce=has_reduce)
    job.held.add("publish")
    spend(job, "reduce-2" if has_reduce else "map-2")
    for _ in range(20):
        job.work()
    (work,) = [work for work in job.gateway.active.values() if work.attempt.task.kind == "publish"]
    assert (work.parts, work.left_out) == (3, (2,))
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert sorted(job.store.staged) == [0, 1]


def test_one_task_more_than_are_allowed_fails_the_job():
    job = job_that_may_lose(1, maps=3)
    spend(job, "map-0")
    assert job.ended is None
    for _ in range(2):
        while not (found := [run for run in job.running("map") if str(run[1].task) == "map-2"]):
            job.work()
        worker, attempt = found[0]
        worker.fail(attempt, message=f"KeyError {attempt.number}")
        worker.request = 0
        job.settle()
        job.pass_time(1)
    assert job.phase == "Failed"
    assert "map-2" in job.status.conditions[-1].message


def test_after_a_restart_what_is_left_out_stays_out():
    job = job_that_may_lose(1, maps=3)
    spend(job, "map-1")
    job.pass_time(2)
    given = len([event for event in job.history("Assigned") if str(event.task) == "map-1"])
    job.restart_master()
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.failed_tasks == ("map-1",)
    assert len([event for event in job.history("Assigned") if str(event.task) == "map-1"]) == given


def test_a_master_that_died_between_the_last_charge_and_leaving_the_task_out_is_followed_by_one_that_does():
    job = job_that_may_lose(1, maps=2)
    spend(job, "map-1")
    job.pass_time(2)
    job.store.frames = [frame for frame in job.store.frames if getattr(frame.entry, "event", "") != "LeftOut"]
    job.gateway.alive = False
    job.restart_master()
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.failed_tasks == ("map-1",)
    assert [str(event.task) for event in job.history("LeftOut")] == ["map-1"]


def test_a_map_that_a_reduce_has_read_is_not_left_out_for_the_others():
    job = job_that_may_lose(2, maps=2, reducers=2, workers=1).until_reducing()
    job.work()
    job.pass_time(2)
    assert list(job.store.staged) == [0]
    job.kill(job.workers[0])
    spend(job, "map-0")
    assert job.phase == "Failed"


def test_what_a_map_gave_before_it_was_left_out_is_not_wanted():
    job = job_that_may_lose(1, maps=2, workers=2, reducers=1).until_mapping()
    worker, attempt = next(found for found in job.running("map") if found[1].task.index == 0)
    held = worker.outputs
    job.finish(worker, attempt)
    output = dict(held)
    job.kill(worker)
    spend(job, "map-0")
    other = job.workers[0]
    other.outputs |= output
    job.pass_time(2)
    job.restart_master()
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.failed_tasks == ("map-0",)
    assert set(output) <= set(other.discarded)


def test_the_same_error_on_two_workers_is_left_out_without_more_tries():
    job = JobUnderTest(limits=Limits(max_failed_tasks=1, attempts_per_task=9), maps=1, workers=2).until_mapping()
    names = set()
    while not job.history("LeftOut"):
        worker, attempt = job.running("map")[0]
        names.add(worker.name)
        worker.fail(attempt)
        worker.request = 0
        worker.mute = False
        job.settle()
        job.pass_time(1)
    assert len(names) <= 2
    assert job.run_to_the_end() == "Succeeded"


def test_a_reduce_does_not_wait_for_a_map_that_is_left_out_while_it_runs():
    job = job_that_may_lose(1, maps=2, reducers=1, workers=2).until_reducing()
    worker, _ = job.running("reduce")[0]
    holder = next(other for other in job.workers if other is not worker)
    lost = [output.task.index for output in holder.outputs]
    job.kill(holder)
    if lost:
        spend(job, f"map-{lost[0]}")
        assert job.run_to_the_end() == "Succeeded"
        assert job.status.failed_tasks == (f"map-{lost[0]}",)
