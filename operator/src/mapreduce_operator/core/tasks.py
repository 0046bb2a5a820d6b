"""The tasks of one kind: state, budgets and live attempts, in columns.

A job may have 200,000 maps, so what every task has is a column, and what few have is a
dictionary. Several attempts of one task may live at once (a worker that is ending, speculation).
Neighbours: `states.py` (the table), `attempts.py` and `failures.py` (who change tasks).
"""

from __future__ import annotations

import hashlib
import heapq
from array import array
from collections.abc import Sequence
from typing import Final

import msgspec

from mapreduce.ids import AttemptId, Kind, TaskId
from mapreduce.protocol import Spent
from mapreduce_operator.core import states
from mapreduce_operator.core.pace import Pace
from mapreduce_operator.core.states import TaskEvent, TaskState
from mapreduce_operator.core.workers import Worker

_EVENTS: Final[tuple[TaskEvent, ...]] = tuple(states.TASK_EVENTS)
_CODES: Final = {event: bytes([code]) for code, event in enumerate(_EVENTS)}
NOTHING: Final = Spent()
_STORY: Final = 64
"""Events of a task that are kept for its history; the oldest fall out."""


class ChargedError(msgspec.Struct, frozen=True):
    """What is kept of an error that was charged: enough to know it again, not its text, which the journal has."""

    digest: bytes
    worker: str
    """The name of the worker on which it happened."""
    at: float
    """When it was charged, on the master's own clock; 0 of one that an older master charged."""

    @classmethod
    def of(cls, text: str, worker: str, at: float = 0.0) -> ChargedError:
        """Return what is kept of an error with this text."""
        digest = hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).digest()
        return cls(digest, worker, at)


