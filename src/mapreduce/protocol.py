"""The messages between the master and its workers and gateways; `docs/protocol.md` tells the rules.

Bodies are msgpack (`Content-Type: application/msgpack`). The worker always dials; the master
answers. A gateway speaks the same messages in the role `gateway`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeVar

import msgspec

from mapreduce.errors import ProtocolError
from mapreduce.history import Frame
from mapreduce.ids import AttemptId
from mapreduce.keys import KeyType
from mapreduce.plan import PlanHeader, Split
from mapreduce.program import Shape
from mapreduce.spec import JobSpec, Limits, Timing

VERSION: Final = 1
MAX_BODY: Final = 16 << 20
"""Bytes in one body, either way; what does not fit is sent with the next exchange."""
PAGE_SPLITS: Final = 500
"""Splits in one plan page."""

REGISTER: Final = "/v1/register"
PROGRAM: Final = "/v1/program"
EXCHANGE: Final = "/v1/exchange"
SESSION_HEADER: Final = "X-MapReduce-Session"
TICKET_HEADER: Final = "X-MapReduce-Ticket"
INPUT_PATH: Final = "/v1/input"
SEGMENTS_PATH: Final = "/v1/segments"
PART_PATH: Final = "/v1/part"

Role = Literal["worker", "gateway"]


# --- register -------------------------------------------------------------------------


class MapOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A finished map output on a worker's disk; `partition_sizes` has one log-scale byte a partition."""

    attempt: AttemptId
    checksum: str
    rows: int
    size: int
    key_type: KeyType
    """Empty when the map output holds no row."""
    key_at: str = ""
    """`file:offset` of the record that gave the first key."""
    partition_sizes: bytes = b""


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """worker → master, once a session; the token is in the Authorization header."""

    version: int
    engine: str
    role: Role
    boot: str
    """A random name of this start of the process; a new one for the same Pod ends the old session."""
    slots: int
    data_port: int
    directory: str = ""
    """Where this worker keeps its files, if readers may share its disk (local mode)."""
    held: tuple[MapOutput, ...] = ()
    running: tuple[AttemptId, ...] = ()
    """Attempts that run or whose final report is not acknowledged."""


class JobContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker or gateway needs to know of its job; the program comes by digest."""

    spec: JobSpec
    """With the program's source left empty."""
    program_digest: str
    read_input_directly: bool = False
    """Slots open input files by path instead of asking the gateway (local mode)."""
    role_index: int = 0
    serves_input: bool = False
    serves_output: bool = False


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """master → worker: the session and all that holds for it."""

    version: int
    session: str
    worker: str
    epoch: int
    job: JobContext
    timing: Timing
    limits: Limits
    ticket_keys: tuple[bytes, ...]


# --- what a worker says in an exchange ---------------------------------------------------


