"""Published, failed or deleted: who stops when, and what stays."""

import msgspec
import pytest

from mapreduce.protocol import AttemptFailed, ErrorInfo
from mapreduce_operator.core import events
from tests.support.master_builder import JobUnderTest


def test_a_published_job_stops_everybody_and_says_so():
    job = JobUnderTest()
    job.run_to_the_end()
    assert job.living() == []
    assert sorted(job.stopped) == sorted(job.processes)
    assert [process.finished for process in job.processes.values() if process.answers] == [True, True, True]
    complete = job.status.conditions[-1]
    assert (complete.type, complete.status, complete.reason) == ("Complete", "True", "Succeeded")
    assert job.status.output.path == "out/wc"


def test_the_manifest_names_job_plan_and_key_type():
    job = JobUnderTest(reducers=2)
    job.run_to_the_end()
    manifest = msgspec.json.decode(job.store.manifest)
    assert manifest["job"]["name"] == "wordcount"
    assert manifest["plan"]["splits"] == 2
    assert (manifest["epoch"], manifest["key_type"]) == (1, "str")


def test_a_failed_job_keeps_its_history_and_stops_workers_at_once():
    job = JobUnderTest(maps=1, workers=2).until_mapping()
    job.held.add("clean")
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, kind="refused", reason="InputChanged", message="it changed")
    worker.request = 0
    job.settle()
    assert job.workers == []
    assert not job.ended
    assert job.store.frames[-1].entry.event == "JobFailed"
    job.held.clear()
    job.pass_time(1)
    assert job.store.cleaned == ["failed"]
    assert job.ended == "Failed"
    assert job.living() == []


def test_a_gateway_that_cannot_clean_is_waited_for_no_longer_than_a_minute():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    job.held.add("clean")
    job.tell(events.JobDeleted())
    job.pass_time(59)
    assert not job.ended
    job.pass_time(2)
    assert job.ended == "Deleted"


def test_while_the_platform_does_not_answer_the_time_for_cleaning_does_not_pass():
    job = deleted_without_gateway()
    unanswered_for(job, seconds=300)
    assert not job.ended
    job.held.clear()
    job.pass_time(30)
    job.start(job.asked_for[-1])
    job.pass_time(2)
    assert job.store.cleaned == ["deleted"]
    assert job.ended == "Deleted"


def test_a_platform_that_never_answers_keeps_no_job_for_ever():
    job = deleted_without_gateway()
    unanswered_for(job, seconds=540)
    assert not job.ended
    unanswered_for(job, seconds=61)
    assert job.ended == "Deleted"


def deleted_without_gateway() -> JobUnderTest:
    """Return a job that has to be cleaned, and has nobody to do it."""
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    job.held.add("clean")
    job.tell(events.JobDeleted())
    job.start_at_once = False
    job.kill(job.gateway)
    return job


def unanswered_for(job: JobUnderTest, *, seconds: int) -> None:
    """Let the platform be away for so long."""
    for _ in range(seconds):
        if job.asked_for and not job.ended:
            name = job.asked_for.pop().name
            job.tell(events.WorkerNotStarted(name=name, reason="NotStarted", message="no answer", unanswered=True))
        job.pass_time(1)


def test_a_deleted_job_leaves_nothing():
    job = JobUnderTest(maps=2).until_mapping()
    job.tell(events.JobDeleted())
    assert job.workers == []
    job.settle()
    assert job.store.cleaned == ["deleted"]
    assert job.ended == "Deleted"


def test_a_job_deleted_before_anything_was_opened_ends_at_once():
    job = JobUnderTest()
    job.tell(events.JobDeleted())
    assert job.ended == "Deleted"
    assert job.store.cleaned == []


def test_a_job_deleted_while_no_master_was_there_is_cleaned_by_the_next():
    job = JobUnderTest(maps=2).until_mapping()
    job.start_master(resumed=True)
    job.tell(events.JobDeleted())
    job.list_pods()
    job.settle()
    assert job.store.cleaned == ["deleted"]
    assert job.ended == "Deleted"


def test_a_gateway_lost_while_cleaning_is_replaced_within_the_minute():
    for delete in (True, False):
        job = JobUnderTest(maps=1, workers=1).until_mapping()
        job.held.add("clean")
        if delete:
            job.tell(events.JobDeleted())
        else:
            worker, attempt = job.running("map")[0]
            worker.fail(attempt, kind="refused", reason="InputChanged", message="it changed")
            worker.request = 0
        job.settle()
        job.kill(job.gateway)
        job.held.clear()
        assert job.run_to_the_end() == ("Deleted" if delete else "Failed")
        assert job.store.cleaned == ["deleted" if delete else "failed"]


def test_a_failed_job_that_is_deleted_while_it_is_cleaned_leaves_nothing():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    job.held.add("clean")
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, kind="refused", reason="InputChanged", message="it changed")
    worker.request = 0
    job.settle()
    job.tell(events.JobDeleted())
    job.held.clear()
    assert job.run_to_the_end() == "Deleted"
    assert job.store.cleaned[-1] == "deleted"


def test_a_job_that_fails_while_its_output_is_being_opened_leaves_no_reservation():
    job = JobUnderTest()
    job.held.add("open")
    job.settle()
    worker, attempt = job.running("load")[0]
    worker.fail(attempt, kind="refused", reason="ProgramInvalid", message="job.py, line 3: invalid syntax")
    worker.request = 0
    job.held.clear()
    assert job.run_to_the_end() == "Failed"
    assert job.store.cleaned == ["failed"]


def test_a_job_whose_gateway_finds_the_output_taken_when_it_comes_again_leaves_nothing_behind():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    job.held.add("open")
    job.kill(job.gateway)
    job.pass_time(2)
    job.gateway.refuse_to["open"] = ErrorInfo(kind="refused", reason="OutputExists", message="it was made by hand")
    job.held.clear()
    job.pass_time(10)
    assert job.status.conditions[-1].reason == "OutputExists"
    assert job.store.cleaned == ["failed"]
    assert job.ended == "Failed"


DEFECT = ErrorInfo(kind="disruption", reason="InternalError", message="ValueError: nobody thought of this")


@pytest.mark.parametrize("kind", ["open", "plan", "stage", "publish"])
def test_a_gateway_that_meets_the_same_defect_again_and_again_ends_the_job_with_its_words(kind):
    job = JobUnderTest()
    job.gateway.refuse_to[kind] = DEFECT
    seconds = 0
    while not job.ended and seconds < 60:
        job.work()
        job.pass_time(1)
        seconds += 1
    failed = job.status.conditions[-1]
    assert (job.ended, failed.reason) == ("Failed", "InternalError")
    assert "failed 5 times in a row" in failed.message
    assert DEFECT.message in failed.message
    told = [said.message for said in job.announced if said.reason == "InternalError" and "tried again" in said.message]
    assert len(told) == 1


def test_a_defect_that_passes_costs_nothing_and_trouble_of_the_store_between_begins_the_count_anew():
    job = JobUnderTest()
    job.held.add("publish")
    job.until_reducing()
    job.work(3)
    for reason in [*["InternalError"] * 4, "StorageFailed", *["InternalError"] * 4]:
        job.pass_time(9)
        attempt = next(attempt for attempt in job.gateway.active if attempt.task.kind == "publish")
        error = ErrorInfo(kind="disruption", reason=reason, message="it went wrong")
        job.gateway.report(AttemptFailed(attempt=attempt, error=error))
        job.gateway.request = 0
        job.settle()
    job.held.clear()
    job.pass_time(9)
    assert job.run_to_the_end() == "Succeeded"
