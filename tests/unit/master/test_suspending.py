"""Suspended: no process runs, what is staged stays; resumed, the job goes on with it."""

import pytest

from mapreduce.history import HistoryEvent
from mapreduce.spec import Limits
from mapreduce_operator.core import events, suspension
from tests.support.master_builder import JobUnderTest


def suspend(job, *, suspended=True, workers=2, deadline=0.0):
    """Say whether the user wants the job to run."""
    job.tell(events.SpecChanged(workers=workers, suspend=suspended, active_deadline=deadline))


def resume(job, **changes):
    """Let the job go on."""
    suspend(job, suspended=False, **changes)


def condition(job, kind):
    """The condition of a type, as (status, reason)."""
    return next((found.status, found.reason) for found in job.status.conditions if found.type == kind)


def test_a_job_that_is_suspended_from_the_start_starts_nothing_at_all():
    job = JobUnderTest(first_event=events.SpecChanged(workers=2, suspend=True, active_deadline=0.0))
    job.pass_time(600)
    assert job.asked_for == []
    assert job.phase == "Suspended"
    assert condition(job, "Suspended") == ("True", "Suspended")
    resume(job)
    assert job.run_to_the_end() == "Succeeded"
    assert condition(job, "Suspended") == ("False", "Resumed")


def test_a_suspension_is_told_in_the_same_words_with_a_core_and_without():
    job = JobUnderTest(first_event=events.SpecChanged(workers=2, suspend=True, active_deadline=0.0))
    told, announcement = suspension.without_core(job.mono + 1e9)
    assert (told.phase, told.message) == (job.phase, job.status.message)
    assert set(told.conditions) <= set(job.status.conditions)
    assert announcement.message == told.message
    assert announcement.reason == job.announced[-1].reason


def test_a_condition_that_stands_there_turns_when_a_core_knows_of_no_suspension():
    running, paused = events.JobStatus(phase="Mapping"), suspension.without_core(1.0)[0]
    assert suspension.turned(running, {"Suspended"}, 7.0) == (suspension.over(7.0),)
    assert suspension.turned(running, {"WorkersReady"}, 7.0) == ()
    assert suspension.turned(paused, {"Suspended"}, 7.0) == paused.conditions


def test_suspending_stops_every_process():
    job = JobUnderTest(maps=3).until_mapping()
    job.work()
    suspend(job)
    assert job.living() == []
    assert sorted(job.stopped) == sorted(command.name for command in job.asked_for)
    assert (job.phase, job.status.workers_ready) == ("Suspended", 0)
    told = "the job is suspended: no Pod of it runs, until spec.suspend is false"
    assert [found.message for found in job.status.conditions if found.type == "Suspended"] == [told]
    assert job.status.message == told
    asked = len(job.asked_for)
    job.pass_time(600)
    assert len(job.asked_for) == asked
    assert job.ended is None


@pytest.mark.parametrize("rounds", range(8))
@pytest.mark.parametrize("has_reduce", [True, False])
def test_a_job_that_is_suspended_at_any_time_comes_to_its_end_after_a_resume(rounds, has_reduce):
    job = JobUnderTest(maps=3, has_reduce=has_reduce)
    job.settle()
    job.work(rounds)
    suspend(job)
    job.pass_time(10)
    resume(job)
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.counters == ({"maps": 3, "reduces": 2} if has_reduce else {"maps": 3})


def test_what_is_staged_is_not_made_again():
    job = JobUnderTest(maps=2, reducers=2, workers=1).until_reducing()
    job.work()
    assert list(job.store.staged) == [0]
    suspend(job)
    resume(job)
    assert job.run_to_the_end() == "Succeeded"
    assert [
        str(event.attempt) for event in job.history("Assigned") if event.task == job.store.staged[0].source.task
    ] == ["reduce-0.e1.0"]


def test_maps_run_again_after_a_resume_for_the_reduces_that_are_left():
    job = JobUnderTest(maps=2, reducers=2, workers=1).until_reducing()
    job.work()
    suspend(job)
    assert job.status.maps.succeeded == 0
    resume(job)
    assert job.run_to_the_end() == "Succeeded"
    assert len([event for event in job.history("Assigned") if event.task.kind == "map"]) == 4


def test_no_name_is_used_twice_and_the_history_tells_of_the_pause():
    job = JobUnderTest().until_mapping()
    suspend(job)
    resume(job)
    assert job.run_to_the_end() == "Succeeded"
    names = [command.name for command in job.asked_for]
    assert len(names) == len(set(names)) == 6
    words = [frame.entry.event for frame in job.store.frames if isinstance(frame.entry, HistoryEvent)]
    assert words.index("Suspended") < words.index("Resumed") < words.index("Publishing")
    assert [said.reason for said in job.announced if said.reason in ("Suspended", "Resumed")] == [
        "Suspended",
        "Resumed",
    ]


