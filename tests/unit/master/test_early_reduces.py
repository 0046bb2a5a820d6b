"""Reduces begin to gather while maps run, in slots that would idle, and never keep anything from running."""

from mapreduce_operator.core import early, events
from tests.support import slow_tasks
from tests.support.master_builder import JobUnderTest

MOVED = "SegmentUnreadable"


def with_one_map_left(*, maps=2, workers=2, slots=1, **changes):
    """Return a job of which one map runs still, and the workers with it and beside it."""
    job = JobUnderTest(maps=maps, workers=workers, slots=slots, **changes).until_mapping()
    while len(job.running("map")) + job.master.book.tasks["map"].counts[0] > 1:
        job.finish(*job.running("map")[-1])
    ((busy, last),) = job.running("map")
    return job, busy, last


def names(pairs):
    return [str(attempt) for _, attempt in pairs]


def test_a_slot_that_would_idle_gets_a_reduce_while_a_map_runs():
    job, busy, last = with_one_map_left()
    ((other, attempt),) = job.running("reduce")
    assert other is not busy
    assert job.phase == "Mapping"
    assert [event.reason for event in job.history("Assigned") if event.attempt == attempt] == ["Early"]
    assert attempt in other.waiting
    job.finish(busy, last)
    assert not other.waiting, "it is told of the last map at once"
    assert job.run_to_the_end() == "Succeeded"
    assert names(job.running("reduce")) == []
    assert (job.status.reduces.retried, job.status.reduces.succeeded) == (0, 2)


def test_before_any_map_has_rows_nothing_can_be_gathered():
    job = JobUnderTest(maps=1, workers=3).until_mapping()
    assert job.running("reduce") == []


def test_while_a_map_waits_no_reduce_begins():
    job = JobUnderTest(maps=5, workers=2, reducers=4).until_mapping()
    for _ in range(3):
        assert job.running("reduce") == []
        job.finish(*job.running("map")[0])
    assert len(job.running("map")) == 2
    assert job.running("reduce") == []


def test_a_map_that_runs_again_takes_the_slot_of_a_reduce_that_gathers():
    job, busy, last = with_one_map_left()
    busy.fail(last)
    busy.request = 0
    job.start_at_once = False
    other = next(worker for worker in job.workers if worker is not busy)
    job.kill(busy)
    assert names(job.running("map")) == ["map-0.e1.1"] or names(job.running("map")) == ["map-1.e1.1"]
    assert list(other.active) == [attempt for _, attempt in job.running("map")]
    assert [event.reason for event in job.history("Cancelled")] == ["Preempted"]
    job.start_at_once = True
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.reduces.retried == 0, "what only gathered is not repeated"


def test_a_reduce_that_was_not_begun_yet_makes_room_too():
    job = JobUnderTest(maps=2, workers=2).until_mapping()
    (first, one), (second, other) = job.running("map")
    # The answer with the reduce is lost, and the map beside it fails: the slot is needed.
    first.answers_to_lose = 1
    job.finish(first, one)
    second.fail(other)
    second.request = 0
    job.settle()
    assert job.run_to_the_end() == "Succeeded"


def test_a_worker_that_is_lost_with_a_reduce_that_gathers_costs_nothing():
    job, busy, last = with_one_map_left(maps=3, workers=3)
    victim, attempt = job.running("reduce")[0]
    job.start_at_once = False
    held = [one.task.index for one in victim.outputs]
    victim.outputs.clear()
    job.kill(victim)
    assert [event.budget for event in job.history("Lost") if event.attempt == attempt] == [""]
    assert job.master.book.charges["disruption"] == 0
    assert held, "its map runs again"
    job.start_at_once = True
    job.finish(busy, last)
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.charges.disruption == 0


def test_a_complaint_of_a_reduce_that_gathers_is_put_off_until_all_reduces_run():
    job, busy, last = with_one_map_left()
    ((other, attempt),) = job.running("reduce")
    other.complain(attempt, other.name, [one.task.index for one in other.outputs])
    other.request = 0
    job.settle()
    assert job.history("Charged") == []
    assert [event.reason for event in job.history("Cancelled")] == [MOVED]
    ((_, again),) = job.running("reduce")
    assert again.task != attempt.task, "that one rests"
    job.finish(busy, last)
    assert job.run_to_the_end() == "Succeeded"


def test_a_scratch_disk_that_is_full_costs_nothing_and_the_reduce_rests():
    job, busy, last = with_one_map_left(reducers=1)
    ((other, attempt),) = job.running("reduce")
    other.fail(attempt, kind="disruption", reason="StorageFailed", message="no space left on device")
    other.request = 0
    job.settle()
    assert job.running("reduce") == []
    assert job.master.book.charges["disruption"] == 0
    job.pass_time(16)
    assert names(job.running("reduce")) == ["reduce-0.e1.1"]
    assert busy.active
    job.finish(busy, last)
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.charges.disruption == 0


