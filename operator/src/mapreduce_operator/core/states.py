"""The state machines of the master, as tables: task, job, worker.

`docs/states.md` is drawn from these tables by `hack/states.py`. Neighbours: `tasks.py`,
`workers.py` and `book.py` hold the states; nobody changes one but through `after`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, Literal, TypeVar

from mapreduce.errors import InvalidTransition


class TaskState(IntEnum):
    """Where a task is. STAGING: a reduce attempt reported, and the gateway fetches its part."""

    WAITING = 0
    RUNNING = 1
    STAGING = 2
    SUCCEEDED = 3
    FAILED = 4


TaskEvent = Literal["assigned", "put_back", "succeeded", "reported", "staged", "part_lost", "output_lost", "spent"]

TASK_EVENTS: Final[dict[TaskEvent, str]] = {
    "assigned": "An attempt was given to a worker, or one that runs was taken over from an older epoch.",
    "put_back": "No attempt is left that counts; attempts on workers that are ending may still win.",
    "succeeded": "An attempt of a map or of the store succeeded, or a worker announced its finished output.",
    "reported": "A reduce attempt finished; its part is still on its worker.",
    "staged": "The part is durable on the store.",
    "part_lost": "The part could not be staged from its worker.",
    "output_lost": "What it made is gone and still needed: a map output, or the output that a gateway had open.",
    "spent": "A budget of the task is used up.",
}

TASK: Final[Mapping[tuple[TaskState, TaskEvent], TaskState]] = {
    (TaskState.WAITING, "assigned"): TaskState.RUNNING,
    (TaskState.WAITING, "succeeded"): TaskState.SUCCEEDED,
    (TaskState.WAITING, "reported"): TaskState.STAGING,
    (TaskState.WAITING, "staged"): TaskState.SUCCEEDED,
    (TaskState.WAITING, "spent"): TaskState.FAILED,
    (TaskState.RUNNING, "assigned"): TaskState.RUNNING,
    (TaskState.RUNNING, "put_back"): TaskState.WAITING,
    (TaskState.RUNNING, "succeeded"): TaskState.SUCCEEDED,
    (TaskState.RUNNING, "reported"): TaskState.STAGING,
    (TaskState.RUNNING, "staged"): TaskState.SUCCEEDED,
    (TaskState.RUNNING, "spent"): TaskState.FAILED,
    (TaskState.STAGING, "staged"): TaskState.SUCCEEDED,
    (TaskState.STAGING, "part_lost"): TaskState.WAITING,
    (TaskState.SUCCEEDED, "output_lost"): TaskState.WAITING,
}


class JobState(IntEnum):
    """Where a job is; the names are the phases that people see."""

    PENDING = 0
    PLANNING = 1
    MAPPING = 2
    REDUCING = 3
    PUBLISHING = 4
    SUCCEEDED = 5
    FAILED = 6
    SUSPENDED = 7


JobEvent = Literal["opened", "planned", "maps_done", "parts_done", "published", "failed", "suspended", "resumed"]

JOB_EVENTS: Final[dict[JobEvent, str]] = {
    "opened": "The output's name is reserved, and its journal holds no plan.",
    "planned": "The plan is in the journal, and the program was loaded once.",
    "maps_done": "Every map has succeeded.",
    "parts_done": "Every part is staged.",
    "published": "The output stands under its final name.",
    "failed": "The job cannot succeed any more.",
    "suspended": "The user asked for a pause.",
    "resumed": "The user asked to go on.",
}

JOB: Final[Mapping[tuple[JobState, JobEvent], JobState]] = {
    (JobState.PENDING, "opened"): JobState.PLANNING,
    (JobState.PENDING, "planned"): JobState.MAPPING,
    (JobState.PLANNING, "planned"): JobState.MAPPING,
    (JobState.MAPPING, "maps_done"): JobState.REDUCING,
    (JobState.MAPPING, "parts_done"): JobState.PUBLISHING,
    (JobState.REDUCING, "parts_done"): JobState.PUBLISHING,
    (JobState.PENDING, "published"): JobState.SUCCEEDED,
    (JobState.PUBLISHING, "published"): JobState.SUCCEEDED,
    (JobState.PUBLISHING, "failed"): JobState.FAILED,
    (JobState.SUSPENDED, "resumed"): JobState.PENDING,
    (JobState.SUSPENDED, "failed"): JobState.FAILED,
    (JobState.PENDING, "failed"): JobState.FAILED,
    (JobState.PLANNING, "failed"): JobState.FAILED,
    (JobState.MAPPING, "failed"): JobState.FAILED,
    (JobState.REDUCING, "failed"): JobState.FAILED,
    (JobState.PENDING, "suspended"): JobState.SUSPENDED,
    (JobState.PLANNING, "suspended"): JobState.SUSPENDED,
    (JobState.MAPPING, "suspended"): JobState.SUSPENDED,
    (JobState.REDUCING, "suspended"): JobState.SUSPENDED,
}


class WorkerState(IntEnum):
    """Where a worker or gateway is."""

    EXPECTED = 0
    RUNNING = 1
    REGISTERED = 2
    DRAINING = 3
    LOST = 4


WorkerEvent = Literal["seen_running", "registered", "ending", "lost"]

WORKER_EVENTS: Final[dict[WorkerEvent, str]] = {
    "seen_running": "The platform says that it runs.",
    "registered": "It has a session.",
    "ending": "It was told to stop: it gets no more work, and serves what it holds.",
    "lost": "It is gone, or silent for a lease, or not wanted any more.",
}

WORKER: Final[Mapping[tuple[WorkerState, WorkerEvent], WorkerState]] = {
    (WorkerState.EXPECTED, "seen_running"): WorkerState.RUNNING,
    (WorkerState.EXPECTED, "registered"): WorkerState.REGISTERED,
    (WorkerState.EXPECTED, "ending"): WorkerState.DRAINING,
    (WorkerState.EXPECTED, "lost"): WorkerState.LOST,
    (WorkerState.RUNNING, "seen_running"): WorkerState.RUNNING,
    (WorkerState.RUNNING, "registered"): WorkerState.REGISTERED,
    (WorkerState.RUNNING, "ending"): WorkerState.DRAINING,
    (WorkerState.RUNNING, "lost"): WorkerState.LOST,
    (WorkerState.REGISTERED, "seen_running"): WorkerState.REGISTERED,
    (WorkerState.REGISTERED, "registered"): WorkerState.REGISTERED,
    (WorkerState.REGISTERED, "ending"): WorkerState.DRAINING,
    (WorkerState.REGISTERED, "lost"): WorkerState.LOST,
    (WorkerState.DRAINING, "seen_running"): WorkerState.DRAINING,
    (WorkerState.DRAINING, "registered"): WorkerState.DRAINING,
    (WorkerState.DRAINING, "ending"): WorkerState.DRAINING,
    (WorkerState.DRAINING, "lost"): WorkerState.LOST,
}

StateT = TypeVar("StateT", bound=IntEnum)
EventT = TypeVar("EventT", bound=str)


def after(
    table: Mapping[tuple[StateT, EventT], StateT], state: StateT, event: EventT, who: str, story: str = ""
) -> StateT:
    """Return the state that `event` leads to; raises `InvalidTransition` with the history `story`."""
    following = table.get((state, event))
    if following is None:
        raise InvalidTransition(f"{who}: {event} in state {state.name} (history: {story or 'none'})")
    return following