class Progress(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A running attempt: how far it is. `waiting`: for segments, input or the master."""

    attempt: AttemptId
    records: int = 0
    size: int = 0
    waiting: bool = False


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A failure as the user reads it. `where`: file and offset, or key and partition."""

    kind: Literal["user", "disruption", "refused"]
    """user: charged. disruption: not the code's fault. refused: the job cannot succeed
    (bad program, input that changed, output taken): it fails at once."""
    reason: str
    """A PascalCase word of `words`."""
    message: str
    where: str = ""
    traceback: str = ""
    log_tail: str = ""


class MapSucceeded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The attempt's map output is on the worker's disk under its final name."""

    output: MapOutput
    records: int


class ReduceSucceeded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The attempt's part is on the worker's disk under its final name."""

    attempt: AttemptId
    checksum: str
    rows: int
    size: int
    consumed: str
    """Digest over the (map index, checksum) pairs it read: see `digests.consumed`."""


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


class OutputSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was published."""

    path: str
    files: int
    records: int
    size: int
    checksum: str


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The output's name is reserved and the journal is open (its pages were reported)."""

    attempt: AttemptId
    pages: int
    published: bool = False
    """The output directory already carries this job's uid: nothing is left to do."""
    summary: OutputSummary | None = None


class Staged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The part is durable under the staging directory and journalled."""

    attempt: AttemptId
    partition: int
    source: AttemptId
    checksum: str
    rows: int
    size: int


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
    holder: str
    maps: tuple[tuple[AttemptId, str], ...]
    """(map attempt, reason) pairs."""


Outcome = (
    MapSucceeded
    | ReduceSucceeded
    | ProgramLoaded
    | PlanPageMade
    | PlanFinished
    | JournalPage
    | Opened
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


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """worker → master: everything that is so now, and what is new."""

    epoch: int
    seen: int
    """The last answer number that was handled; 0 before the first."""
    running: tuple[Progress, ...] = ()
    """Every attempt the worker has: running, or ended with a report not yet acknowledged."""
    reports: tuple[Report, ...] = ()
    """The oldest unacknowledged ones that fit; resent until acknowledged."""
    free_slots: int = 0
    locations_seen: int = 0
    journal_written: int = 0
    """Gateway: the highest journal sequence of this epoch that is durable."""
    slots_rss: tuple[int, ...] = ()


# --- what the master answers ---------------------------------------------------------------


class LoadProgram(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Import the program in a slot and report its shape."""

    attempt: AttemptId


class RunMap(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Run a map attempt."""

    attempt: AttemptId
    split: Split
    ticket: str


class RunReduce(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Run a reduce attempt; where the segments are comes with the locations."""

    attempt: AttemptId
    partition: int
    maps: int
    ticket: str
    key_type: KeyType


class OpenOutput(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Reserve the name, make the staging directory, open the journal, report what it holds."""

    attempt: AttemptId
    live_jobs: tuple[str, ...]
    """The uids of all jobs that live: a lock that holds another one is swept."""


class MakePlan(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """List the input and report the plan."""

    attempt: AttemptId


class StagePart(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Fetch one part from a worker, verify, make durable, journal."""

    attempt: AttemptId
    partition: int
    source: AttemptId
    address: str
    directory: str
    ticket: str
    checksum: str
    rows: int
    size: int


class PublishOutput(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Merge, write manifest, history and marker, rename. All journal frames up to
    `journal_through` are written before."""

    attempt: AttemptId
    key_type: KeyType
    journal_through: int
    manifest: bytes
    """JSON: what the master knows for the manifest (job, plan, attempts)."""


class CleanUp(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """failed: keep only the history, in the staging directory. deleted: keep nothing."""

    attempt: AttemptId
    mode: Literal["failed", "deleted"]


Assignment = LoadProgram | RunMap | RunReduce | OpenOutput | MakePlan | StagePart | PublishOutput | CleanUp


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that holds map outputs, by a number that is stable within an epoch."""

    number: int
    worker: str
    address: str
    directory: str = ""


class OutputsAt(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Maps first..last (inclusive) were made by attempt number `number` of `epoch`, and are at `holder`.

    A holder of -1 says that the outputs are lost and will be made again.
    """

    first: int
    last: int
    epoch: int
    number: int
    holder: int
    checksums: tuple[str, ...] = ()


class Locations(msgspec.Struct, frozen=True, kw_only=True):
    """The changes since `Exchange.locations_seen`; handling them brings the worker to `version`."""

    version: int
    step: int
    holders: tuple[Holder, ...]
    outputs: tuple[OutputsAt, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """master → worker."""

    epoch: int
    number: int
    acknowledged: int
    """Every report up to this number was applied, and may be forgotten."""
    assignments: tuple[Assignment, ...] = ()
    cancellations: tuple[AttemptId, ...] = ()
    locations: Locations | None = None
    journal: tuple[Frame, ...] = ()
    """Gateway: frames to append, in order; those it has already are skipped."""
    input_address: str = ""
    """Where the input gateway is now; empty while there is none."""
    discard: tuple[AttemptId, ...] = ()
    """Map outputs and parts that are no longer needed."""
    beat: float = 3.0
    """Send the next exchange at once; it may be parked for this many seconds."""
    finished: bool = False
    """The job is over: stop."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer with a status of 400 or more."""

    reason: str
    message: str


# --- reading data ---------------------------------------------------------------------------


class ReadSegments(msgspec.Struct, frozen=True, kw_only=True):
    """reader → holder: one partition's segments of these map attempts, in this order.

    The answer is, for each, a frame: 4 bytes length of a `SegmentHead` in msgpack, the head,
    then `length` bytes.
    """

    step: int
    partition: int
    maps: tuple[AttemptId, ...]


class SegmentHead(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What follows: `length` 0 with `found` false says that the holder has no such output."""

    attempt: AttemptId
    found: bool
    length: int = 0
    rows: int = 0
    crc: int = 0


class ReadInput(msgspec.Struct, frozen=True, kw_only=True):
    """slot's agent → gateway: the records of a split.

    The answer is, for each range, a frame: 4 bytes length of a `RangeHead` in msgpack, the head,
    then chunks (4 bytes length, bytes), closed by a chunk of length 0. The bytes are whole
    records: from the first that begins in the range to the end of the last that does. A length
    of 2**32-1 instead closes the answer with an `ErrorInfo` in msgpack behind it.
    """

    split: Split


class RangeHead(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which range follows, and the offset in the file of the first byte that is sent."""

    position: int
    offset: int


ReadPart = AttemptId
"""reader → holder: the part of one reduce attempt; the answer is the file."""

MessageT = TypeVar("MessageT")
_encoder = msgspec.msgpack.Encoder()
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def encode(message: object) -> bytes:
    """Return the body of a message."""
    return _encoder.encode(message)


def decode(body: bytes, kind: type[MessageT]) -> MessageT:
    """Return the message in a body; raises `ProtocolError` for anything else."""
    if len(body) > MAX_BODY:
        raise ProtocolError(f"a {kind.__name__} of {len(body)} bytes is larger than {MAX_BODY}")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        message: MessageT = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not a {kind.__name__}: {error}") from error
    return message
