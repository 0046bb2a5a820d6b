"""More workers, or fewer, while the job runs: what a surplus worker made is not lost while it is needed."""

from mapreduce_operator.core import events
from tests.support.master_builder import JobUnderTest


def scale(job, workers):
    """Ask for so many workers."""
    job.tell(events.SpecChanged(workers=workers, suspend=False, active_deadline=0.0))
    job.settle()


def maps_given(job):
    """Every map attempt that was ever given out."""
    return [str(event.attempt) for event in job.history("Assigned") if event.task.kind == "map"]


def test_more_workers_are_started_at_once_and_get_work():
    job = JobUnderTest(maps=6, workers=1).until_mapping()
    scale(job, 3)
    assert [worker.index for worker in job.workers] == [0, 1, 2]
    assert {worker.index for worker, _ in job.running("map")} == {0, 1, 2}
    assert (job.status.workers_desired, job.status.workers_ready) == (3, 3)
    assert [said.message for said in job.announced if said.reason == "Scaled"] == ["from 1 to 3 workers"]


def test_an_idle_surplus_worker_goes_at_once():
    job = JobUnderTest(maps=1, workers=3).until_mapping()
    idle = [worker for worker in job.workers if not worker.active]
    (busy,) = [worker for worker in job.workers if worker.active]
    assert busy.index == 0
    scale(job, 1)
    assert [worker.alive for worker in idle] == [False, False]
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given(job) == ["map-0.e1.0"]


def test_a_surplus_worker_ends_what_it_runs_and_gets_nothing_new():
    job = JobUnderTest(maps=6, workers=2, has_reduce=False).until_mapping()
    surplus = next(worker for worker in job.workers if worker.index == 1)
    (attempt,) = surplus.active
    scale(job, 1)
    assert surplus.alive
    assert job.status.workers_ready == 1
    job.finish(surplus, attempt)
    job.settle()
    assert not surplus.alive
    assert job.run_to_the_end() == "Succeeded"
    assert len(maps_given(job)) == 6


def test_a_surplus_worker_stays_while_its_outputs_are_needed():
    job = JobUnderTest(maps=2, workers=2, reducers=1).until_mapping()
    job.work()
    surplus = next(worker for worker in job.workers if worker.index == 1)
    scale(job, 1)
    assert surplus.alive
    assert job.run_to_the_end() == "Succeeded"
    assert len(maps_given(job)) == 2


def test_a_surplus_worker_goes_when_the_last_reduce_has_read_its_outputs():
    job = JobUnderTest(maps=2, workers=2, reducers=1).until_reducing()
    job.held.add("publish")
    surplus = next(worker for worker in job.workers if worker.index == 1)
    scale(job, 1)
    for _ in range(6):
        job.work()
    assert not surplus.alive
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"


def test_a_surplus_worker_has_its_place_again_when_the_job_is_scaled_up():
    job = JobUnderTest(maps=6, workers=2).until_mapping()
    worker = next(worker for worker in job.workers if worker.index == 1)
    scale(job, 1)
    scale(job, 2)
    assert worker.alive
    assert len(job.asked_for) == 3
    job.work(2)
    assert worker.active
    assert job.run_to_the_end() == "Succeeded"


def test_a_place_that_is_made_again_gets_a_new_name():
    job = JobUnderTest(maps=1, workers=2).until_mapping()
    scale(job, 1)
    scale(job, 2)
    names = [command.name for command in job.asked_for]
    assert len(names) == len(set(names)) == 4
    assert job.run_to_the_end() == "Succeeded"


def test_after_a_restart_a_surplus_worker_is_still_needed_for_what_it_holds():
    job = JobUnderTest(maps=4, workers=2, reducers=1).until_mapping()
    job.work()
    job.pass_time(2)
    surplus = next(worker for worker in job.workers if worker.index == 1)
    scale(job, 1)
    job.first_event = events.SpecChanged(workers=1, suspend=False, active_deadline=0.0)
    job.restart_master()
    job.settle()
    assert surplus.alive
    assert job.run_to_the_end() == "Succeeded"
    assert len(set(maps_given(job))) == len(maps_given(job)) == 4


def test_a_job_that_is_scaled_before_it_starts_begins_with_the_wanted_number():
    job = JobUnderTest(workers=4, first_event=events.SpecChanged(workers=1, suspend=False, active_deadline=0.0))
    assert [command.role for command in job.asked_for] == ["gateway", "worker"]
