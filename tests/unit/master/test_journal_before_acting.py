"""What must be durable before the master goes on: the epoch, the plan, a charged failure, the intent to publish."""

from mapreduce.spec import Limits
from tests.support.master_builder import JobUnderTest


def kinds_of_work(job):
    return {attempt.task.kind for process in job.living() for attempt in process.active}


def test_nothing_is_planned_before_the_epoch_is_written():
    job = JobUnderTest()
    job.held.add("journal")
    job.pass_time(4)
    assert "plan" not in {event.task.kind for event in job.history("Assigned")}
    job.held.clear()
    job.pass_time(1)
    assert job.phase in ("Planning", "Mapping")
    assert "plan" in {event.task.kind for event in job.history("Assigned")}


def test_the_first_frame_of_an_epoch_tells_of_it():
    job = JobUnderTest()
    job.run_to_the_end()
    assert job.store.frames[0].entry.event == "EpochOpened"


def test_no_map_is_assigned_before_the_plan_is_written():
    job = JobUnderTest()
    job.held.add("plan")
    job.until_mapping()
    job.held = {"journal"}
    job.pass_time(4)
    assert job.running("map") == []
    job.held.clear()
    job.pass_time(1)
    assert len(job.running("map")) == 2


def test_a_task_that_was_charged_runs_again_only_when_that_is_written():
    job = JobUnderTest(maps=1, limits=Limits()).until_mapping()
    job.held.add("journal")
    worker, attempt = job.running("map")[0]
    worker.fail(attempt)
    worker.request = 0
    job.pass_time(4)
    assert job.running("map") == []
    job.held.clear()
    job.pass_time(1)
    assert [attempt.number for _, attempt in job.running("map")] == [1]


def test_nothing_is_published_before_the_intent_is_written():
    job = JobUnderTest()
    job.held.add("stage")
    job.until_reducing()
    job.work()
    job.held = {"stage"}
    job.settle()
    job.held = set()
    job.gateway.do_storage(job.store, set())
    job.held = {"journal"}
    job.pass_time(4)
    assert job.phase == "Publishing"
    assert kinds_of_work(job) == set()
    job.held = set()
    assert job.run_to_the_end() == "Succeeded"
    assert job.store.frames[-1].entry.event == "Publishing"


def test_no_part_is_staged_before_what_it_consumed_is_written():
    job = JobUnderTest(reducers=1).until_reducing()
    job.held.add("journal")
    worker, attempt = job.running("reduce")[0]
    job.finish(worker, attempt)
    job.pass_time(4)
    assert job.store.staged == {}
    job.held.clear()
    job.pass_time(1)
    consumed = [frame.entry.event for frame in job.store.frames if frame.entry.__class__.__name__ == "HistoryEvent"]
    assert consumed.index("Consumed") < consumed.index("Staged")
