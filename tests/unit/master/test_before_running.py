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
