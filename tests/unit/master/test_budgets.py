"""User code has a budget of attempts for each task; who is charged, and what people are told."""

from mapreduce.protocol import AttemptFailed, ErrorInfo
from mapreduce.spec import Limits
from tests.support.master_builder import JobUnderTest


def fail_once(job, message="ValueError: no", **fields):
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, message=message, **fields)
    worker.request = 0
    job.settle()
    return worker


def test_user_code_may_fail_three_times_and_the_fourth_ends_the_job():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    for number in range(3):
        fail_once(job, f"ValueError: {number}")
        assert job.phase == "Mapping"
    fail_once(job, "ValueError: 3", where="a.txt:17")
    failed = job.status.conditions[-1]
    assert (job.phase, failed.reason) == ("Failed", "UserCodeFailed")
    assert "map-0 failed 4 times" in failed.message
    assert "a.txt:17" in failed.message
    assert job.ended == "Failed"


def test_a_fault_of_the_input_itself_ends_the_job_at_once_with_its_place():
    job = JobUnderTest(maps=2, workers=1).until_mapping()
    fail_once(job, "byte 0xff is not valid UTF-8", kind="refused", reason="RecordUndecodable", where="a.txt:17")
    failed = job.status.conditions[-1]
    assert (job.phase, failed.reason) == ("Failed", "RecordUndecodable")
    assert failed.message == "byte 0xff is not valid UTF-8 (at a.txt:17)"
    assert job.history("Charged") == []


def test_the_same_error_at_the_same_place_on_two_workers_ends_the_job_early():
    job = JobUnderTest(maps=1, workers=2).until_mapping()
    first = fail_once(job, where="a.txt:17")
    assert job.phase == "Mapping"
    assert job.running("map")[0][0] is not first
    fail_once(job, where="a.txt:17")
    assert "failed alike on two workers" in job.status.conditions[-1].message


def test_a_task_that_failed_goes_to_another_worker_only_if_one_is_free():
    job = JobUnderTest(maps=2, workers=2).until_mapping()
    first = fail_once(job, where="a.txt:17")
    again = [event for event in job.history("Assigned") if str(event.task) == "map-0"][1]
    assert again.worker == first.name


def test_the_same_error_twice_on_one_worker_does_not():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    fail_once(job, where="a.txt:17")
    fail_once(job, where="a.txt:17")
    assert job.phase == "Mapping"


def test_a_charge_is_in_the_journal_with_what_happened():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    fail_once(job, where="a.txt:17")
    charged = job.history("Charged")[0]
    assert (charged.budget, charged.reason, charged.message) == (
        "user",
        "UserCodeFailed",
        "ValueError: no (at a.txt:17)",
    )


def test_people_see_the_last_failures_with_traceback():
    job = JobUnderTest(maps=1, workers=1, limits=Limits(attempts_per_task=9)).until_mapping()
    for number in range(7):
        fail_once(job, f"ValueError: {number}", where="a.txt:17", traceback="File job.py, line 3")
    failures = job.status.last_failures
    assert [failure.message for failure in failures] == [f"ValueError: {number}" for number in range(2, 7)]
    assert failures[-1].task == "map-0"
    assert failures[-1].traceback == "File job.py, line 3"


def test_what_cannot_be_helped_ends_the_job_at_once():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, kind="refused", reason="InputChanged", message="in/a.txt changed while the job ran")
    worker.request = 0
    job.settle()
    assert job.status.conditions[-1].reason == "InputChanged"
    assert job.ended == "Failed"


def test_a_disruption_costs_the_task_nothing():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    for _ in range(10):
        worker, attempt = job.running("map")[0]
        worker.fail(attempt, kind="disruption", reason="SlotKilled", message="killed by signal 9")
        worker.request = 0
        job.settle()
    assert job.history("Charged") == []
    assert job.run_to_the_end() == "Succeeded"


def test_twenty_disruptions_of_one_task_in_a_row_end_the_job():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    for number in range(20):
        assert job.phase == "Mapping", number
        worker, attempt = job.running("map")[0]
        worker.fail(attempt, kind="disruption", reason="SlotKilled", message="killed by signal 9")
        worker.request = 0
        job.settle()
    assert job.status.conditions[-1].reason == "DisruptionLimit"
    assert "signal 9" in job.status.conditions[-1].message


def test_disruptions_are_forgotten_when_any_task_finishes():
    job = JobUnderTest(maps=2, workers=2).until_mapping()
    for number in range(30):
        if number == 15:
            job.finish(*next(pair for pair in job.running("map") if pair[1].task.index == 1))
        worker, attempt = next(pair for pair in job.running("map") if pair[1].task.index == 0)
        worker.fail(attempt, kind="disruption", reason="SlotKilled", message="killed")
        worker.request = 0
        job.settle()
    assert job.phase == "Mapping"


def test_a_store_that_fails_is_tried_again_after_a_pause():
    job = JobUnderTest(reducers=1)
    job.held.add("publish")
    job.until_reducing()
    job.work()
    gateway = job.gateway
    publish = next(iter(gateway.active))
    error = ErrorInfo(kind="disruption", reason="StorageFailed", message="no space left on device")
    gateway.report(AttemptFailed(attempt=publish, error=error))
    gateway.request = 0
    job.settle()
    assert gateway.active == {}
    assert "no space left on device" in job.status.message
    job.pass_time(1)
    assert [str(attempt) for attempt in gateway.active] == ["publish-0.e1.1"]
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"


def test_of_an_error_that_was_charged_only_a_digest_is_kept_and_nothing_once_its_task_has_succeeded():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    fail_once(job, "ValueError: " + "x" * 1500)
    table = job.master.book.tasks["map"]
    assert len(repr(table.last_error)) < 300
    job.finish(*job.running("map")[0])
    assert table.last_error == {}


def test_what_was_charged_to_tasks_that_succeeded_since_is_not_kept_after_a_restart():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    fail_once(job)
    job.finish(*job.running("map")[0])
    job.pass_time(2)
    job.restart_master()
    job.settle()
    table = job.master.book.tasks["map"]
    assert (table.last_error, table.user_failures[0]) == ({}, 1)
    assert job.run_to_the_end() == "Succeeded"
