"""Others left something at the output's name: who of them lives is asked after that was seen, not before."""

from mapreduce_operator.core import events, storage
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


def test_who_opens_the_output_is_told_who_judges():
    job = JobUnderTest(maps=2, workers=1)
    job.settle()
    assert job.store.judge == "judge"


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
    another_comes(job, 20)
    assert job.sought[-1] == ("job-20",)
    job.tell(events.JobsFound((), ("job-20",)))
    assert job.run_to_the_end() == "Succeeded"


def another_comes(job: JobUnderTest, times: int) -> None:
    """Let another job leave something each time that the one before was found dead, and time pass until it is seen."""
    for number in range(times):
        job.store.others[f"job-{number + 1}"] = ""
        job.tell(events.JobsFound((), (f"job-{number}",)))
        job.settle()
        job.pass_time(8.0)


def test_an_output_that_is_contested_again_and_again_is_looked_at_more_and_more_seldom():
    job = contested("job-0")
    job.store.others["job-1"] = ""
    job.tell(events.JobsFound((), ("job-0",)))
    job.settle()
    assert job.sought == [("job-0",), ("job-1",)], "the first time at once"
    job.store.others["job-2"] = ""
    job.tell(events.JobsFound((), ("job-1",)))
    job.settle()
    assert len(job.sought) == 2
    job.pass_time(0.5)
    assert job.sought[2:] == [("job-2",)]


def test_an_output_that_stays_contested_is_given_up():
    job = contested("job-0")
    another_comes(job, storage.CONTESTS)
    assert job.ended == "Failed"
    assert job.status.conditions[-1].reason == "OutputReserved"
    assert len(job.sought) == storage.CONTESTS + 1


def test_of_very_many_others_some_are_asked_for_at_a_time():
    names = [f"job-{number:03}" for number in range(150)]
    job = contested(*names)
    assert job.sought == [tuple(names[:100])]
    job.tell(events.JobsFound((), job.sought[0]))
    job.settle()
    assert job.sought[1:] == [tuple(names[100:])]
    job.tell(events.JobsFound((), job.sought[1]))
    assert job.run_to_the_end() == "Succeeded"
