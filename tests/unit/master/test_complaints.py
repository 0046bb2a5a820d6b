"""Segments that cannot be read are charged to who holds them."""

from mapreduce.spec import Limits
from tests.support.master_builder import JobUnderTest


def other_than(job, worker):
    return next(holder for holder in job.workers if holder is not worker and holder.outputs)


def complain(job, worker, attempt, holder):
    index = next(iter(holder.outputs)).task.index
    worker.complain(attempt, holder.name, [index])
    worker.request = 0
    job.settle()
    return index


def test_one_complaint_while_others_run_moves_that_reducer():
    job = JobUnderTest(maps=3, reducers=3, workers=3).until_reducing()
    worker, attempt = job.running("reduce")[0]
    complain(job, worker, attempt, other_than(job, worker))
    assert [(event.attempt, event.reason) for event in job.history("Cancelled")] == [(attempt, "SegmentUnreadable")]
    assert [event.event for event in job.history("Lost")] == []
    assert job.run_to_the_end() == "Succeeded"
    again = [event for event in job.history("Assigned") if event.task == attempt.task][1]
    assert again.attempt.number == 1


def test_a_moved_reducer_goes_to_another_worker():
    job = JobUnderTest(maps=3, reducers=3, workers=3, slots=2).until_reducing()
    worker, attempt = job.running("reduce")[0]
    complain(job, worker, attempt, other_than(job, worker))
    again = [event for event in job.history("Assigned") if event.task == attempt.task][1]
    assert again.worker != worker.name


def test_complaints_of_all_that_run_make_the_map_run_again():
    job = JobUnderTest(maps=2, reducers=1, workers=2).until_reducing()
    worker, attempt = job.running("reduce")[0]
    holder = other_than(job, worker)
    index = complain(job, worker, attempt, holder)
    assert [(event.task.index, event.reason) for event in job.history("Lost")] == [(index, "SegmentUnreadable")]
    charged = job.history("Charged")
    assert [(event.budget, event.worker) for event in charged] == [("segments", holder.name)]
    assert attempt in worker.active
    assert job.run_to_the_end() == "Succeeded"


def test_complaints_of_three_reducers_make_the_map_run_again_while_others_run():
    job = JobUnderTest(maps=1, reducers=6, workers=6).until_reducing()
    holder = next(worker for worker in job.workers if worker.outputs)
    runners = [(worker, attempt) for worker, attempt in job.running("reduce") if worker is not holder]
    for number, (worker, attempt) in enumerate(runners[:3], 1):
        if attempt not in worker.active:
            continue
        complain(job, worker, attempt, holder)
        assert len([event for event in job.history("Lost") if event.task.kind == "map"]) == (number == 3)
    assert job.run_to_the_end() == "Succeeded"


def test_the_holder_may_delete_what_nobody_can_read():
    job = JobUnderTest(maps=2, reducers=1, workers=2).until_reducing()
    worker, attempt = job.running("reduce")[0]
    holder = other_than(job, worker)
    bad = next(iter(holder.outputs))
    complain(job, worker, attempt, holder)
    assert bad in holder.discarded


def test_a_complaint_about_a_worker_that_is_lost_is_moot():
    job = JobUnderTest(maps=3, reducers=3, workers=3).until_reducing()
    worker, attempt = job.running("reduce")[0]
    holder = other_than(job, worker)
    index = next(iter(holder.outputs)).task.index
    worker.complain(attempt, holder.name, [index])
    job.kill(holder)
    worker.request = 0
    job.settle()
    assert [event for event in job.history("Charged") if event.budget == "segments"] == []
    assert job.run_to_the_end() == "Succeeded"


def test_a_complaint_that_is_repeated_counts_once():
    job = JobUnderTest(maps=3, reducers=3, workers=3).until_reducing()
    worker, attempt = job.running("reduce")[0]
    holder = other_than(job, worker)
    worker.answers_to_lose = 2
    complain(job, worker, attempt, holder)
    assert len([event for event in job.history("Charged") if event.budget == "segments"]) == 1


def test_a_complaint_that_comes_before_its_holder_is_known_is_made_again():
    job = JobUnderTest(maps=4, reducers=3, workers=3).until_reducing()
    worker, attempt = job.running("reduce")[0]
    holder = other_than(job, worker)
    worker.complain(attempt, holder.name, [next(iter(holder.outputs)).task.index])
    job.start_master(resumed=True)
    job.settle()
    job.list_pods()
    assert job.run_to_the_end() == "Succeeded"
    assert [event.attempt for event in job.history("Cancelled")] == [attempt]


def cut_off(job, first, second, rounds):
    """Let no reducer on one of two workers read what the other one holds, for so many beats."""
    for _ in range(rounds):
        if job.phase in ("Failed", "Succeeded"):
            return
        for worker, attempt in job.running("reduce"):
            other = second if worker is first else first
            if worker in (first, second) and other.outputs and other in job.living():
                worker.complain(attempt, other.name, sorted(output.task.index for output in other.outputs))
                worker.request = 0
        job.settle()
        for worker, attempt in job.running("map"):
            job.finish(worker, attempt)
        job.pass_time(3.0)


def test_a_worker_from_which_others_cannot_read_is_replaced():
    job = JobUnderTest(maps=4, reducers=2, workers=2).until_reducing()
    first, second = job.workers
    cut_off(job, first, second, 6)
    replaced = [event for event in job.history("WorkerLost") if event.reason == "SegmentUnreadable"]
    assert replaced
    assert {event.worker for event in replaced} <= {first.name, second.name}
    assert job.run_to_the_end() == "Succeeded"


def test_a_job_whose_workers_never_reach_each_other_fails_and_says_so():
    job = JobUnderTest(maps=4, reducers=2, workers=2, limits=Limits(disruptions_in_a_row=5)).until_reducing()
    for _ in range(12):
        if job.phase == "Failed":
            break
        workers = job.workers
        cut_off(job, workers[0], workers[-1], 3)
    (failed,) = [condition for condition in job.status.conditions if condition.type == "Failed"]
    assert failed.reason == "SegmentUnreadable"
    assert "network policy" in failed.message
