"""A task that is much slower than the others of its phase gets one backup elsewhere; the first to finish counts."""

import msgspec
import pytest

from mapreduce.spec import Limits
from tests.support import slow_tasks
from tests.support.slow_tasks import backups, until_one_is_left


def runner_of(job, name):
    """Return who runs an attempt, and the attempt."""
    return next(found for found in (*job.running("map"), *job.running("reduce")) if str(found[1]) == name)


def cancelled(job):
    """Return the attempts that were cancelled, but those that made room for a backup."""
    return [str(event.attempt) for event in job.history("Cancelled") if event.reason != "Preempted"]


def staged(job):
    return {str(event.attempt) for event in job.history("Staged")}


def test_a_slow_map_gets_one_backup_on_another_worker_and_history_says_why():
    job = slow_tasks.job()
    slow, attempt = until_one_is_left(job)
    job.pass_time(60)
    assert backups(job) == ["map-0.e1.1"]
    other, _ = runner_of(job, "map-0.e1.1")
    assert other is not slow
    assert attempt in slow.active
    (event,) = [event for event in job.history("Assigned") if event.reason == "Speculative"]
    assert event.message == f"map-0 takes 20.5 s or more on {slow.name}, 10.0 s would be usual"
    (told,) = [announced for announced in job.announced if announced.reason == "Speculative"]
    assert told.message == f"{event.message}: it runs a second time elsewhere"
    assert (job.status.maps.speculative, job.status.maps.retried) == (1, 0)


def test_when_the_backup_is_first_the_slow_attempt_is_cancelled_and_nobody_is_charged():
    job = slow_tasks.job()
    slow, attempt = until_one_is_left(job)
    job.pass_time(1)
    job.finish(*runner_of(job, "map-0.e1.1"))
    assert cancelled(job) == [str(attempt)]
    assert attempt not in slow.active
    assert job.phase == "Reducing"
    assert job.run_to_the_end() == "Succeeded"
    assert job.history("Charged", "Failed", "Lost") == []


def test_when_the_slow_attempt_is_first_the_backup_is_cancelled():
    job = slow_tasks.job()
    slow = until_one_is_left(job)
    job.pass_time(1)
    job.finish(*slow)
    assert cancelled(job) == ["map-0.e1.1"]
    assert job.run_to_the_end() == "Succeeded"
    assert job.history("Charged", "Failed", "Lost") == []


def test_a_loser_that_finishes_before_it_hears_is_told_to_delete_what_it_made():
    job = slow_tasks.job()
    slow, attempt = until_one_is_left(job)
    job.pass_time(1)
    # The news that the backup has won is on its way when the slow one reports.
    slow.mute, slow.request = True, 0
    job.finish(*runner_of(job, "map-0.e1.1"))
    slow.succeed(attempt)
    slow.mute, slow.request = False, 0
    job.settle()
    assert slow.discarded == [attempt]
    assert attempt not in slow.outputs
    finished = [str(event.attempt) for event in job.history("Finished") if event.task.index == 0]
    assert [name for name in finished if name.startswith("map")] == ["map-0.e1.1"]


def test_of_a_reduce_and_its_backup_only_one_part_is_staged():
    job = slow_tasks.job()
    job.until_reducing()
    slow, attempt = until_one_is_left(job, "reduce")
    job.pass_time(60)
    name = f"{attempt.task}.e1.1"
    assert backups(job) == [name]
    job.held.add("publish")
    slow.mute, slow.request = True, 0
    job.finish(*runner_of(job, name))
    slow.succeed(attempt)
    slow.mute, slow.request = False, 0
    job.settle()
    assert name in staged(job)
    assert str(attempt) not in staged(job)
    assert slow.discarded == [attempt]
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"


