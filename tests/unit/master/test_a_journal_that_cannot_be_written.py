"""The output's gateway cannot write the journal: the job says so, goes on when it can, fails when it never can."""

from mapreduce.spec import Limits
from mapreduce_operator.core import policies
from tests.support.master_builder import JobUnderTest


def in_trouble(message: str = "no space left on device") -> JobUnderTest:
    job = JobUnderTest(maps=2, workers=1).until_reducing()
    job.gateway.trouble = message
    job.pass_time(4)
    return job


def test_people_are_told_why_nothing_moves():
    job = in_trouble()
    assert job.status.phase == "Reducing"
    assert job.status.message == "the journal cannot be written: no space left on device"
    told = [announcement for announcement in job.announced if announcement.reason == "StorageFailed"]
    assert [(one.kind, one.message) for one in told] == [("Warning", job.status.message)]


def test_a_journal_that_can_be_written_again_is_forgotten_about():
    job = in_trouble()
    job.gateway.trouble = ""
    job.pass_time(4)
    assert job.status.message == ""
    assert job.run_to_the_end() == "Succeeded"


def test_a_journal_that_cannot_be_written_for_too_long_fails_the_job():
    job = in_trouble()
    job.pass_time(100)
    assert job.status.phase == "Reducing"
    job.pass_time(40)
    assert job.ended == "Failed"
    failed = job.status.conditions[-1]
    assert (failed.reason, failed.message) == (
        "StorageFailed",
        "the journal cannot be written: no space left on device",
    )
    assert job.store.cleaned == ["failed"]


def test_a_journal_has_as_long_as_other_tasks_of_the_store():
    limits = Limits()
    assert policies.journal_given_up(135.0, "full", limits) is None
    assert policies.journal_given_up(136.0, "full", limits) is not None


def test_a_journal_that_was_lost_with_what_it_held_fails_the_job_at_once():
    job = JobUnderTest(maps=2, workers=1).until_reducing()
    job.store.frames.clear()
    job.gateway.lost = job.gateway.open = True
    job.gateway.written = 0
    job.gateway.request = 0
    job.pass_time(8)
    assert job.ended == "Failed"
    assert job.status.conditions[-1].reason == "StorageFailed"


def test_a_journal_that_only_was_in_another_hand_is_opened_again_and_the_job_goes_on():
    job = JobUnderTest(maps=2, workers=1).until_reducing()
    job.gateway.lost = True
    job.gateway.written = 0
    job.gateway.request = 0
    job.pass_time(4)
    assert not job.gateway.lost
    assert job.run_to_the_end() == "Succeeded"
