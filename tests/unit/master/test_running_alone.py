"""A task that went over its memory runs again alone on a worker: nothing is given beside it until it ends."""

from mapreduce.protocol import RunMap, RunReduce
from mapreduce.spec import Limits
from mapreduce_operator.core.tasks import TaskTable
from tests.support.master_builder import JobUnderTest


def goes_over(job, task):
    """Let the running attempt of a task use more memory than it may."""
    for kind in ("map", "reduce"):
        for worker, attempt in job.running(kind):
            if str(attempt.task) == task:
                message = f"it used more than it may, the {attempt.number}th time"
                worker.fail(attempt, reason="SlotOverMemory", message=message, peak_memory=900)
                worker.request = 0
                job.settle()
                return
    raise AssertionError(f"{task} does not run")


def finish(job, task):
    """Let a running task succeed."""
    worker, attempt = next(pair for pair in running(job) if str(pair[1].task) == task)
    job.finish(worker, attempt)


def running(job):
    """Return what runs of both kinds."""
    return job.running("map") + job.running("reduce")


def beside(job, task):
    """Return what runs on the worker of a task, or None if it does not run."""
    for worker in job.workers:
        tasks = sorted(str(attempt.task) for attempt in worker.active)
        if task in tasks:
            return tasks
    return None


def assigned(job, task):
    """Return the assignment of a running task."""
    for worker in job.workers:
        for attempt, work in worker.active.items():
            if str(attempt.task) == task:
                return work
    raise AssertionError(f"{task} does not run")


def test_the_retry_waits_for_a_worker_to_become_empty_and_nothing_joins_it():
    job = JobUnderTest(maps=9, workers=1, slots=3).until_mapping()
    goes_over(job, "map-0")
    assert sorted(str(attempt.task) for _, attempt in job.running("map")) == ["map-1", "map-2"]
    finish(job, "map-1")
    assert beside(job, "map-2") == ["map-2"]
    finish(job, "map-2")
    assert beside(job, "map-0") == ["map-0"]
    assert isinstance(assigned(job, "map-0"), RunMap)
    assert assigned(job, "map-0").alone
    job.pass_time(5)
    assert beside(job, "map-0") == ["map-0"]
    finish(job, "map-0")
    assert len(job.running("map")) == 3
    assert not any(assigned(job, str(attempt.task)).alone for _, attempt in job.running("map"))
    assert job.run_to_the_end() == "Succeeded"


def test_other_workers_go_on_while_one_is_kept_free():
    job = JobUnderTest(maps=20, workers=2, slots=2).until_mapping()
    goes_over(job, "map-0")
    (kept,) = [worker for worker in job.workers if len(worker.active) < 2]
    for _ in range(6):
        worker, attempt = next(pair for pair in job.running("map") if pair[0] is not kept)
        job.finish(worker, attempt)
    assert len(kept.active) == 1
    job.finish(kept, next(iter(kept.active)))
    assert [str(attempt.task) for attempt in kept.active] == ["map-0"]
    assert job.run_to_the_end() == "Succeeded"


def test_an_empty_worker_takes_it_at_once():
    job = JobUnderTest(maps=2, workers=3, slots=2).until_mapping()
    goes_over(job, "map-0")
    assert beside(job, "map-0") == ["map-0"]
    assert assigned(job, "map-0").alone


def test_a_worker_of_one_slot_is_alone_anyway():
    job = JobUnderTest(maps=3, workers=1, slots=1).until_mapping()
    goes_over(job, "map-0")
    assert job.run_to_the_end() == "Succeeded"


def test_every_task_may_go_over_its_memory_once():
    job = JobUnderTest(maps=6, reducers=4, workers=2, slots=3).until_mapping()
    seen = set()
    for _ in range(100):
        if job.ended:
            break
        worker, attempt = running(job)[0]
        if attempt.task in seen:
            job.finish(worker, attempt)
        else:
            seen.add(attempt.task)
            goes_over(job, str(attempt.task))
    assert job.ended == "Succeeded"
    assert len(seen) == 10


