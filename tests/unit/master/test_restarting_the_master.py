"""The operator dies and comes back: nothing that finished runs again, and no budget is refilled."""

import msgspec
import pytest

from mapreduce import history
from mapreduce.protocol import AttemptFailed, ErrorInfo
from tests.support.history_checker import assigned_again_after_finishing, check
from tests.support.master_builder import JobUnderTest


def lines(job):
    return history.parse(b"".join(history.render(job.store.frames)))


def given_in(job, kind, epoch):
    return [str(e.attempt) for e in job.history("Assigned") if e.task.kind == kind and e.attempt.epoch == epoch]


def test_in_the_middle_of_the_maps_only_what_was_not_finished_runs():
    job = JobUnderTest(maps=6, workers=2).until_mapping()
    job.work()
    job.pass_time(2)
    running = {attempt for _, attempt in job.running("map")}
    job.restart_master()
    job.settle()
    assert {attempt for _, attempt in job.running("map")} == running
    assert job.run_to_the_end() == "Succeeded"
    assert assigned_again_after_finishing(lines(job)) == []
    assert given_in(job, "load", 2) == []
    assert given_in(job, "plan", 2) == []
    assert check(lines(job), maps=6, reduces=2) == []


def test_what_finished_while_no_master_was_there_counts():
    job = JobUnderTest(maps=2, workers=2).until_mapping()
    for worker, attempt in job.running("map"):
        worker.succeed(attempt)
    job.restart_master()
    job.settle()
    assert given_in(job, "map", 2) == []
    assert {event.event for event in job.history("Held", "Finished") if event.task.kind == "map"} == {"Held"}
    assert job.run_to_the_end() == "Succeeded"


def test_in_the_middle_of_the_reduces_staged_parts_stay():
    job = JobUnderTest(maps=2, reducers=4, workers=2).until_reducing()
    job.finish(*job.running("reduce")[0])
    staged = set(job.store.staged)
    assert len(staged) == 1
    job.restart_master()
    assert job.run_to_the_end() == "Succeeded"
    assert given_in(job, "map", 2) == []
    assert not {f"reduce-{p}.e2.0" for p in staged} & set(given_in(job, "reduce", 2))
    assert check(lines(job), maps=2, reduces=4) == []


def test_nothing_is_assigned_before_every_running_worker_has_registered_again():
    job = JobUnderTest(maps=6, workers=2).until_mapping()
    mute = job.workers[1]
    job.restart_master()
    mute.mute = True
    job.settle()
    assert given_in(job, "map", 2) == []
    mute.mute = False
    job.settle()
    job.work()
    assert given_in(job, "map", 2) != []


def test_one_lease_is_waited_for_those_who_do_not_come_back():
    job = JobUnderTest(maps=6, workers=2).until_mapping()
    mute = job.workers[1]
    job.restart_master()
    mute.alive = False
    free = job.workers[0]
    job.finish(free, next(iter(free.active)))
    job.pass_time(12)
    assert given_in(job, "map", 2) == []
    job.pass_time(4)
    assert given_in(job, "map", 2) != []
    assert job.run_to_the_end() == "Succeeded"


def test_outputs_of_a_worker_that_died_with_the_master_are_made_again():
    job = JobUnderTest(maps=4, workers=2).until_reducing()
    dead = job.workers[0]
    held = {attempt.task.index for attempt in dead.outputs}
    dead.alive = False
    job.restart_master()
    assert job.run_to_the_end() == "Succeeded"
    again = {given.split(".")[0] for given in given_in(job, "map", 2)}
    assert again == {f"map-{index}" for index in held}


def test_the_budget_of_user_failures_is_not_refilled():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    for number in range(3):
        worker, attempt = job.running("map")[0]
        worker.fail(attempt, message=f"ValueError: {number}")
        worker.request = 0
        job.settle()
    job.restart_master()
    job.settle()
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, message="ValueError: 3")
    worker.request = 0
    job.settle()
    assert job.phase == "Failed"


def test_a_master_that_dies_before_the_plan_was_written_plans_again():
    job = JobUnderTest()
    job.held.add("journal")
    job.settle()
    job.restart_master()
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert len(job.history("Planned")) == 1