def test_when_the_first_part_cannot_be_staged_the_other_attempt_goes_on():
    job = slow_tasks.job()
    job.until_reducing()
    job.held.add("stage")
    slow, attempt = until_one_is_left(job, "reduce")
    job.pass_time(60)
    winner, name = runner_of(job, f"{attempt.task}.e1.1")
    job.finish(winner, name)
    slow.compute(attempt)
    job.kill(winner)
    assert attempt in slow.active
    again = [str(event.attempt) for event in job.history("Assigned") if event.task == attempt.task]
    assert again == [str(attempt), str(name)]
    job.held.clear()
    job.finish(slow, attempt)
    assert str(attempt) in staged(job)
    assert job.run_to_the_end() == "Succeeded"


def test_a_job_without_reduce_has_backups_too():
    job = slow_tasks.job(has_reduce=False)
    slow, attempt = until_one_is_left(job)
    job.pass_time(60)
    assert backups(job) == ["map-0.e1.1"]
    job.finish(*runner_of(job, "map-0.e1.1"))
    assert attempt not in slow.active
    assert job.run_to_the_end() == "Succeeded"
    assert str(attempt) not in staged(job)


def test_nothing_is_backed_up_where_the_user_does_not_want_it():
    job = slow_tasks.job(speculation=False)
    until_one_is_left(job)
    job.pass_time(600)
    assert backups(job) == []


def test_tasks_that_are_long_but_not_slower_than_the_others_are_not_backed_up():
    job = slow_tasks.job(maps=4, workers=5)
    # Four times the lease, and a worker has nothing to do all the time.
    job.pass_time(60)
    for worker, attempt in job.running("map")[:3]:
        job.finish(worker, attempt)
    job.pass_time(29)
    assert backups(job) == []


def test_what_waits_comes_before_backups():
    job = slow_tasks.job(maps=8, workers=2)
    slow = job.running("map")[0]
    for _ in range(6):
        job.pass_time(10)
        job.finish(*next(found for found in job.running("map") if found != slow))
    # Seven maps of eight are done or run, and the one worker that is left runs the last.
    job.pass_time(9)
    assert backups(job) == []
    job.finish(*next(found for found in job.running("map") if found != slow))
    job.pass_time(1)
    assert backups(job) == ["map-0.e1.1"]


