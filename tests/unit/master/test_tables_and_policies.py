"""Tables of states, small policies, names and the journal: the parts of the core that stand alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from mapreduce.errors import InvalidTransition
from mapreduce.history import HistoryEvent
from mapreduce.protocol import ErrorInfo
from mapreduce.spec import Limits
from mapreduce_operator.core import naming, policies, states
from mapreduce_operator.core.journal import Journal
from mapreduce_operator.core.states import JobState, TaskState, WorkerState
from mapreduce_operator.core.tasks import TaskTable
from tests.support.master_builder import spec

ERROR = ErrorInfo(kind="user", reason="UserCodeFailed", message="ValueError: no", where="a.txt:17")
ROOT = Path(__file__).parents[3]


def test_a_move_that_no_table_knows_raises_with_the_history_of_the_task():
    table = TaskTable("map", 3)
    table.move(1, "assigned")
    table.move(1, "put_back")
    with pytest.raises(InvalidTransition, match=r"map-1: put_back in state WAITING \(history: assigned, put_back\)"):
        table.move(1, "put_back")


@pytest.mark.parametrize(
    ("table", "all_states", "names"),
    [
        (states.TASK, TaskState, states.TASK_EVENTS),
        (states.JOB, JobState, states.JOB_EVENTS),
        (states.WORKER, WorkerState, states.WORKER_EVENTS),
    ],
)
def test_every_state_and_event_of_a_table_is_used_and_explained(table, all_states, names):
    assert {event for _, event in table} == set(names)
    reached = {state for state, _ in table} | set(table.values())
    assert reached == set(all_states)


def test_the_page_about_states_is_drawn_from_the_tables():
    check = subprocess.run(
        [sys.executable, "hack/states.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_policies_say_why():
    limits = Limits()
    retry = policies.user_failure("map-3", ERROR, 1, limits, seen_elsewhere=False)
    assert (retry.action, retry.reason) == ("retry", "UserCodeFailed")
    assert retry.message == "map-3 failed (1 of 4): ValueError: no (at a.txt:17)"
    assert policies.user_failure("map-3", ERROR, 4, limits, seen_elsewhere=False).action == "fail"
    assert policies.user_failure("map-3", ERROR, 2, limits, seen_elsewhere=True).action == "fail"
    assert policies.disruption("map-3", "WorkerLost", 19, limits).action == "retry"
    assert policies.disruption("map-3", "WorkerLost", 20, limits).reason == "DisruptionLimit"
    assert policies.before_running(299.0, limits, "") is None
    late = policies.before_running(300.0, limits, "Unschedulable: no node")
    assert late is not None
    assert late.message.endswith("within 300 s: Unschedulable: no node")


def test_a_job_without_a_limit_may_be_active_for_ever():
    assert policies.active(1e9, 0.0) is None
    assert policies.active(59.9, 60.0) is None
    late = policies.active(60.0, 60.0)
    assert late is not None
    assert (late.action, late.reason) == ("fail", "DeadlineExceeded")
    assert late.message.endswith("the 60 s that spec.activeDeadlineSeconds allows")


def test_code_hangs_when_it_has_moved_nothing_for_as_long_as_its_user_allows():
    limits = Limits(task_timeout=30.0)
    assert policies.progress(29.9, limits) is None
    hangs = policies.progress(30.0, limits)
    assert hangs is not None
    assert (hangs.action, hangs.reason) == ("retry", "NoProgress")
    assert hangs.message == "no progress for 30 s: no record, and no call of self.progress()"


@pytest.mark.parametrize(("already", "allowed", "goes_on"), [(0, 0, False), (0, 1, True), (1, 1, False), (1, 2, True)])
def test_as_many_tasks_are_left_out_as_the_user_allows(already, allowed, goes_on):
    assert policies.leaves_out(already, Limits(max_failed_tasks=allowed)) == goes_on


@pytest.mark.parametrize(
    ("complainants", "reducers", "running", "action"),
    [(1, 1, 5, "move"), (2, 2, 5, "move"), (3, 3, 5, "rerun"), (1, 1, 1, "rerun"), (2, 2, 2, "rerun")],
)
def test_three_complaints_or_those_of_all_who_run_make_the_map_run_again(complainants, reducers, running, action):
    assert policies.complaint(complainants, reducers, running).action == action


@pytest.mark.parametrize(
    ("maps", "free", "on_the_way", "waiting", "expected"),
    [(2, 0, 0, 5, 2), (2, 1, 0, 5, 1), (2, 0, 2, 5, 0), (5, 0, 0, 1, 1), (0, 0, 0, 5, 0)],
)
def test_as_many_make_room_as_are_needed(maps, free, on_the_way, waiting, expected):
    assert policies.to_preempt(maps, free, on_the_way, waiting) == expected


def test_names_can_be_read_back():
    place = naming.Place("gateway", 1, 12, 3)
    name = naming.worker(spec(name="a-w-1-2-3"), place)
    assert name == "a-w-1-2-3-01234567-g-1-12-3"
    assert naming.read(name) == place
    assert naming.read("something-else") is None


def event(number):
    return HistoryEvent(event="Started", wall=float(number))


def test_frames_that_nobody_waits_for_are_kept_back_for_a_second():
    journal = Journal(1)
    journal.append(event(1), 10.0)
    assert not journal.due(0, 10.9)
    assert journal.due(0, 11.0)
    assert not journal.due(1, 11.0)
    journal.append(event(2), 11.0, awaited=True)
    assert journal.due(1, 11.0)


def test_frames_stay_until_they_are_written_and_sequences_never_repeat():
    journal = Journal(7)
    for number in range(4):
        journal.append(event(number), 0.0)
    journal.acknowledge(2)
    assert [(frame.epoch, frame.sequence) for frame in journal.page()] == [(7, 3), (7, 4)]
    journal.acknowledge(1)
    journal.acknowledge(99)
    assert journal.written == 4
    assert journal.page() == ()
    assert journal.append(event(5), 0.0) == 5
