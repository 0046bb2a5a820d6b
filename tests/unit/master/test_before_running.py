"""What a job waits for before it runs, how long, and what ends it at once."""

from mapreduce.protocol import ErrorInfo
from mapreduce.spec import Limits
from mapreduce_operator.core import events
from tests.support.master_builder import JobUnderTest


def test_a_job_that_does_not_get_to_run_fails_with_what_it_waited_for():
    job = JobUnderTest(limits=Limits(pre_running_deadline=60))
    worker = job.workers[0]
    job.gateway.mute = worker.mute = True
    pod = job.pod(worker, state="pending", reason="ImageUnavailable", message="image nowhere:1 cannot be pulled")
    job.tell(events.WorkerChanged(pod))
    assert job.status.message == "ImageUnavailable: image nowhere:1 cannot be pulled"
    for _ in range(118):
        job.mono += 0.5
        job.tell(events.Ticked())
    assert job.phase == "Pending"
    for _ in range(4):
        job.mono += 0.5
        job.tell(events.Ticked())
    failed = job.status.conditions[-1]
    assert (job.phase, failed.reason) == ("Failed", "DeadlineExceeded")
    assert "nowhere:1 cannot be pulled" in failed.message


def test_a_missing_claim_is_told_once_and_waited_for():
    job = JobUnderTest()
    for _ in range(3):
        job.tell(events.InputMissing("ClaimNotFound", "claim texts does not exist"))
    told = [announcement for announcement in job.announced if announcement.reason == "ClaimNotFound"]
    assert len(told) == 1
    assert job.status.message == "ClaimNotFound: claim texts does not exist"
    job.tell(events.InputMissing("", ""))
    assert "claim" not in job.status.message
    assert job.run_to_the_end() == "Succeeded"


def test_a_job_whose_input_takes_too_long_to_plan_fails_and_says_so():
    job = JobUnderTest(limits=Limits(pre_running_deadline=60))
    job.held.add("plan")
    job.settle()
    job.pass_time(61)
    failed = job.status.conditions[-1]
    assert (job.phase, failed.reason) == ("Failed", "DeadlineExceeded")
    assert failed.message == "the job did not begin to run within 60 s: its input is still being planned"


def test_a_job_that_runs_has_no_deadline():
    job = JobUnderTest(limits=Limits(pre_running_deadline=60)).until_mapping()
    job.pass_time(100)
    assert job.phase == "Mapping"


def test_an_input_that_matches_nothing_fails_at_once():
    job = JobUnderTest()
    job.gateway.refuse_to["plan"] = ErrorInfo(
        kind="refused", reason="InputNotFound", message="nothing matches in/*.txt"
    )
    job.settle()
    assert job.status.conditions[-1].reason == "InputNotFound"
    assert job.store.cleaned == ["failed"]
    assert job.ended == "Failed"


def test_an_output_that_exists_fails_at_once_and_nothing_is_touched():
    job = JobUnderTest()
    job.gateway.refuse_to["open"] = ErrorInfo(kind="refused", reason="OutputExists", message="out/wc exists")
    job.settle()
    assert job.status.conditions[-1].reason == "OutputExists"
    assert job.store.cleaned == []
    assert job.ended == "Failed"


def test_a_job_that_is_active_for_longer_than_its_user_allows_fails():
    job = JobUnderTest(limits=Limits(active_deadline=60.0)).until_mapping()
    job.pass_time(59)
    assert job.ended is None
    job.pass_time(2)
    failed = next(condition for condition in job.status.conditions if condition.type == "Failed")
    assert (job.phase, failed.reason) == ("Failed", "DeadlineExceeded")


def test_the_time_before_a_restart_of_the_master_counts_for_the_deadline():
    job = JobUnderTest(limits=Limits(active_deadline=60.0)).until_mapping()
    job.pass_time(50)
    job.restart_master()
    job.pass_time(11)
    assert job.phase == "Failed"


def test_the_deadline_can_be_changed_while_the_job_runs():
    job = JobUnderTest(limits=Limits(active_deadline=60.0)).until_mapping()
    job.tell(events.SpecChanged(workers=2, suspend=False, active_deadline=0.0))
    job.pass_time(100)
    assert job.ended is None
    job.tell(events.SpecChanged(workers=2, suspend=False, active_deadline=90.0))
    job.pass_time(1)
    assert job.phase == "Failed"