class Attempt:
    """One execution that the master gave to a worker, or took over.

    sent: the answer that assigned it last, 0 before. started: the worker has named it as
    running. waiting: it waits for segments, input or the master. cancel: why it is not wanted any
    more, empty while it is. told: the answer that told so last. progress: how far it said it is;
    moved_at: when that changed last, or it waited. began: when it was given, or taken over. backed_up_by: the
    worker that got a second attempt because this one is slow, the last one. speculative: it is such a second
    attempt. backups: how many of them there were, also while this one was a backup itself. alone: its worker gets
    nothing beside it. early: a reduce that was given out before the last map had ended; see `early.py`. asked_at:
    when its worker was asked to end it because its code hangs, 0 while it was not. slot: the worker's slot that it has,
    -1 while that is not known; slot_told: the history has it. spent: what it has cost, once it has ended.
    """

    __slots__ = (
        "alone",
        "asked_at",
        "backed_up_by",
        "backups",
        "began",
        "cancel",
        "early",
        "id",
        "moved_at",
        "progress",
        "sent",
        "slot",
        "slot_told",
        "speculative",
        "spent",
        "started",
        "told",
        "waiting",
        "worker",
    )

    def __init__(self, attempt: AttemptId, worker: Worker, began: float) -> None:
        self.id = attempt
        self.worker = worker
        self.began = began
        self.backed_up_by: Worker | None = None
        self.backups = 0
        self.speculative = False
        self.alone = False
        self.early = False
        self.asked_at = 0.0
        self.sent = 0
        self.slot = -1
        self.slot_told = False
        self.spent = NOTHING
        self.started = False
        self.waiting = False
        self.cancel = ""
        self.told = 0
        self.progress = (-1, -1, -1)
        self.moved_at = 0.0

    @property
    def gathers_early(self) -> bool:
        """Whether it waits for maps that have not ended: nothing is lost with it but what it has fetched."""
        return self.early and self.waiting


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
        self.too_early: dict[int, int] = {}
        """Attempts of tasks that ended before the last map had, and are not counted in `again`."""
        self.speculative = 0
        """Backups that were given in this epoch."""
        self.pace = Pace()
        self.live: dict[int, dict[AttemptId, Attempt]] = {}
        """Attempts that count: given to a worker, not ended, not cancelled."""
        self.last_error: dict[int, ChargedError] = {}
        """The last charged error of each task that has not succeeded since."""
        self.alone: set[int] = set()
        """Tasks that went over their memory, and run alone from then on; see `run_alone`."""
        self.waiting_alone = 0
        """How many of them wait."""
        self.workers_died: dict[int, int] = {}
        """How many workers were lost while they ran a task that has not succeeded since."""
        self.defects: dict[int, int] = {}
        """How often in a row a task ended by an error that its gateway did not expect."""
        self.blocked: dict[int, int] = {}
        """Waiting tasks that may run only when this sequence of the journal is written."""
        self.paused: dict[int, float] = {}
        """Waiting tasks that may run only at this time."""
        self._numbers = array("I", bytes(4 * count))
        self._stories = [b""] * count
        self._ready = list(range(count))
        """A heap of the tasks that wait for a slot, by rank; others, and one of them twice, may be in it too."""
        self._ranked: Sequence[int] = range(count)
        """The task of each rank: the lower, the sooner it runs."""
        self._ranks: Sequence[int] = self._ranked
        """The rank of each task."""
        self._ready_alone: list[int] = []
        """The same of those that wait for a worker of their own."""
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
        if index in self.alone:
            self.waiting_alone += (following is TaskState.WAITING) - (before is TaskState.WAITING)
        if following is TaskState.WAITING:
            heapq.heappush(self._ready_alone if index in self.alone else self._ready, self._ranks[index])
        elif following is TaskState.SUCCEEDED:
            self.last_error.pop(index, None)
            self.workers_died.pop(index, None)

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

    def prefer(self, order: Sequence[int]) -> None:
        """Let tasks run in this order, which has each of them once; before, it is that of their numbers."""
        ready, alone = ([self._ranked[rank] for rank in heap] for heap in (self._ready, self._ready_alone))
        ranks = array("I", bytes(4 * self.count))
        for rank, index in enumerate(order):
            ranks[index] = rank
        self._ranked, self._ranks = array("I", order), ranks
        self._ready = [ranks[index] for index in ready]
        self._ready_alone = [ranks[index] for index in alone]
        heapq.heapify(self._ready)
        heapq.heapify(self._ready_alone)

    def first_ready(self, now: float, written: int) -> int | None:
        """Return the waiting task of the lowest rank that may run now beside others, or None."""
        aside = []
        found = None
        while self._ready:
            index = self._ranked[self._ready[0]]
            if self.state[index] != TaskState.WAITING or index in self.alone:
                heapq.heappop(self._ready)
            elif self.may_run(index, now, written):
                found = index
                break
            else:
                aside.append(heapq.heappop(self._ready))
        for rank in aside:
            heapq.heappush(self._ready, rank)
        return found

    def ready_alone(self, now: float, written: int, most: int) -> list[int]:
        """Return the waiting tasks of the lowest rank that may run now on a worker of their own, at most so many.

        A job may have very many of them, so that they are not looked at one by one at each event.
        """
        found: list[int] = []
        aside: list[int] = []
        while self._ready_alone and len(found) < most:
            rank = heapq.heappop(self._ready_alone)
            index = self._ranked[rank]
            if self.state[index] != TaskState.WAITING or rank in aside[-1:]:
                continue
            aside.append(rank)
            if self.may_run(index, now, written):
                found.append(index)
        for rank in aside:
            heapq.heappush(self._ready_alone, rank)
        return found

    def run_alone(self, index: int) -> None:
        """Let a task run on a worker of its own from now on."""
        if index in self.alone:
            return
        self.alone.add(index)
        if self.is_in(index, TaskState.WAITING):
            self.waiting_alone += 1
            heapq.heappush(self._ready_alone, self._ranks[index])

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
        self.again += number > self.too_early.get(index, 0) and not speculative
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
