"""The tasks of one kind: state, budgets and live attempts, in columns.

A job may have 200,000 maps, so what every task has is a column, and what few have is a
dictionary. Several attempts of one task may live at once (a worker that is ending, speculation).
Neighbours: `states.py` (the table), `attempts.py` and `failures.py` (who change tasks).
"""

from __future__ import annotations

import heapq
from array import array
from typing import Final

from mapreduce.ids import AttemptId, Kind, TaskId
from mapreduce_operator.core import states
from mapreduce_operator.core.pace import Pace
from mapreduce_operator.core.states import TaskEvent, TaskState
from mapreduce_operator.core.workers import Worker

_EVENTS: Final[tuple[TaskEvent, ...]] = tuple(states.TASK_EVENTS)
_CODES: Final = {event: bytes([code]) for code, event in enumerate(_EVENTS)}
_STORY: Final = 64
"""Events of a task that are kept for its history; the oldest fall out."""


class Attempt:
    """One execution that the master gave to a worker, or took over.

    sent: the answer that assigned it last, 0 before. started: the worker has named it as
    running. waiting: it waits for segments, input or the master. cancel: why it is not wanted any
    more, empty while it is. told: the answer that told so last. progress: how far it said it is;
    moved_at: when that changed last, or it waited. began: when it was given, or taken over. backup: the
    worker that got a second attempt because this one is slow. speculative: it is such a second attempt.
    alone: its worker gets nothing beside it. asked_at: when its worker was asked to end it because its code hangs,
    0 while it was not.
    """

    __slots__ = (
        "alone",
        "asked_at",
        "backup",
        "began",
        "cancel",
        "id",
        "moved_at",
        "progress",
        "sent",
        "speculative",
        "started",
        "told",
        "waiting",
        "worker",
    )

    def __init__(self, attempt: AttemptId, worker: Worker, began: float) -> None:
        self.id = attempt
        self.worker = worker
        self.began = began
        self.backup: Worker | None = None
        self.speculative = False
        self.alone = False
        self.asked_at = 0.0
        self.sent = 0
        self.started = False
        self.waiting = False
        self.cancel = ""
        self.told = 0
        self.progress = (-1, -1, -1)
        self.moved_at = 0.0


class TaskTable:
    """All tasks of one (step, kind). A task is named by its index."""

    def __init__(self, kind: Kind, count: int, step: int = 0) -> None:
        self.kind = kind
        self.step = step
        self.count = count
        self.state = bytearray(count)
        self.counts = [count, 0, 0, 0, 0]
        """How many tasks are in each state."""
        self.user_failures = bytearray(count)
        self.again = 0
        """Attempts beyond the first of their task in this epoch, backups aside."""
        self.speculative = 0
        """Backups that were given in this epoch."""
        self.pace = Pace()
        self.live: dict[int, dict[AttemptId, Attempt]] = {}
        """Attempts that count: given to a worker, not ended, not cancelled."""
        self.last_error: dict[int, tuple[str, str]] = {}
        """The text of the last charged error of a task, and on which worker."""
        self.greedy: set[int] = set()
        """Tasks that went over their memory, and run alone from then on."""
        self.workers_died: dict[int, int] = {}
        """How many workers were lost while they ran a task."""
        self.blocked: dict[int, int] = {}
        """Waiting tasks that may run only when this sequence of the journal is written."""
        self.paused: dict[int, float] = {}
        """Waiting tasks that may run only at this time."""
        self._numbers = array("I", bytes(4 * count))
        self._stories = [b""] * count
        self._ready = list(range(count))
        self._streaks: dict[int, tuple[int, int]] = {}

    # --- state --------------------------------------------------------------------------

    def id(self, index: int) -> TaskId:
        """Return the name of a task."""
        return TaskId(self.step, self.kind, index)

    def move(self, index: int, event: TaskEvent) -> None:
        """Change a task's state by the table; raises `InvalidTransition` with its history."""
        before = TaskState(self.state[index])
        following = states.TASK.get((before, event))
        if following is None:
            following = states.after(states.TASK, before, event, str(self.id(index)), self.story(index))
        self.state[index] = following
        self.counts[before] -= 1
        self.counts[following] += 1
        self._stories[index] = (self._stories[index] + _CODES[event])[-_STORY:]
        if following is TaskState.WAITING:
            heapq.heappush(self._ready, index)

    def story(self, index: int) -> str:
        """Return what happened to a task, oldest first."""
        return ", ".join(_EVENTS[code] for code in self._stories[index])

    def is_in(self, index: int, state: TaskState) -> bool:
        """Tell whether a task is in that state."""
        return self.state[index] == state

    @property
    def done(self) -> bool:
        """Whether every task has succeeded, or is left out."""
        return self.counts[TaskState.SUCCEEDED] + self.counts[TaskState.FAILED] == self.count

    # --- what may run -------------------------------------------------------------------

    def first_ready(self, now: float, written: int) -> int | None:
        """Return the lowest waiting task that may run now beside others, or None."""
        aside = []
        found = None
        while self._ready:
            index = self._ready[0]
            if self.state[index] != TaskState.WAITING:
                heapq.heappop(self._ready)
            elif index not in self.greedy and self.may_run(index, now, written):
                found = index
                break
            else:
                aside.append(heapq.heappop(self._ready))
        for index in aside:
            heapq.heappush(self._ready, index)
        return found

    def may_run(self, index: int, now: float, written: int) -> bool:
        """Tell whether nothing holds a waiting task back."""
        if self.blocked and self.blocked.get(index, 0) > written:
            return False
        if self.paused and self.paused.get(index, now) > now:
            return False
        self.blocked.pop(index, None)
        self.paused.pop(index, None)
        return True

    # --- attempts -----------------------------------------------------------------------

    def new_attempt(self, index: int, epoch: int, *, speculative: bool = False) -> AttemptId:
        """Return the name of the next attempt of a task."""
        number = self._numbers[index]
        self._numbers[index] = number + 1
        self.again += number > 0 and not speculative
        self.speculative += speculative
        return AttemptId(self.id(index), epoch, number)

    def given(self, index: int) -> int:
        """Return how many attempts of a task got a name in this epoch."""
        return self._numbers[index]

    def add_live(self, attempt: Attempt) -> None:
        """Note an attempt that counts."""
        self.live.setdefault(attempt.id.task.index, {})[attempt.id] = attempt

    def remove_live(self, attempt: Attempt) -> bool:
        """Forget an attempt that counts; tell whether it did."""
        index = attempt.id.task.index
        attempts = self.live.get(index)
        if attempts is None or attempts.pop(attempt.id, None) is None:
            return False
        if not attempts:
            del self.live[index]
        return True

    def live_attempts(self, index: int) -> tuple[Attempt, ...]:
        """Return the attempts of a task that count."""
        return tuple(self.live.get(index, {}).values())

    # --- budgets ------------------------------------------------------------------------

    def charge_user(self, index: int) -> int:
        """Charge the user's budget; return the failures so far."""
        self.user_failures[index] = min(255, self.user_failures[index] + 1)
        return self.user_failures[index]

    def disrupt(self, index: int, finished: int) -> int:
        """Count a disruption; return how many hit this task since the job's `finished`-th task did."""
        count, since = self._streaks.get(index, (0, finished))
        count = count + 1 if since == finished else 1
        self._streaks[index] = (count, finished)
        return count

    def streak(self, index: int, finished: int) -> int:
        """Return the disruptions of a task in a row, as `disrupt` counted them."""
        count, since = self._streaks.get(index, (0, finished))
        return count if since == finished else 0
