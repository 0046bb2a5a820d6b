"""A worker that cannot end what was cancelled is replaced: nobody would ever get that slot, or the whole worker."""

from mapreduce.spec import Limits
from tests.support.master_builder import JobUnderTest

SOON = 30
"""Seconds after which what hangs was cancelled and charged: the time-out of 10 s, a lease and a beat."""
WRITTEN_OFF = 4 * 15 + 2
"""Seconds after which such a worker is replaced: four leases, and two beats."""


def job_with_a_slot_that_cannot_be_ended(**changes):
    """A job of which the first worker can end nothing, with map-0 on it, which hangs and was cancelled; that worker."""
    job = JobUnderTest(limits=Limits(task_timeout=10.0), **changes).until_mapping()
    worker = next(worker for worker, attempt in job.running("map") if attempt.task.index == 0)
    worker.cannot_kill = True
    beat(job, SOON)
    assert [str(event.attempt) for event in job.history("Charged")] == ["map-0.e1.0"]
    return job, worker


def beat(job, seconds):
    """Let every worker exchange each second; none but the first attempt of map-0 hangs."""
    for _ in range(seconds):
        for worker in job.workers:
            moving = [attempt for attempt in worker.active if str(attempt) != "map-0.e1.0"]
            worker.reached = dict.fromkeys(moving, (0, 0, int(job.mono)))
            worker.request = 0
        job.pass_time(1)


def replaced(job):
    return [(event.worker, event.message) for event in job.history("WorkerLost") if event.reason == "SlotStuck"]


def test_its_worker_is_replaced_and_people_are_told():
    job, worker = job_with_a_slot_that_cannot_be_ended(maps=1, workers=2)
    beat(job, 40)
    assert replaced(job) == []
    beat(job, 30)
    ((name, message),) = replaced(job)
    assert name == worker.name
    assert message.startswith("map-0.e1.0 was cancelled 6")
    assert worker.name in job.stopped
    assert [event.message for event in job.announced if event.reason == "SlotStuck"] == [f"{name}: {message}"]
    assert len(job.workers) == 2
    assert job.run_to_the_end() == "Succeeded"
    assert len(job.history("Charged")) == 1


def test_a_job_whose_only_slot_cannot_be_ended_goes_on_and_says_why_it_waits_meanwhile():
    job, worker = job_with_a_slot_that_cannot_be_ended(maps=2, workers=1)
    assert job.status.message == ""
    beat(job, 15)
    assert job.running("map") == [(worker, next(iter(worker.active)))]
    assert job.status.message.startswith(f"{worker.name} cannot end map-0.e1.0, which was cancelled")
    beat(job, WRITTEN_OFF)
    assert job.status.message == ""
    assert job.run_to_the_end() == "Succeeded"


def test_one_that_is_ended_late_keeps_its_worker():
    job, worker = job_with_a_slot_that_cannot_be_ended(maps=1, workers=2)
    beat(job, 40)
    worker.cannot_kill = False
    job.pass_time(5)
    beat(job, WRITTEN_OFF)
    assert replaced(job) == []
    assert worker in job.workers
    assert job.status.message == ""


def goes_over(job, index):
    """Let a map use more memory than it may."""
    worker, attempt = next(found for found in job.running("map") if found[1].task.index == index)
    worker.fail(attempt, reason="SlotOverMemory")
    worker.request = 0
    job.settle()


def runs_on(job, index):
    """Return the workers that run a map, but its first attempt."""
    return [worker for worker, attempt in job.running("map") if attempt.task.index == index and attempt.number > 0]


def test_a_task_that_wants_a_worker_of_its_own_gets_the_one_that_takes_its_place():
    job, worker = job_with_a_slot_that_cannot_be_ended(maps=2, workers=1, slots=2)
    goes_over(job, 1)
    for found, attempt in list(job.running("map")):
        if str(attempt) != "map-0.e1.0":
            job.finish(found, attempt)
    assert runs_on(job, 1) == []
    beat(job, WRITTEN_OFF)
    assert [name for name, _ in replaced(job)] == [worker.name]
    assert len(runs_on(job, 1)) == 1
    assert job.run_to_the_end() == "Succeeded"


def test_a_task_that_wants_a_worker_of_its_own_does_not_wait_for_one_with_such_a_slot():
    job, worker = job_with_a_slot_that_cannot_be_ended(maps=12, workers=2, slots=2)
    (other,) = [found for found in job.workers if found is not worker]
    beat(job, 16)
    goes_over(job, next(attempt.task.index for attempt in other.active))
    index = job.history("Charged")[-1].task.index
    # Now it has no more than the other one, which would be taken for it.
    job.finish(worker, next(attempt for attempt in worker.active if str(attempt) != "map-0.e1.0"))
    for attempt in [attempt for attempt in other.active if attempt.task.index != index]:
        job.finish(other, attempt)
    assert runs_on(job, index) == [other]
    assert replaced(job) == []


def test_a_master_that_comes_after_replaces_it_too():
    job, worker = job_with_a_slot_that_cannot_be_ended(maps=1, workers=2)
    (runner,) = runs_on(job, 0)
    job.finish(runner, next(iter(runner.active)))
    job.restart_master()
    beat(job, WRITTEN_OFF + 20)
    assert [name for name, _ in replaced(job)] == [worker.name]
    assert job.run_to_the_end() == "Succeeded"