def test_a_master_that_dies_while_publishing_publishes():
    job = JobUnderTest()
    job.held.add("publish")
    job.until_reducing()
    job.work()
    job.restart_master()
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert given_in(job, "reduce", 2) == []


def test_what_was_published_while_no_master_was_there_is_found():
    job = JobUnderTest()
    job.held.add("publish")
    job.until_reducing()
    job.work()
    job.held.clear()
    job.gateway.do_storage(job.store, set())
    assert job.store.published
    job.restart_master()
    job.settle()
    assert job.ended == "Succeeded"
    assert job.status.output is not None


def test_a_master_that_dies_while_the_job_fails_lets_it_fail():
    job = JobUnderTest(maps=1, workers=1)
    job.until_mapping()
    job.held.add("clean")
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, kind="refused", reason="InputChanged", message="it changed")
    worker.request = 0
    job.settle()
    assert job.phase == "Failed"
    job.restart_master()
    job.held.clear()
    assert job.run_to_the_end() == "Failed"
    assert job.status.conditions[-1].reason == "InputChanged"


def test_input_records_and_bytes_are_known_again():
    job = JobUnderTest(maps=2, workers=2).until_reducing()
    job.pass_time(2)
    before = (job.status.records, job.status.size)
    assert before == (20, 200)
    job.restart_master()
    job.settle()
    assert (job.status.records, job.status.size) == before


def test_restarts_again_and_again_end_well():
    job = JobUnderTest(maps=5, reducers=3, workers=2)
    for _ in range(12):
        job.settle()
        if job.ended:
            break
        job.work()
        job.restart_master()
    assert job.run_to_the_end() == "Succeeded"
    assert check(lines(job), maps=5, reduces=3) == []


@pytest.mark.parametrize("has_reduce", [True, False])
def test_a_part_that_was_finished_and_not_staged_is_staged_from_its_worker(has_reduce):
    job = JobUnderTest(maps=1, reducers=1, workers=1, has_reduce=has_reduce)
    job.held.add("stage")
    for _ in range(4):
        job.work()
    job.pass_time(2)
    made = "reduce-0.e1.0" if has_reduce else "map-0.e1.0"
    job.gateway.alive = False
    job.restart_master()
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert str(job.store.staged[0].source) == made
    assert [
        str(event.attempt) for event in job.history("Assigned") if str(event.task) == made.split(".", maxsplit=1)[0]
    ] == [made]


def test_a_part_that_its_worker_has_no_more_is_made_again_after_a_restart():
    job = JobUnderTest(maps=1, workers=1, has_reduce=False)
    job.held.add("stage")
    for _ in range(4):
        job.work()
    job.pass_time(2)
    job.restart_master()
    for _ in range(3):
        job.pass_time(9)
        (stage,) = [attempt for attempt in job.gateway.active if attempt.task.kind == "stage"]
        error = ErrorInfo(kind="disruption", reason="SegmentUnreadable", message="there is no such part")
        job.gateway.report(AttemptFailed(attempt=stage, error=error))
        job.gateway.request = 0
        job.settle()
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert str(job.store.staged[0].source) == "map-0.e2.0"


def test_what_a_worker_holds_of_another_attempt_once_the_output_is_being_published_does_not_count():
    """The history is closed by then: it says whose counters are those of the output."""
    job = JobUnderTest(maps=1, workers=2)
    job.held.add("publish")
    job.until_reducing()
    job.work(rounds=4)
    assert job.phase == "Publishing"
    (holder,) = (worker for worker in job.workers if worker.outputs)
    (other,) = (worker for worker in job.workers if worker is not holder)
    (output,) = holder.outputs.values()
    slower = msgspec.structs.replace(output.attempt, number=output.attempt.number + 1)
    other.outputs[slower] = msgspec.structs.replace(output, attempt=slower, counters={"tries": 7})
    counted = job.master.book.tally.totals()
    holder.alive, other.mute = False, True
    job.restart_master()
    job.settle()
    assert job.phase == "Publishing"
    other.mute = False
    job.settle()
    assert job.master.book.tally.totals() == counted
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert slower in other.discarded
