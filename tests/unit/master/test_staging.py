"""A part is staged once, on the gateway's word; what the store suffers is not the reduce's fault."""

from mapreduce.protocol import AttemptFailed, ErrorInfo
from tests.support.master_builder import JobUnderTest


def reported(job):
    """Let the only reduce report, with its part still to be staged."""
    job.held.add("stage")
    job.until_reducing()
    job.work()
    return job


def fail_stage(job, reason):
    stage = next(attempt for attempt in job.gateway.active if attempt.task.kind == "stage")
    error = ErrorInfo(kind="disruption", reason=reason, message=f"{reason} it was")
    job.gateway.report(AttemptFailed(attempt=stage, error=error))
    job.gateway.request = 0
    job.settle()


def reduces_given(job):
    return [str(event.attempt) for event in job.history("Assigned") if event.task.kind == "reduce"]


def test_a_reduce_has_succeeded_only_when_its_part_is_staged():
    job = reported(JobUnderTest(reducers=1))
    assert (job.status.reduces.active, job.status.reduces.succeeded) == (1, 0)
    job.held.clear()
    job.settle()
    assert job.status.reduces.succeeded == 1


def test_trouble_of_the_store_is_tried_again_without_the_reduce():
    job = reported(JobUnderTest(reducers=1))
    for _ in range(5):
        fail_stage(job, "StorageFailed")
        job.pass_time(9)
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert reduces_given(job) == ["reduce-0.e1.0"]


def test_a_gateway_that_is_told_to_stop_costs_no_reduce():
    job = reported(JobUnderTest(reducers=1))
    fail_stage(job, "WorkerLost")
    job.kill(job.gateway)
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert reduces_given(job) == ["reduce-0.e1.0"]


def test_a_part_that_cannot_be_read_three_times_is_made_again():
    job = reported(JobUnderTest(reducers=1))
    for _ in range(3):
        fail_stage(job, "SegmentUnreadable")
        job.pass_time(9)
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert reduces_given(job) == ["reduce-0.e1.0", "reduce-0.e1.1"]


def test_a_staged_part_may_be_deleted_by_its_worker():
    job = reported(JobUnderTest(reducers=1))
    job.held = {"publish"}
    job.settle()
    assert "reduce-0.e1.0" in [str(attempt) for worker in job.workers for attempt in worker.discarded]


def test_stages_of_one_gateway_are_bounded_and_all_are_done():
    job = JobUnderTest(maps=1, reducers=30, workers=10, slots=3)
    job.held.add("stage")
    job.until_reducing()
    job.work()
    assert len(job.gateway.active) == 8
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert set(job.store.staged_times.values()) == {1}


def test_a_volume_that_forgets_the_journal_fails_the_job_clearly():
    job = JobUnderTest(maps=2).until_reducing()
    job.pass_time(2)
    job.store.frames.clear()
    job.kill(job.gateway)
    assert job.phase == "Failed"
    assert job.status.conditions[-1].reason == "StorageFailed"
    job.pass_time(62)
    assert job.ended == "Failed"
