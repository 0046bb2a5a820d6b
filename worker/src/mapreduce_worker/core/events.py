"""What the worker's core is told (past tense) and what it asks for (imperative).

The agent turns the outside world into `Event`s, hands each to `WorkerCore.handle(event, now)`,
and carries out the commands in their order. Neighbours: `worker.py` (the core),
`mapreduce_worker.agent` (its only caller besides the simulation).
"""

from __future__ import annotations

import msgspec

from mapreduce.bad_records import BadRecord
from mapreduce.boundaries import ALL, KeyRange
from mapreduce.ids import AttemptId
from mapreduce.keys import KeyType
from mapreduce.plan import Split
from mapreduce.program import Shape
from mapreduce.protocol import (
    Answer,
    ErrorInfo,
    Exchange,
    Holder,
    MapOutput,
    ReadSegments,
    Register,
    Registered,
    Spent,
    Usage,
)


class FetchedRange(msgspec.Struct, frozen=True, array_like=True):
    """One input range in a scratch file: its chunks of whole records, each behind its length (4
    bytes, big-endian), take `length` bytes at `at`; the first record is at `offset` of its file."""

    offset: int
    at: int
    length: int


class FetchedInput(msgspec.Struct, frozen=True, array_like=True):
    """The records of a split, fetched into one scratch file; `ranges` in the split's order."""

    path: str
    ranges: tuple[FetchedRange, ...]


class FetchedSegment(msgspec.Struct, frozen=True, array_like=True):
    """One map output's segment where a slot can read it: `length` bytes at `offset` of `path`."""

    source: AttemptId
    path: str
    offset: int
    length: int
    rows: int
    crc: int


# --- events: the master -------------------------------------------------------------------


class SessionOpened(msgspec.Struct, frozen=True):
    """The master answered the registration `serial`, and the program is here."""

    serial: int
    body: Registered


class Answered(msgspec.Struct, frozen=True):
    """The exchange `serial` was answered."""

    serial: int
    body: Answer


class Refused(msgspec.Struct, frozen=True):
    """The master refused the registration or exchange `serial`; see the table of the protocol."""

    serial: int
    status: int
    reason: str
    message: str


class Unanswered(msgspec.Struct, frozen=True):
    """The registration or exchange `serial` got no answer: the master is away."""

    serial: int
    message: str = ""


# --- events: attempts ---------------------------------------------------------------------


class InputArrived(msgspec.Struct, frozen=True):
    """The input of a map attempt is on the scratch disk."""

    attempt: AttemptId
    input: FetchedInput


class InputUnreachable(msgspec.Struct, frozen=True):
    """The input could not be fetched now: the gateway is away, or the ticket was refused."""

    attempt: AttemptId
    message: str = ""


class FetchFailed(msgspec.Struct, frozen=True):
    """What the attempt needs cannot be had at all: the gateway says that the input cannot be read,
    or the scratch disk is full."""

    attempt: AttemptId
    error: ErrorInfo


class SegmentsArrived(msgspec.Struct, frozen=True, kw_only=True):
    """The fetch `fetch` of a reduce attempt is over.

    lost: what the holder did not give, with the reason: complaints. What is in neither is asked
    for again later (the ticket was refused, or the fetch was stopped).
    """

    attempt: AttemptId
    fetch: int
    arrived: tuple[FetchedSegment, ...] = ()
    lost: tuple[tuple[AttemptId, str], ...] = ()


class SlotAwaited(msgspec.Struct, frozen=True):
    """The attempt waits for its slot's process to start; the first `Progressed` says that it does no more."""

    attempt: AttemptId


class Progressed(msgspec.Struct, frozen=True, tag=True):
    """A slot tells how far its attempt is; `marks` grows with each, as the rest may not."""

    attempt: AttemptId
    records: int
    size: int
    marks: int = 0


class Measured(msgspec.Struct, frozen=True):
    """What an attempt, whose end in a slot follows, has cost there."""

    attempt: AttemptId
    spent: Spent


class UsageSeen(msgspec.Struct, frozen=True):
    """What this worker has used so far."""

    usage: Usage


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """A slot imported the program."""

    attempt: AttemptId
    shape: Shape


class MapDone(msgspec.Struct, frozen=True, tag=True):
    """A slot finished a map attempt; its output is on the disk under its final name."""

    attempt: AttemptId
    output: MapOutput
    records: int


