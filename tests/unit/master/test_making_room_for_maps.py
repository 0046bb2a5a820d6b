"""A reduce that waits for a lost segment must not hold the slot that the map needs."""

from tests.support.master_builder import JobUnderTest


def test_a_waiting_reduce_makes_room_for_a_waiting_map():
    job = JobUnderTest(maps=2, reducers=2, workers=2).until_reducing()
    first, second = job.workers
    job.start_at_once = False
    job.kill(second)
    assert [str(attempt) for attempt in first.active] == ["map-1.e1.1"]
    assert [event.reason for event in job.history("Cancelled")] == ["Preempted"]
    assert job.history("Charged") == []
    assert job.run_to_the_end() == "Succeeded"


def test_a_reduce_that_has_all_it_needs_is_left_alone():
    job = JobUnderTest(maps=2, reducers=2, workers=2).until_reducing()
    first, second = job.workers
    computing = next(iter(first.active))
    first.compute(computing)
    job.start_at_once = False
    job.kill(second)
    assert computing in first.active
    assert job.history("Cancelled") == []
    job.finish(first, computing)
    assert job.run_to_the_end() == "Succeeded"


def test_only_as_many_reduces_make_room_as_maps_wait():
    job = JobUnderTest(maps=4, reducers=8, workers=4, slots=2).until_reducing()
    job.start_at_once = False
    lost = next(worker for worker in job.workers if len(worker.outputs) == 1)
    job.kill(lost)
    assert len([event for event in job.history("Cancelled") if event.reason == "Preempted"]) == 1
    assert job.run_to_the_end() == "Succeeded"
