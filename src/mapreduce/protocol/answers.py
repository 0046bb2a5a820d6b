"""What the master answers: assignments, and the state of the rest of the job."""

from __future__ import annotations

from typing import Literal

import msgspec

from mapreduce.bad_records import BadRecord, BadRecords
from mapreduce.boundaries import ALL, KeyRange
from mapreduce.history import Frame
from mapreduce.ids import AttemptId
from mapreduce.keys import KeyType
from mapreduce.plan import Split


class LoadProgram(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Import the program in a slot and report its shape."""

    attempt: AttemptId


class RunMap(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Run a map attempt."""

    attempt: AttemptId
    split: Split
    ticket: str
    makes_part: bool = False
    """The job has no reduce: the attempt makes a part, not a map output."""
    samples: int = 0
    """How many keys the attempt tells at most, where keys have a total order."""
    alone: bool = False
    """No other attempt gets onto this worker while it runs: it may use the memory of all slots."""


class RunReduce(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Run a reduce attempt; where the segments are comes with the locations."""

    attempt: AttemptId
    partition: int
    maps: int
    ticket: str
    key_type: KeyType
    range: KeyRange = ALL
    """Where keys have a total order: those that this reduce reads."""
    alone: bool = False
    """As of `RunMap`."""


class OpenOutput(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Reserve the name, make the staging directory, open the journal, report what it holds."""

    attempt: AttemptId
    live_jobs: tuple[str, ...] = ()
    dead_jobs: tuple[str, ...] = ()
    """Of the uids that `OutputContested` named: who lives, whose lock refuses the output; and who is
    dead, whose lock and staging directory are swept."""
    judge: str = ""
    """Who told the dead, and writes its name into this job's lock: the dead of another judge count as living."""


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
    records: int = 0
    """Input records of a map whose part it is."""
    counters: dict[str, int] = {}
    """What the attempt's user code counted; the gateway journals it with the part."""
    bad: BadRecords = ()
    """Records that the attempt left out, journalled with the part as well."""


class PublishOutput(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Merge, write manifest, history and marker, rename. All journal frames up to
    `journal_through` are written before."""

    attempt: AttemptId
    journal_through: int
    parts: int | None = None
    """How many parts there are, unless one a partition: in a job without reduce there is one a map."""
    left_out: tuple[int, ...] = ()
    """Parts that are missing, because their task spent its budget and the job allows that."""
    bad: tuple[BadRecord, ...] = ()
    """Records that were left out, in the order of the input; they are published beside the data."""
    manifest: bytes
    """JSON: what the master knows for the manifest (job, plan, epoch, key type, counters, tasks left out)."""


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

    A holder of -1 says that the outputs are lost and will be made again, one of -2 that these maps are
    left out: they have no output, and nobody should wait for one.
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
    hanging: tuple[AttemptId, ...] = ()
    """Attempts whose code hangs: to be ended, and to be reported as failed with where the code was."""
    locations: Locations | None = None
    journal: tuple[Frame, ...] = ()
    """Gateway: frames to append, in order; those it has already are skipped."""
    input_address: str = ""
    """Where the input gateway is now; empty while there is none."""
    held_seen: int = 0
    """How many of the held outputs that were announced in this session have arrived; 0 until the journal was read."""
    discard: tuple[AttemptId, ...] = ()
    """Map outputs and parts that are no longer needed."""
    beat: float = 3.0
    """Send the next exchange at once; it may be parked for this many seconds."""
    finished: bool = False
    """The job is over: stop."""
