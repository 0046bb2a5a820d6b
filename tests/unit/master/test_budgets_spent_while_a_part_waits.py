"""What an attempt is charged while the part of another one waits to be staged does not end the job, restart or not."""

import pytest

from mapreduce.history import Budget, EventWord, Frame, HistoryEvent
from mapreduce.ids import AttemptId, TaskId
from mapreduce.spec import Limits
from mapreduce_operator.core import frames
from mapreduce_operator.core.entries import Recovered
from tests.support import slow_tasks
from tests.support.slow_tasks import until_one_is_left


def spent_beside_a_part(*, has_reduce):
    """A job whose slow task has failed once too often, after the part of its backup was made; and who made that."""
    job = slow_tasks.job(limits=Limits(attempts_per_task=1), has_reduce=has_reduce)
    kind = "map"
    if has_reduce:
        job.until_reducing()
        kind = "reduce"
    slow, attempt = until_one_is_left(job, kind)
    job.pass_time(60)
    job.held.add("stage")
    winner, backup = next(found for found in job.running(kind) if found[1].number == 1)
    job.finish(winner, backup)
    slow.fail(attempt)
    slow.request = 0
    job.settle()
    job.pass_time(2)
    assert [event.attempt for event in job.history("Charged")] == [attempt]
    assert not job.ended
    return job, winner, backup


@pytest.mark.parametrize("has_reduce", [True, False])
def test_the_part_is_staged_by_the_master_that_comes_after(has_reduce):
    job, _, backup = spent_beside_a_part(has_reduce=has_reduce)
    job.restart_master()
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert job.store.staged[backup.task.index].source == backup


@pytest.mark.parametrize("has_reduce", [True, False])
def test_the_task_runs_again_where_the_part_is_lost_before_the_restart(has_reduce):
    job, winner, backup = spent_beside_a_part(has_reduce=has_reduce)
    job.kill(winner)
    job.pass_time(2)
    job.restart_master()
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert job.store.staged[backup.task.index].source != backup


@pytest.mark.parametrize("has_reduce", [True, False])
def test_the_task_runs_again_where_the_part_is_lost_with_the_master(has_reduce):
    job, winner, backup = spent_beside_a_part(has_reduce=has_reduce)
    winner.alive = False
    job.restart_master()
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert job.store.staged[backup.task.index].source != backup


@pytest.mark.parametrize("restarts", [0, 1, 2])
def test_one_failure_more_after_the_part_was_lost_ends_the_job(restarts):
    job, winner, backup = spent_beside_a_part(has_reduce=True)
    winner.alive = False
    job.restart_master()
    job.held.add("clean")
    job.pass_time(30)
    while job.running("map"):
        job.finish(*job.running("map")[0])
    ((runner, attempt),) = [found for found in job.running("reduce") if found[1].task == backup.task]
    runner.fail(attempt)
    runner.request = 0
    job.settle()
    for _ in range(restarts):
        job.restart_master()
        job.settle()
    job.held.clear()
    assert job.run_to_the_end() == "Failed"


def test_a_task_that_was_given_out_again_has_no_part_so_that_what_it_is_charged_counts():
    task = TaskId(0, "reduce", 0)
    found = Recovered()
    judged = []
    told: list[EventWord] = ["Assigned", "Finished", "Consumed", "Charged", "Assigned", "Charged"]
    for number, word in enumerate(told):
        attempt = AttemptId(task, 1, number)
        if word == "Consumed":
            attempt = AttemptId(task, 1, number - 1)
        budget: Budget = "user" if word == "Charged" else ""
        event = HistoryEvent(event=word, wall=0.0, task=task, attempt=attempt, budget=budget)
        frames.read(found, Frame(1, number + 1, event))
        judged.append(found.judged.get(task, 0))
    assert judged == [0, 0, 0, 0, 0, 2]