def test_a_reduce_that_rests_begins_when_every_map_has_succeeded():
    job, busy, last = with_one_map_left(reducers=1)
    ((other, attempt),) = job.running("reduce")
    other.fail(attempt, kind="disruption", reason="StorageFailed", message="no space left on device")
    other.request = 0
    job.settle()
    job.finish(busy, last)
    assert names(job.running("reduce")) == ["reduce-0.e1.1"]


def test_what_a_reduce_takes_is_counted_from_the_last_map_on():
    job, busy, last = with_one_map_left()
    job.pass_time(100)
    job.finish(busy, last)
    job.pass_time(2)
    for worker, attempt in job.running("reduce"):
        job.finish(worker, attempt)
    job.pass_time(2)
    early_one = next(event.attempt for event in job.history("Assigned") if event.reason == "Early")
    (taken,) = (event.seconds for event in job.history("Finished") if event.attempt == early_one)
    assert 2 <= taken < 10


def test_a_slow_map_gets_its_backup_though_reduces_have_every_other_slot():
    job = slow_tasks.job(reducers=8)
    busy, last = slow_tasks.until_one_is_left(job)
    job.pass_time(1)
    assert slow_tasks.backups(job) == ["map-0.e1.1"]
    assert [event.reason for event in job.history("Cancelled")] == ["Preempted"]
    assert len(job.running("reduce")) == 2, "the slots of both attempts are taken"
    job.finish(busy, last)
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.reduces.retried == 0


def test_on_the_only_worker_there_is_no_backup_to_make_room_for():
    job = JobUnderTest(maps=8, workers=1, slots=2, reducers=2).until_mapping()
    busy, last = job.running("map")[0]
    while len(job.running("map")) > 1 or job.master.book.tasks["map"].counts[0]:
        job.pass_time(5)
        job.finish(*job.running("map")[1])
    assert len(job.running("reduce")) == 1
    job.pass_time(60)
    assert len(job.running("reduce")) == 1
    assert job.history("Cancelled") == []
    job.finish(busy, last)
    assert job.run_to_the_end() == "Succeeded"


def test_a_map_that_should_run_elsewhere_takes_the_slot_of_a_reduce_elsewhere():
    job, busy, last = with_one_map_left(workers=3, maps=3)
    busy.fail(last)
    busy.request = 0
    job.settle()
    job.pass_time(1)
    ((other, again),) = job.running("map")
    assert again.task == last.task
    assert other is not busy
    assert job.run_to_the_end() == "Succeeded"


def test_a_worker_that_is_too_many_is_not_kept_by_a_reduce_that_gathers():
    job, busy, last = with_one_map_left(maps=3, workers=3)
    gathering = [worker for worker, _ in job.running("reduce")]
    assert len(gathering) == 2
    job.tell(events.SpecChanged(workers=1, suspend=False, active_deadline=0.0))
    job.settle()
    assert job.running("reduce") == []
    assert busy.active
    job.finish(busy, last)
    assert job.run_to_the_end() == "Succeeded"


def test_only_so_many_gather_at_the_same_time(monkeypatch):
    monkeypatch.setattr(early, "MOST", 2)
    job, busy, last = with_one_map_left(maps=5, workers=5, reducers=8)
    assert len(job.running("reduce")) == 2
    job.finish(busy, last)
    assert len(job.running("reduce")) == 5


def test_no_answer_is_sent_for_each_map_that_ends():
    job = JobUnderTest(maps=4, workers=4, reducers=1).until_mapping()
    job.finish(*job.running("map")[0])
    ((other, _),) = job.running("reduce")
    told = len(other.answers)
    job.finish(*job.running("map")[0])
    assert len(other.answers) == told
    job.pass_time(4)
    assert len(other.places) == 2, "with the beat it is told"
    job.finish(*job.running("map")[0])
    job.finish(*job.running("map")[0])
    assert len(other.places) == 4, "and at once when the last has ended"


def test_a_job_without_reduce_has_none_that_begins():
    job, busy, last = with_one_map_left(has_reduce=False)
    assert job.running("reduce") == []
    job.finish(busy, last)
    assert job.run_to_the_end() == "Succeeded"


def test_a_new_master_takes_over_what_gathers():
    job, busy, last = with_one_map_left()
    ((other, attempt),) = job.running("reduce")
    job.restart_master()
    job.pass_time(1)
    assert attempt in other.active
    job.finish(busy, last)
    assert job.run_to_the_end() == "Succeeded"
    assert all(event.attempt != attempt for event in job.history("Cancelled"))


def test_the_fault_of_user_code_is_charged_as_ever():
    job, busy, last = with_one_map_left()
    job.finish(busy, last)
    worker, attempt = job.running("reduce")[0]
    worker.fail(attempt)
    worker.request = 0
    job.settle()
    assert [event.attempt for event in job.history("Charged")] == [attempt]
    assert job.run_to_the_end() == "Succeeded"