@pytest.mark.parametrize(("workers", "expected"), [(10, 1), (30, 3)])
def test_backups_take_a_tenth_of_the_slots(workers, expected):
    job = slow_tasks.job(maps=4 * workers, workers=workers, reducers=1)
    slow = job.running("map")[: workers // 2]
    while others := [found for found in job.running("map") if found not in slow and found[1].number == 0]:
        job.pass_time(10)
        for worker, attempt in others:
            job.finish(worker, attempt)
    job.pass_time(60)
    assert len(backups(job)) == expected
    assert len(set(backups(job))) == expected


def test_a_backup_goes_to_another_node_where_there_is_one():
    job = slow_tasks.job(maps=8, workers=4)
    nodes = ["one", "one", "one", "two"]
    for worker, node in zip(job.workers, nodes, strict=True):
        job.see(worker, state="running", node=node)
    until_one_is_left(job)
    job.pass_time(1)
    assert runner_of(job, "map-0.e1.1")[0].name == job.workers[3].name


def test_an_attempt_that_reads_its_input_slowly_is_found_before_its_time_is_over():
    job = slow_tasks.job(maps=4, workers=4)
    slow, attempt = job.running("map")[0]
    for _ in range(10):
        # Its split has 100 bytes.
        slow.reached = {attempt: (1, int(job.mono - 1000), 0)}
        slow.request = 0
        job.pass_time(1)
    for worker, name in job.running("map")[1:]:
        job.finish(worker, name)
    job.pass_time(0.5)
    assert backups(job) == ["map-0.e1.1"]


def test_a_backup_whose_worker_is_lost_costs_nothing_and_another_one_takes_its_place():
    job = slow_tasks.job(limits=Limits(disruptions_in_a_row=1))
    slow, attempt = until_one_is_left(job)
    for number in (1, 2, 3):
        job.pass_time(1)
        other, _ = runner_of(job, f"map-0.e1.{number}")
        job.kill(other)
        assert attempt in slow.active
        # The maps whose output it held come first.
        until_one_is_left(job)
    assert job.run_to_the_end() == "Succeeded"
    assert job.history("Charged") == []


def test_a_task_whose_backups_are_lost_with_their_workers_gets_no_more_than_three():
    job = slow_tasks.job()
    _, attempt = until_one_is_left(job)
    for number in (1, 2, 3):
        job.pass_time(1)
        job.kill(runner_of(job, f"map-0.e1.{number}")[0])
        until_one_is_left(job)
    job.pass_time(60)
    assert [str(found) for _, found in job.running("map")] == [str(attempt)]
    assert len(backups(job)) == 3
    assert job.run_to_the_end() == "Succeeded"


def test_who_takes_the_place_of_the_slow_attempt_gets_the_backups_that_are_left():
    job = slow_tasks.job()
    slow, _ = until_one_is_left(job)
    for number in (1, 2, 3):
        job.pass_time(60)
        other, _ = runner_of(job, f"map-0.e1.{number}")
        job.kill(slow)
        until_one_is_left(job)
        slow = other
    job.pass_time(60)
    assert [str(found) for _, found in job.running("map")] == ["map-0.e1.3"]


def test_a_backup_that_fails_is_not_given_again_while_the_other_runs():
    job = slow_tasks.job()
    _, attempt = until_one_is_left(job)
    job.pass_time(1)
    other, name = runner_of(job, "map-0.e1.1")
    other.fail(name)
    other.request = 0
    job.settle()
    job.pass_time(60)
    assert backups(job) == ["map-0.e1.1"]
    assert [str(found) for _, found in job.running("map")] == [str(attempt)]
    assert [event.budget for event in job.history("Charged")] == ["user"]


def test_when_the_slow_worker_is_lost_its_backup_goes_on():
    job = slow_tasks.job()
    slow, _ = until_one_is_left(job)
    job.pass_time(1)
    job.kill(slow)
    assert [str(found) for _, found in job.running("map")] == ["map-0.e1.1"]
    job.finish(*runner_of(job, "map-0.e1.1"))
    assert job.run_to_the_end() == "Succeeded"


def test_no_reduce_is_slow_while_a_map_runs_again():
    job = slow_tasks.job(workers=6)
    job.until_reducing()
    until_one_is_left(job, "reduce")
    slow = job.running("reduce")[0][0]
    before = backups(job)
    holder = next(worker for worker in job.workers if worker.outputs and worker is not slow)
    job.start_at_once = False
    job.kill(holder)
    job.pass_time(60)
    assert backups(job) == before


def test_after_a_restart_of_the_operator_what_the_tasks_took_is_known_from_the_journal():
    job = slow_tasks.job(speculation=False)
    slow, attempt = until_one_is_left(job)
    job.pass_time(2)
    job.spec = msgspec.structs.replace(job.spec, speculation=True)
    job.restart_master()
    job.settle()
    assert attempt in slow.active
    job.pass_time(15)
    assert backups(job) == []
    job.pass_time(1)
    assert backups(job) == ["map-0.e2.0"]
    job.finish(*runner_of(job, "map-0.e2.0"))
    assert attempt not in slow.active
    assert job.run_to_the_end() == "Succeeded"


def test_a_backup_that_runs_when_the_operator_dies_may_still_win():
    job = slow_tasks.job()
    slow, attempt = until_one_is_left(job)
    job.pass_time(1)
    job.restart_master()
    job.settle()
    job.pass_time(60)
    assert [str(found) for _, found in job.running("map")] == [str(attempt), "map-0.e1.1"]
    job.finish(*runner_of(job, "map-0.e1.1"))
    assert attempt not in slow.active
    assert job.run_to_the_end() == "Succeeded"
