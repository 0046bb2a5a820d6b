"""What user code counted is summed over the attempts that count, and over no others."""

import json

import pytest

from mapreduce.counters import CounterError
from mapreduce.history import HistoryEvent
from mapreduce_operator.core.tally import Counted, Tally
from tests.support.master_builder import JobUnderTest


def test_the_sums_of_maps_and_reduces_are_in_status_and_manifest():
    job = JobUnderTest(maps=3, reducers=2)
    job.counting["map-1.e1.0"] = {"maps": 1, "long": 7}
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.counters == {"long": 7, "maps": 3, "reduces": 2}
    assert json.loads(job.store.manifest)["counters"] == {"long": 7, "maps": 3, "reduces": 2}


def test_what_failed_attempts_counted_does_not_count():
    job = JobUnderTest(maps=1)
    job.until_mapping()
    worker, attempt = job.running("map")[0]
    worker.fail(attempt)
    worker.request = 0
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.counters == {"maps": 1, "reduces": 2}


def test_a_lost_output_takes_its_counters_back_until_it_is_made_again():
    job = JobUnderTest(maps=2, workers=2)
    job.counting |= {"map-0.e1.1": {"again": 1}, "map-1.e1.1": {"again": 1}}
    job.until_mapping()
    worker, attempt = job.running("map")[0]
    job.finish(worker, attempt)
    assert job.status.counters == {"maps": 1}
    job.kill(worker)
    assert job.status.counters == {}
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.counters["again"] == 1
    assert job.status.counters["reduces"] == 2


def test_a_job_without_reduce_sums_over_its_staged_parts():
    job = JobUnderTest(maps=3, has_reduce=False)
    job.held.add("stage")
    job.until_mapping().work()
    assert job.status.counters == {}
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.counters == {"maps": 3}


@pytest.mark.parametrize("has_reduce", [True, False])
def test_a_restart_of_the_master_changes_no_sum(has_reduce):
    job = JobUnderTest(maps=3, workers=2, has_reduce=has_reduce)
    job.until_mapping()
    job.work()
    job.pass_time(2)
    before = job.status.counters
    job.restart_master()
    job.settle()
    assert job.status.counters == before
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.counters == ({"maps": 3, "reduces": 2} if has_reduce else {"maps": 3})


def test_a_restart_after_which_no_map_is_needed_any_more_changes_no_sum():
    job = JobUnderTest(maps=2, workers=1)
    job.restart_without_workers_at_publishing()
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.counters == {"maps": 2, "reduces": 2}


def test_what_maps_counted_is_durable_before_the_first_part_of_a_reduce_is_staged():
    job = JobUnderTest(maps=2, reducers=1)
    job.until_reducing()
    job.held.add("journal")
    job.work()
    job.pass_time(5)
    assert job.store.staged == {}
    job.held.clear()
    job.settle()
    job.pass_time(1)
    assert job.store.staged
    entries = [frame.entry for frame in job.store.frames if isinstance(frame.entry, HistoryEvent)]
    staged = next(number for number, entry in enumerate(entries) if entry.event == "Staged")
    finished = [entry for entry in entries[:staged] if entry.event == "Finished" and str(entry.task).startswith("map-")]
    assert [entry.counters for entry in finished] == [{"maps": 1}, {"maps": 1}]


def test_more_names_than_a_job_may_have_fail_it():
    job = JobUnderTest(maps=2, workers=2)
    job.counting |= {f"map-{index}.e1.0": {f"{index}-{number}": 1 for number in range(30)} for index in range(2)}
    assert job.run_to_the_end() == "Failed"
    failed = job.status.conditions[-1]
    assert failed.reason == "UserCodeFailed"
    assert "at most 50 counters" in failed.message


def test_a_tally_forgets_names_that_nobody_counts_under_any_more():
    tally = Tally()
    tally.add({"a": 2, "b": -1})
    tally.add({"a": 3})
    tally.add({"a": 2, "b": -1}, -1)
    assert tally.totals() == {"a": 3}


def test_a_tally_keeps_a_name_whose_sum_is_zero():
    tally = Tally()
    tally.add({"a": 1})
    tally.add({"a": -1})
    assert tally.totals() == {"a": 0}


def test_a_sum_that_fits_in_no_64_bits_is_refused():
    tally = Tally()
    tally.add({"a": 2**62})
    tally.add({"a": 2**62})
    with pytest.raises(CounterError, match="64 bits"):
        tally.check()


def test_what_a_map_counted_is_replaced_not_added():
    counted = Counted()
    counted.put(3, {"a": 1, "b": 2})
    counted.put(3, {"a": 5})
    assert (counted.get(3), list(counted.indices())) == ({"a": 5}, [3])
    counted.put(3, {})
    assert (counted.get(3), list(counted.indices())) == ({}, [])


def test_maps_that_need_not_run_again_after_all_count_as_before():
    job = JobUnderTest(maps=2, reducers=1, workers=1)
    job.held.add("stage")
    job.until_reducing()
    worker, attempt = job.running("reduce")[0]
    job.finish(worker, attempt)
    job.start_at_once = False
    job.gateway.mute = True
    job.gateway.do_storage(job.store, set())
    job.kill(worker)
    assert job.status.counters == {}
    job.gateway.mute, job.start_at_once = False, True
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert set(job.store.staged_times.values()) == {1}
    assert (job.status.counters, job.status.maps.succeeded) == ({"maps": 2, "reduces": 1}, 2)
    assert len([event for event in job.history("Assigned") if event.task.kind == "map"]) == 2