def test_a_reduce_runs_alone_too():
    job = JobUnderTest(maps=2, reducers=4, workers=1, slots=2).until_reducing()
    goes_over(job, "reduce-0")
    finish(job, "reduce-1")
    assert beside(job, "reduce-0") == ["reduce-0"]
    assert isinstance(assigned(job, "reduce-0"), RunReduce)
    assert assigned(job, "reduce-0").alone
    assert job.run_to_the_end() == "Succeeded"


def test_reduces_that_wait_for_the_output_of_a_map_that_runs_alone_make_room_for_it():
    job = JobUnderTest(maps=2, reducers=6, workers=2, slots=3).until_mapping()
    goes_over(job, "map-0")
    job.until_reducing()
    holder = next(worker for worker in job.workers if any(made.task.index == 0 for made in worker.outputs))
    job.start_at_once = False
    job.kill(holder)
    for worker in job.workers:
        worker.waiting.update(worker.active)
        worker.request = 0
    job.settle()
    job.pass_time(2)
    assert beside(job, "map-0") == ["map-0"]
    assert assigned(job, "map-0").alone


def test_a_master_that_was_started_again_remembers_who_runs_alone():
    job = JobUnderTest(maps=4, workers=1, slots=2).until_mapping()
    goes_over(job, "map-0")
    job.restart_master()
    job.settle()
    job.pass_time(20)
    finish(job, "map-1")
    for _ in range(3):
        if beside(job, "map-0") is None:
            finish(job, str(job.running("map")[0][1].task))
    assert beside(job, "map-0") == ["map-0"]
    assert job.status.charges.user == 1
    assert job.run_to_the_end() == "Succeeded"


def test_what_ran_on_a_worker_that_the_kernel_killed_for_its_memory_runs_alone_afterwards():
    job = JobUnderTest(maps=2, workers=1, slots=2).until_mapping()
    (worker,) = job.workers
    worker.alive = False
    job.see(worker, state="gone", reason="WorkerLost", oom=True)
    job.pass_time(2)
    assert [str(attempt.task) for _, attempt in job.running("map")] == ["map-0"]
    finish(job, "map-0")
    assert beside(job, "map-1") == ["map-1"]
    assert job.run_to_the_end() == "Succeeded"


def test_people_are_told_that_it_runs_alone_and_how_much_memory_it_took():
    job = JobUnderTest(maps=2, workers=1, slots=2).until_mapping()
    goes_over(job, "map-0")
    (told,) = [event.message for event in job.announced if event.reason == "SlotOverMemory"]
    assert told.endswith("it used more than it may, the 0th time; it runs again alone on a worker")
    assert job.status.last_failures[-1].peak_memory == 900


def test_a_task_that_is_over_its_memory_alone_too_spends_its_budget():
    job = JobUnderTest(maps=2, workers=1, slots=2, limits=Limits(attempts_per_task=3)).until_mapping()
    finish(job, "map-1")
    for _ in range(3):
        goes_over(job, "map-0")
    assert (job.phase, job.status.conditions[-1].reason) == ("Failed", "SlotOverMemory")


class Watched(TaskTable):
    """A table that says at how many of its tasks somebody looked."""

    looks = 0

    def may_run(self, index, now, written):
        self.looks += 1
        return super().may_run(index, now, written)


def test_who_runs_next_is_found_without_a_look_at_all_that_ran_or_wait_alone():
    table = Watched("map", 1000)
    for index in range(1000):
        table.run_alone(index)
    for index in range(500):
        table.move(index, "assigned")
        table.move(index, "succeeded")
    table.looks = 0
    assert table.ready_alone(0.0, 0, most=2) == [500, 501]
    assert table.first_ready(0.0, 0) is None
    assert (table.looks, table.waiting_alone) == (2, 500)


def test_a_task_that_waits_alone_again_and_again_is_found_once():
    table = TaskTable("map", 3)
    for _ in range(3):
        table.run_alone(1)
        table.move(1, "assigned")
        table.move(1, "put_back")
    assert table.ready_alone(0.0, 0, most=3) == [1]
    assert table.first_ready(0.0, 0) == 0