class MapPartDone(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A slot finished a map attempt that makes a part; it is on the disk under its final name."""

    attempt: AttemptId
    checksum: str
    rows: int
    size: int
    records: int
    counters: dict[str, int] = {}
    bad: tuple[BadRecord, ...] = ()


class ReduceDone(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A slot finished a reduce attempt; its part is on the disk under its final name."""

    attempt: AttemptId
    checksum: str
    rows: int
    size: int
    counters: dict[str, int] = {}
    spills: int = 0


class Broke(msgspec.Struct, frozen=True, tag=True):
    """A slot says that its attempt ended without a result; the slot lives."""

    attempt: AttemptId
    error: ErrorInfo


class SegmentSpoiled(msgspec.Struct, frozen=True, tag=True):
    """A slot could not read a segment that was here, and gave its reduce attempt back; it lives."""

    attempt: AttemptId
    source: AttemptId
    message: str


class SlotDied(msgspec.Struct, frozen=True, kw_only=True):
    """The process of a slot ended while it had the attempt; a new one takes its place.

    code: the exit status, or minus the signal. over_memory: the bytes for which the agent
    killed it, else 0, and `limit` those that it might have used. out_of_memory: the kernel's memory
    killer ended it. peak: the most memory that was seen, in bytes. stack: where its code was when
    it crashed, or hung and was asked. log_tail: the end of what it printed.
    """

    attempt: AttemptId
    code: int
    over_memory: int = 0
    limit: int = 0
    out_of_memory: bool = False
    peak: int = 0
    stack: str = ""
    log_tail: str = ""


class Terminated(msgspec.Struct, frozen=True):
    """SIGTERM: this process will be killed in `grace` seconds. Serve on, start nothing."""

    grace: float = 10.0


class Crashed(msgspec.Struct, frozen=True):
    """A task of the agent met a defect: nobody knows what was left undone, so the worker ends."""

    message: str


class Ticked(msgspec.Struct, frozen=True):
    """Time went by; sent at least every quarter of a second."""


Event = (
    SessionOpened
    | Answered
    | Refused
    | Unanswered
    | InputArrived
    | InputUnreachable
    | FetchFailed
    | SegmentsArrived
    | SlotAwaited
    | Progressed
    | Measured
    | UsageSeen
    | Loaded
    | MapDone
    | MapPartDone
    | ReduceDone
    | Broke
    | SegmentSpoiled
    | SlotDied
    | Terminated
    | Crashed
    | Ticked
)


# --- commands -----------------------------------------------------------------------------


class SendRegister(msgspec.Struct, frozen=True):
    """Register; answered by `SessionOpened`, `Refused` or `Unanswered`."""

    serial: int
    body: Register


class SendExchange(msgspec.Struct, frozen=True):
    """Exchange; answered by `Answered`, `Refused` or `Unanswered`. Two may be under way at once.

    `patience` is how many seconds to wait for the answer.
    """

    serial: int
    session: str
    body: Exchange
    patience: float


class FetchInput(msgspec.Struct, frozen=True):
    """Fetch a split from the input gateway into the attempt's scratch directory."""

    attempt: AttemptId
    address: str
    ticket: str
    split: Split


class FetchSegments(msgspec.Struct, frozen=True):
    """Fetch segments from one holder into the attempt's scratch directory."""

    attempt: AttemptId
    fetch: int
    holder: Holder
    ticket: str
    request: ReadSegments


class StopFetching(msgspec.Struct, frozen=True):
    """Stop every fetch of the attempt; nothing more need be told of it."""

    attempt: AttemptId


class LoadInSlot(msgspec.Struct, frozen=True, tag=True):
    """Import the program in a slot."""

    slot: int
    attempt: AttemptId


class MapInSlot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Run a map attempt; without `input` the slot opens the input files by path.

    makes_part: the job has no reduce; the end is `MapPartDone`, else `MapDone`. alone: no other
    attempt runs on this worker, whose whole memory it may use. samples: how many keys it tells at most.
    """

    slot: int
    attempt: AttemptId
    split: Split
    input: FetchedInput | None
    makes_part: bool = False
    alone: bool = False
    samples: int = 0


class ReduceInSlot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Run a reduce attempt over segments in map-index order; empty ones are left out. `alone` as of a map.

    range: the keys that it reads, where segments hold others beside them.
    """

    slot: int
    attempt: AttemptId
    partition: int
    key_type: KeyType
    segments: tuple[FetchedSegment, ...]
    range: KeyRange = ALL
    alone: bool = False


class KillSlot(msgspec.Struct, frozen=True):
    """Kill the process of a slot if it has this attempt; answered by `SlotDied`, or by the
    attempt's own end if that was faster. `ask`: let it say before where its code is."""

    slot: int
    attempt: AttemptId
    ask: bool = False


class ClearScratch(msgspec.Struct, frozen=True):
    """Delete what the attempt fetched and spilled, but not its result."""

    attempt: AttemptId


class DeleteFiles(msgspec.Struct, frozen=True):
    """Delete every file of the attempt, its result too; doing it twice is harmless."""

    attempt: AttemptId


class Exit(msgspec.Struct, frozen=True):
    """End the process."""

    status: int
    message: str


Command = (
    SendRegister
    | SendExchange
    | FetchInput
    | FetchSegments
    | StopFetching
    | LoadInSlot
    | MapInSlot
    | ReduceInSlot
    | KillSlot
    | ClearScratch
    | DeleteFiles
    | Exit
)
