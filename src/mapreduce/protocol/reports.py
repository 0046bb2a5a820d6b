"""What a worker or gateway says in an exchange: how far it is, and what ended."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from mapreduce.bad_records import BadRecords
from mapreduce.counters import Counted
from mapreduce.history import Frame
from mapreduce.ids import Amount, AttemptId, Epoch
from mapreduce.plan import PlanHeader, Split
from mapreduce.program import Shape
from mapreduce.protocol.sessions import MAX_ITEMS, MapOutput

COMPLAINT_CHARACTERS: Final = 100
"""The most that a complaint says of why a map's segments could not be read; who complains cuts it."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A running attempt: how far it is. `waiting`: for segments, input or the master.

    `marks` grows whenever the attempt shows that it is alive, which `self.progress()` does too.
    """

    attempt: AttemptId
    records: Amount = 0
    size: Amount = 0
    waiting: bool = False
    marks: int = 0
    slot: Annotated[int, msgspec.Meta(ge=-1)] = -1
    """Which of the worker's slots it has or, once it has ended, had; -1 while it has none, and of a gateway."""


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A failure as the user reads it. `where`: file and offset, or key and partition."""

    kind: Literal["user", "disruption", "refused"]
    """user: charged. disruption: not the code's fault. refused: the job cannot succeed
    (bad program, input that changed, output taken): it fails at once."""
    reason: Annotated[str, msgspec.Meta(max_length=100)]
    """A PascalCase word of `words`."""
    message: str
    where: str = ""
    traceback: str = ""
    log_tail: str = ""
    peak_memory: int = 0
    """The most bytes of memory that the process was seen to use; 0 where nobody looked."""


class Spent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an attempt has cost, as its worker saw it; 0 where nobody looked."""

    cpu_ms: Amount = 0
    """Processor time in its slot."""
    peak_memory: Amount = 0
    """The most bytes of memory that its slot was seen to hold."""
    waited_ms: Amount = 0
    """How long it waited on its worker: for a slot, for its input, for segments."""
    printed: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    """The end of what it printed, where it succeeded; a failure tells more of that itself."""


class MapSucceeded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The attempt's map output is on the worker's disk under its final name."""

    output: MapOutput
    records: Amount


class ReduceSucceeded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The attempt's part is on the worker's disk under its final name."""

    attempt: AttemptId
    checksum: Annotated[str, msgspec.Meta(max_length=100)]
    rows: Amount
    size: Amount
    consumed: Annotated[str, msgspec.Meta(max_length=100)]
    """Digest over the (map index, checksum) pairs it read: see `digests.consumed`."""
    counters: Counted = {}
    """What the user's code counted."""
    spills: Amount = 0
    """Merges that went to files, as the rest of them did not fit into memory."""


class MapPartSucceeded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A map attempt of a job without reduce: its part is on the worker's disk under its final name."""

    attempt: AttemptId
    checksum: Annotated[str, msgspec.Meta(max_length=100)]
    rows: Amount
    size: Amount
    records: Amount
    counters: Counted = {}
    bad: BadRecords = ()
    """Records of the split that were left out."""


class ProgramLoaded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A slot imported the program and this is its shape."""

    attempt: AttemptId
    shape: Shape


class PlanPageMade(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One page of the plan, in order."""

    attempt: AttemptId
    number: int
    splits: tuple[Split, ...]


class PlanFinished(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All pages were reported; this is the header."""

    attempt: AttemptId
    header: PlanHeader
    pages: int


class JournalPage(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Frames of the journal that the gateway found, in order."""

    attempt: AttemptId
    number: int
    frames: tuple[Frame, ...]


class OutputSummary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was published; `counters` are those of the manifest, and so are the tasks that were left out, and the
    number of bad records."""

    path: str
    files: int
    records: int
    size: int
    checksum: str
    counters: dict[str, int] = {}
    left_out: tuple[str, ...] = ()
    bad_records: int = 0


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The output's name is reserved and the journal is open (its pages were reported)."""

    attempt: AttemptId
    pages: int
    published: bool = False
    """The output directory already carries this job's uid: nothing is left to do."""
    summary: OutputSummary | None = None


class OutputContested(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Other jobs left a lock or a staging directory at the output's name, and nothing was done: the master
    finds out which of them live, and lets it be opened again."""

    attempt: AttemptId
    uids: tuple[str, ...]


class Staged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The part is durable under the staging directory and journalled."""

    attempt: AttemptId
    partition: int
    source: AttemptId
    checksum: Annotated[str, msgspec.Meta(max_length=100)]
    rows: Amount
    size: Amount
    records: Amount = 0
    counters: dict[str, int] = {}
    """Of the attempt that made it, as they are journalled with the part."""
    bad: BadRecords = ()
    """The same, of records that were left out."""


class Published(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The directory stands under its final name."""

    attempt: AttemptId
    summary: OutputSummary


class Cleaned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What `clean` asked to remove is gone."""

    attempt: AttemptId


class AttemptFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The attempt ended without a result."""

    attempt: AttemptId
    error: ErrorInfo


class AttemptCancelled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The attempt ended because the master asked for it."""

    attempt: AttemptId


class SegmentsLost(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A reduce attempt could not read these maps' segments from that holder; it waits."""

    attempt: AttemptId
    holder: Annotated[str, msgspec.Meta(max_length=253)]
    maps: tuple[tuple[AttemptId, Annotated[str, msgspec.Meta(max_length=COMPLAINT_CHARACTERS)]], ...]
    """(map attempt, reason) pairs."""


Outcome = (
    MapSucceeded
    | ReduceSucceeded
    | MapPartSucceeded
    | ProgramLoaded
    | PlanPageMade
    | PlanFinished
    | JournalPage
    | Opened
    | OutputContested
    | Staged
    | Published
    | Cleaned
    | AttemptFailed
    | AttemptCancelled
    | SegmentsLost
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One report; `number` grows over the life of the worker's process."""

    number: int
    outcome: Outcome
    spent: Spent = Spent()
    """Of the attempt, where this is its last report."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a worker's processes have used since it began, all together, at some moment of its own clock."""

    at_ms: Amount = 0
    cpu_ms: Amount = 0
    resident: Amount = 0
    """Bytes of memory that they held."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """worker → master: everything that is so now, and what is new."""

    epoch: Epoch
    seen: int
    """The last answer number that was handled; 0 before the first."""
    running: Annotated[tuple[Progress, ...], msgspec.Meta(max_length=MAX_ITEMS)] = ()
    """Every attempt the worker has: running, or ended with a report not yet acknowledged."""
    reports: Annotated[tuple[Report, ...], msgspec.Meta(max_length=MAX_ITEMS)] = ()
    """The oldest unacknowledged ones that fit; resent until acknowledged."""
    free_slots: int = 0
    locations_seen: Annotated[int, msgspec.Meta(ge=0)] = 0
    draining: bool = False
    """It was told to stop: it takes no more work, and serves what it holds."""
    journal_written: int = 0
    """Gateway: the highest journal sequence of this epoch that is durable."""
    journal_trouble: str = ""
    """Gateway: why frames cannot be written now; it tries again."""
    journal_lost: bool = False
    """Gateway: the journal that it had open is gone, or another's: the output must be opened again."""
    usage: Usage | None = None
    """Worker: the last measurement, if there was one."""
    held_from: int = 0
    held: tuple[MapOutput, ...] = ()
    """What `Register` had no room for: held outputs from number `held_from` on, as many as fit."""
