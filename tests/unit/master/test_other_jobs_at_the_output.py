"""Others left something at the output's name: who of them lives is asked after that was seen, not before."""

from mapreduce_operator.core import events
from tests.support.master_builder import JobUnderTest


def contested(*uids: str, resumed: bool = False) -> JobUnderTest:
    job = JobUnderTest(maps=2, workers=1, resumed=resumed)
    job.store.others = dict.fromkeys(uids, "")
    job.settle()
    return job


def test_the_output_is_not_opened_before_it_is_known_who_lives():
    job = contested("one", "two")
    assert job.sought == [("one", "two")]
    assert not job.store.frames
    job.tell(events.Ticked())
    assert job.sought == [("one", "two")]


def test_what_the_dead_left_is_swept_and_the_job_goes_on():
    job = contested("one", "two")
    job.tell(events.JobsFound((), ("one", "two")))
    assert job.run_to_the_end() == "Succeeded"
    assert not job.store.others


def test_a_living_job_keeps_the_output_and_the_second_one_fails_at_once():
    job = contested("one", "two")
    job.tell(events.JobsFound(("two",), ("one",)))
    job.settle()
    assert job.status.phase == "Failed"
    assert job.status.conditions[-1].reason == "OutputReserved"
    assert "two" in job.store.others


def test_who_comes_while_it_is_asked_is_asked_for_too():
    job = contested("one")
    job.store.others["two"] = ""
    job.tell(events.JobsFound((), ("one",)))
    job.settle()
    assert job.sought == [("one",), ("two",)]


def test_asking_charges_no_budget():
    job = contested("job-0")
    for number in range(30):
        job.store.others[f"job-{number + 1}"] = ""
        job.tell(events.JobsFound((), (f"job-{number}",)))
        job.settle()
    job.tell(events.JobsFound((), ("job-30",)))
    assert job.run_to_the_end() == "Succeeded"
