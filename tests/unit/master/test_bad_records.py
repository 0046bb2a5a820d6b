"""Bad records are counted over the maps that count, published once in the order of the input, and bounded."""

import pytest

from mapreduce.bad_records import BadRecord
from tests.support.master_builder import JobUnderTest


def bad(offset, file="a.txt"):
    return BadRecord(file=file, offset=offset, reason="UserCodeFailed", message=f"ValueError: {offset}", record="x")


SPOILED = {"map-0": (bad(1), bad(7)), "map-2": (bad(200),)}
IN_ORDER = (bad(1), bad(7), bad(200))


def spoiled_job(limit=3, **changes):
    """A job of three maps, two of which leave records out."""
    job = JobUnderTest(maps=3, skip_bad_records=limit, **changes)
    job.spoiled |= SPOILED
    return job


@pytest.mark.parametrize("has_reduce", [True, False])
def test_they_are_in_the_status_and_are_published_in_the_order_of_the_input(has_reduce):
    job = spoiled_job(has_reduce=has_reduce)
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.bad_records == 3
    assert job.store.bad == IN_ORDER


@pytest.mark.parametrize("has_reduce", [True, False])
def test_one_more_than_the_job_may_have_fails_it_and_the_last_is_named(has_reduce):
    job = spoiled_job(limit=2, has_reduce=has_reduce)
    assert job.run_to_the_end() == "Failed"
    failed = next(found for found in job.status.conditions if found.type == "Failed")
    assert failed.reason == "TooManyBadRecords"
    assert "the 2 that may be left out" in failed.message
    assert "ValueError" in failed.message
    assert not job.store.published


def test_a_job_that_may_leave_out_none_fails_at_the_first():
    assert spoiled_job(limit=0).run_to_the_end() == "Failed"


def test_a_lost_output_takes_its_records_back_and_they_count_once_when_its_map_has_run_again():
    job = JobUnderTest(maps=2, workers=2, skip_bad_records=4)
    job.spoiled |= {"map-0": (bad(1), bad(2)), "map-1": (bad(100), bad(101))}
    job.until_mapping()
    worker, attempt = job.running("map")[0]
    job.finish(worker, attempt)
    assert job.status.bad_records == 2
    job.kill(worker)
    assert job.status.bad_records == 0
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.bad_records == 4
    assert job.store.bad == (bad(1), bad(2), bad(100), bad(101))


@pytest.mark.parametrize("has_reduce", [True, False])
def test_a_restart_of_the_master_forgets_none(has_reduce):
    job = spoiled_job(workers=2, has_reduce=has_reduce)
    job.until_mapping()
    job.work()
    job.pass_time(2)
    before = job.status.bad_records
    assert before > 0
    job.restart_master()
    job.settle()
    assert job.status.bad_records == before
    assert job.run_to_the_end() == "Succeeded"
    assert job.store.bad == IN_ORDER


def test_a_restart_after_which_no_worker_holds_them_any_more_forgets_none():
    job = spoiled_job(workers=1)
    job.restart_without_workers_at_publishing()
    assert job.run_to_the_end() == "Succeeded"
    assert (job.status.bad_records, job.store.bad) == (3, IN_ORDER)


def test_the_limit_counts_what_was_left_out_before_a_restart():
    job = spoiled_job(limit=2, workers=1)
    job.until_mapping()
    worker, attempt = job.running("map")[0]
    job.finish(worker, attempt)
    job.pass_time(2)
    assert job.ended is None
    job.restart_master()
    assert job.run_to_the_end() == "Failed"
    failed = next(found for found in job.status.conditions if found.type == "Failed")
    assert (failed.reason, "a.txt:200" in failed.message) == ("TooManyBadRecords", True)


def test_people_are_told_of_the_first_alone():
    job = spoiled_job()
    job.run_to_the_end()
    told = [told.message for told in job.announced if told.reason == "BadRecordsSkipped"]
    assert len(told) == 1
    assert "a.txt:" in told[0]
