"""Values that the book of a job holds: parts, how it ends, what an older epoch's journal told.

Neighbours: `book.py` (has them), `frames.py` (fills `Recovered`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from mapreduce.bad_records import BadRecord
from mapreduce.history import Budget, HistoryEvent
from mapreduce.ids import AttemptId, Kind, TaskId
from mapreduce.keys import KeyType
from mapreduce.partition_sizes import HeavyKey
from mapreduce.plan import PlanHeader, Split
from mapreduce_operator.core.events import TaskFailure
from mapreduce_operator.core.pace import Pace


class Part(msgspec.Struct, frozen=True):
    """The part of a reduce, or of a map in a job without reduce: which attempt made it, and what is in it."""

    attempt: AttemptId
    checksum: str
    rows: int
    size: int
    worker: int = -1
    """Who has it, until it is staged."""
    records: int = 0
    """Input records of a map whose part it is."""
    counters: dict[str, int] = {}
    bad: tuple[BadRecord, ...] = ()


class Ending(msgspec.Struct):
    """How the job ends. `until`: when waiting for the store to be cleaned is over, and `at_last` at the very latest."""

    mode: Literal["published", "failed", "deleted"]
    until: float
    at_last: float
    cleaned: bool = False


class Failure(msgspec.Struct, frozen=True):
    """Why the job failed."""

    reason: str
    message: str


class Recovered(msgspec.Struct):
    """What the frames of a journal tell, gathered page by page; see `frames.py`."""

    pages: list[tuple[Split, ...]] = []
    header: PlanHeader | None = None
    charged: dict[TaskId, int] = {}
    judged: dict[TaskId, int] = {}
    """What a task had been charged when that counted last: while a part of it waits to be staged, it does not."""
    charges: dict[Budget, int] = {}
    alone: set[TaskId] = set()
    """Tasks that went over their memory."""
    last_error: dict[TaskId, tuple[str, str]] = {}
    """The text of the last error charged to a task that has not succeeded since, and on which worker it happened."""
    staged: dict[int, Part] = {}
    made: dict[int, tuple[Part, str]] = {}
    """Parts that were finished, with the worker that has each; those of reduces count only if vouched for."""
    vouched: set[AttemptId] = set()
    """Reduce attempts whose consumption is in the journal."""
    left_out: list[TaskId] = []
    finished: dict[int, str] = {}
    """Map index to checksum, of maps that finished."""
    records: dict[int, int] = {}
    counters: dict[int, dict[str, int]] = {}
    """What each map counted that finished."""
    paces: dict[Kind, Pace] = {}
    """How long maps and reduces took."""
    bad: dict[int, tuple[BadRecord, ...]] = {}
    """What each map left out that finished."""
    sizes: bytes = b""
    heavy: tuple[HeavyKey, ...] = ()
    consumed: str = ""
    key_type: KeyType = ""
    boundaries: tuple[bytes, ...] | None = None
    """Where ranges of keys begin, if an older epoch has chosen them."""
    has_reduce: bool | None = None
    failure: Failure | None = None
    started_wall: float | None = None
    active_wall: float | None = None
    failures: list[TaskFailure] = []
    texts: int = 0
    """Bytes of what failures said that are in the journal."""
    printed: int = 0
    """Bytes of what attempts that succeeded have printed."""
    failed: HistoryEvent | None = None
    """The failure that was told last."""
    tracebacks: dict[tuple[int, int], str] = {}
    """The first of them, by epoch and sequence."""


class UnreadableStreak(msgspec.Struct, frozen=True):
    """How often map outputs counted as lost because nobody could read them, with no reduce finishing between."""

    finished: int
    """Reduces that had finished the last time."""
    times: int


class PlanDraft(msgspec.Struct):
    """The pages of a plan that an attempt reports."""

    attempt: AttemptId
    pages: list[tuple[Split, ...]]


class JournalTrouble(msgspec.Struct, frozen=True):
    """The journal cannot be written, and since when on the clock of `Book.now`."""

    message: str
    since: float
