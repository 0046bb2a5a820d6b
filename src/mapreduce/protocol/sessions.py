"""A session: what a worker says when it registers, and what it is told."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from mapreduce.bad_records import BadRecords
from mapreduce.boundaries import KEY_BYTES, MOST_OF_MAP
from mapreduce.counters import Counted
from mapreduce.ids import Amount, AttemptId
from mapreduce.keys import KeyType
from mapreduce.partition_sizes import HeavyKeys, PackedSizes
from mapreduce.spec import JobSpec, Limits, Timing

MAX_ITEMS: Final = 10_000
"""Attempts that run, or reports, in one message."""
Role = Literal["worker", "gateway"]


class MapOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A finished map output on a worker's disk."""

    attempt: AttemptId
    checksum: Annotated[str, msgspec.Meta(max_length=100)]
    rows: Amount
    size: Amount
    key_type: KeyType
    """Empty when the map output holds no row."""
    key_at: Annotated[str, msgspec.Meta(max_length=10_000)] = ""
    """`file:offset` of the record that gave the first key."""
    records: Amount = 0
    """Input records that were read."""
    counters: Counted = {}
    """What the user's code counted."""
    bad: BadRecords = ()
    """Records of the split that were left out, in the order of the input."""
    sample: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(max_length=KEY_BYTES)], ...], msgspec.Meta(max_length=MOST_OF_MAP)
    ] = ()
    """Where keys have a total order: beginnings of keys at equal distances among the rows; see `boundaries`."""
    sizes: PackedSizes = b""
    """Bytes for each partition, see `partition_sizes`; empty where it was told before."""
    heavy: HeavyKeys = ()
    """Keys that have a large part of these bytes; told again with a held output."""
    spills: Amount = 0
    """Runs of rows that went to files before they were merged to this output."""


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """worker → master, once a session; the token is in the Authorization header."""

    version: int
    engine: Annotated[str, msgspec.Meta(max_length=100)]
    role: Role
    boot: Annotated[str, msgspec.Meta(max_length=100)]
    """A random name of this start of the process; a new one for the same Pod ends the old session."""
    slots: int
    data_port: int
    directory: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    """Where this worker keeps its files, if readers may share its disk (local mode)."""
    held: tuple[MapOutput, ...] = ()
    """The first of the finished map outputs on its disk; the others come with the exchanges."""
    held_total: Annotated[int, msgspec.Meta(ge=0, le=200_000)] = 0
    """How many it holds."""
    running: Annotated[tuple[AttemptId, ...], msgspec.Meta(max_length=MAX_ITEMS)] = ()
    """Attempts that run or whose final report is not acknowledged."""


class JobContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker or gateway needs to know of its job; to a worker the program comes by digest."""

    spec: JobSpec
    """With the program's source left empty, but to the gateway that keeps the job's history."""
    program_digest: str
    read_input_directly: bool = False
    """Slots open input files by path instead of asking the gateway (local mode)."""
    serves_input: bool = False
    serves_output: bool = False


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """master → worker: the session and all that holds for it."""

    session: str
    worker: str
    epoch: int
    job: JobContext
    timing: Timing
    limits: Limits
    ticket_keys: tuple[bytes, ...]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer with a status of 400 or more."""

    reason: str
    message: str