def test_a_wish_that_is_repeated_changes_nothing():
    job = JobUnderTest().until_mapping()
    suspend(job)
    announced = len(job.announced)
    suspend(job)
    assert len(job.announced) == announced
    resume(job)
    resume(job)
    assert job.run_to_the_end() == "Succeeded"


def test_a_worker_that_comes_while_the_job_is_suspended_is_sent_away():
    job = JobUnderTest().until_mapping()
    late = job.workers[0]
    suspend(job)
    late.alive, late.session = True, ""
    assert job.register(late) is None
    assert job.refusals[-1].status == 410
    late.alive = True
    job.see(late, state="running")
    assert job.stopped.count(late.name) == 2


def test_a_job_that_publishes_is_not_suspended_any_more():
    job = JobUnderTest()
    job.held.add("publish")
    for _ in range(12):
        job.work()
    assert job.phase == "Publishing"
    suspend(job)
    job.settle()
    assert job.phase == "Publishing"
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"


def test_the_deadlines_begin_anew_with_a_resume():
    job = JobUnderTest(limits=Limits(active_deadline=60.0, pre_running_deadline=30.0)).until_mapping()
    job.pass_time(50)
    suspend(job, deadline=60.0)
    job.pass_time(100)
    assert job.phase == "Suspended"
    resume(job, deadline=60.0)
    job.until_mapping()
    job.pass_time(55)
    assert job.ended is None
    job.pass_time(6)
    assert job.phase == "Failed"


def test_a_job_that_is_resumed_and_gets_no_worker_fails_after_its_deadline():
    job = JobUnderTest(limits=Limits(pre_running_deadline=30.0)).until_mapping()
    job.pass_time(100)
    suspend(job)
    job.start_at_once = False
    resume(job)
    for _ in range(58):
        job.mono += 0.5
        job.tell(events.Ticked())
    assert job.phase == "Pending"
    for _ in range(4):
        job.mono += 0.5
        job.tell(events.Ticked())
    assert job.phase == "Failed"


def test_a_suspended_job_can_be_deleted():
    job = JobUnderTest().until_mapping()
    suspend(job)
    job.tell(events.JobDeleted())
    assert job.run_to_the_end() == "Deleted"
    assert job.store.cleaned == ["deleted"]


def test_a_job_that_never_began_is_deleted_at_once():
    job = JobUnderTest(first_event=events.SpecChanged(workers=2, suspend=True, active_deadline=0.0))
    job.tell(events.JobDeleted())
    assert (job.ended, job.asked_for) == ("Deleted", [])


def test_the_next_master_of_a_suspended_job_starts_nothing_and_stops_what_it_finds():
    job = JobUnderTest(maps=2).until_mapping()
    job.work()
    job.pass_time(2)
    found = job.living()
    asked = len(job.asked_for)
    job.first_event = events.SpecChanged(workers=2, suspend=True, active_deadline=0.0)
    job.restart_master()
    assert [process.alive for process in found] == [False] * len(found)
    job.pass_time(100)
    assert (job.phase, len(job.asked_for)) == ("Suspended", asked)
    resume(job)
    assert job.run_to_the_end() == "Succeeded"
    assert job.status.counters == {"maps": 2, "reduces": 2}


def test_after_a_restart_the_time_before_a_pause_does_not_count_for_the_deadline():
    limits = Limits(active_deadline=60.0)
    job = JobUnderTest(limits=limits).until_mapping()
    job.pass_time(50)
    suspend(job, deadline=60.0)
    resume(job, deadline=60.0)
    job.until_mapping()
    job.pass_time(30)
    job.restart_master()
    job.pass_time(20)
    assert job.ended is None
    job.pass_time(15)
    assert job.phase == "Failed"


def test_a_master_that_ends_before_the_resume_is_journalled_hands_its_time_on_by_the_status():
    job = JobUnderTest(limits=Limits(active_deadline=60.0)).until_mapping()
    job.pass_time(50)
    suspend(job, deadline=60.0)
    job.pass_time(100)
    job.start_at_once = False
    resume(job, deadline=60.0)
    wanted = events.SpecChanged(workers=2, suspend=False, active_deadline=60.0, resumed_wall=job.mono + 1e9)
    job.pass_time(10)
    assert "Resumed" not in str(job.store.frames)
    job.start_at_once, job.first_event = True, wanted
    job.restart_master()
    job.until_mapping()
    job.pass_time(40)
    assert job.ended is None
    job.pass_time(15)
    assert job.phase == "Failed"
    assert condition(job, "Failed") == ("True", "DeadlineExceeded")
