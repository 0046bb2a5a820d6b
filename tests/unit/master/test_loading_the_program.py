"""One worker loads the program before any map runs, and tells its shape."""

from tests.support.master_builder import JobUnderTest


def test_one_worker_looks_at_the_program_before_any_map():
    job = JobUnderTest(workers=3)
    job.settle()
    assert [str(attempt) for _, attempt in job.running("load")] == ["load-0.e1.0"]
    assert job.running("map") == []
    assert job.phase == "Planning"


def test_if_that_worker_is_lost_another_one_looks():
    job = JobUnderTest(workers=2)
    job.settle()
    job.kill(job.running("load")[0][0])
    assert [str(attempt) for _, attempt in job.running("load")] == ["load-0.e1.1"]
    assert job.run_to_the_end() == "Succeeded"


def test_a_program_that_cannot_be_loaded_fails_the_job_with_its_own_words():
    job = JobUnderTest()
    job.settle()
    worker, attempt = job.running("load")[0]
    worker.fail(attempt, kind="refused", reason="ProgramInvalid", message="job.py, line 3: invalid syntax")
    worker.request = 0
    job.settle()
    failed = job.status.conditions[-1]
    assert (job.phase, failed.type, failed.reason) == ("Failed", "Failed", "ProgramInvalid")
    assert "line 3" in failed.message


def test_reducers_of_zero_are_refused_at_once():
    job = JobUnderTest(reducers=0)
    assert job.phase == "Failed"
    assert job.status.conditions[-1].reason == "InvalidSpec"
    assert job.ended == "Failed"
