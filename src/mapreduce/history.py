"""What is kept of a job for ever: its events, and the journal frames that carry them.

A journal is a sequence of frames: length and CRC-32 of the body, each 4 bytes big-endian,
then the body in msgpack: (epoch, sequence, entry). A torn frame at the end is cut off.
`_history/events.ndjson` is rendered from the `HistoryEvent` entries, one JSON object a line
with a CRC-32 of the rest of the line in the field `crc`.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Literal, TypedDict

import msgspec

from mapreduce import partition_sizes, usage_rows
from mapreduce.bad_records import BadRecords
from mapreduce.errors import CorruptionError
from mapreduce.ids import AttemptId, TaskId
from mapreduce.partition_sizes import HeavyKey, PackedSizes
from mapreduce.plan import PlanHeader, Split

VERSION = 1
MAX_FRAME = 64 << 20

EventWord = Literal[
    "EpochOpened",
    "Planned",
    "Assigned",
    "Started",
    "Finished",
    "Held",
    "Lost",
    "Failed",
    "Cancelled",
    "Sizes",
    "Consumed",
    "Divided",
    "Staged",
    "Charged",
    "LeftOut",
    "WorkerLost",
    "Suspended",
    "Resumed",
    "Publishing",
    "JobFailed",
    "WorkerReady",
    "Ended",
    "Usage",
]
"""Assigned/Started/Finished/Failed/Cancelled/Lost: of an attempt. Held: a map output announced
at a registration (proof that its map finished). Lost also says that a finished map output is
gone (`reason` tells). Sizes: every map has succeeded, and this is how much they have for each
partition. Consumed: which map outputs a reduce read (digest). Divided: where the ranges of keys
begin that the reduces read, before any of them is assigned. Staged: a part is
durable under the staging directory. Charged: a budget was used. WorkerReady: a process has registered. WorkerLost: a
worker is gone. Ended: an attempt that was cancelled has given its slot back. LeftOut: the job goes on without a task.
Usage: what workers used since the sample before.
Suspended, Resumed: all workers and gateways were stopped; what is staged stays."""

Budget = Literal["", "user", "disruption", "segments"]


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="event"):
    """One thing that happened. `wall` is Unix time in seconds, for people only."""

    event: EventWord
    wall: float
    version: int = VERSION
    task: TaskId | None = None
    attempt: AttemptId | None = None
    worker: str = ""
    worker_uid: str = ""
    reason: str = ""
    message: str = ""
    budget: Budget = ""
    checksum: str = ""
    """Of a map output (Finished, Held), of a part (Staged); the digest for Consumed."""
    rows: int = 0
    size: int = 0
    records: int = 0
    """Input records of a map (Finished; Staged where a map makes a part)."""
    counters: dict[str, int] = {}
    """What the attempt's user code counted (Finished, Held, Staged)."""
    seconds: float = 0.0
    """How long the attempt took by the clock of the master that gave it (Finished); 0 where that is not known."""
    spills: int = 0
    """How often an attempt wrote rows to a file of its own on the way, for want of memory (Finished)."""
    bad: BadRecords = ()
    """Records that a map left out (Finished, Held; Staged where a map makes a part); `render` tells how many."""
    key_type: str = ""
    """The type of the job's keys (Consumed), so that publishing knows it after a restart."""
    boundaries: tuple[bytes, ...] = ()
    """Where the second range of keys begins, and those after it (Divided)."""
    sizes: PackedSizes = b""
    """Bytes that the maps have for each partition (Sizes), see `partition_sizes`; `render` writes them out."""
    heavy: tuple[HeavyKey, ...] = ()
    """The heaviest keys of the job (Sizes)."""
    where: str = ""
    """File and offset, or key and partition, at which an attempt failed (Failed)."""
    traceback: str = ""
    """Where its code was then, at most 8 KiB (Failed); see `failure_texts`."""
    log: str = ""
    """The end of what it printed, at most 4 KiB (Failed); of one that succeeded at most 1 KiB (Finished)."""
    same_as: int = 0
    """The event that has the same traceback, which is not told again: its sequence within the epoch, and in
    `events.ndjson` that of its line (Failed)."""
    peak_memory: int = 0
    """The most bytes of memory that its slot was seen to use; 0 where nobody looked (Finished, Failed, Ended)."""
    cpu: float = 0.0
    """Seconds of processor time that it has used in its slot (Finished, Failed, Ended)."""
    waited: float = 0.0
    """Seconds for which it waited on its worker for a slot, input or segments (Finished, Failed, Ended)."""
    slot: int = -1
    """The worker's slot that the attempt has (Started; if it ended before that was told, the event of its end)."""
    number: int = -1
    """The master's number for a worker, stable within the epoch (WorkerReady)."""
    node: str = ""
    """Where the worker runs, if that is known (WorkerReady)."""
    slots: int = 0
    """How many attempts it runs at a time (WorkerReady)."""
    usage: bytes = b""
    """Workers by number, see `usage_rows` (Usage); `render` writes them out."""


class EventFields(TypedDict, total=False):
    """What an event may say beside its word, its time, and of whom it tells; see `HistoryEvent`."""

    reason: str
    message: str
    budget: Budget
    checksum: str
    rows: int
    size: int
    records: int
    counters: dict[str, int]
    seconds: float
    spills: int
    bad: BadRecords
    key_type: str
    boundaries: tuple[bytes, ...]
    sizes: PackedSizes
    heavy: tuple[HeavyKey, ...]
    where: str
    traceback: str
    log: str
    same_as: int
    peak_memory: int
    cpu: float
    waited: float
    slot: int
    number: int
    node: str
    slots: int
    usage: bytes


class PlanPage(msgspec.Struct, frozen=True, tag_field="type", tag="page"):
    """Some splits of the plan, in order; pages are numbered from 0."""

    number: int
    splits: tuple[Split, ...]


class PlanMade(msgspec.Struct, frozen=True, tag_field="type", tag="plan"):
    """The plan is complete: `pages` pages came before."""

    header: PlanHeader
    pages: int


Entry = HistoryEvent | PlanPage | PlanMade


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One journal frame. `sequence` counts from 1 within an epoch and never repeats there.

    Frames that the gateway writes itself (Staged) have sequence 0: the master never numbered
    them, so they take no part in its acknowledgements.
    """

    epoch: int
    sequence: int
    entry: Entry


_HEAD = struct.Struct(">II")
_LINE = re.compile(rb'(.*),"crc":([0-9]{1,10})}')
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


def pack(frame: Frame) -> bytes:
    """Return the bytes of one frame."""
    body = _encode(frame)
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def unpack(data: bytes) -> tuple[list[Frame], int]:
    """Return the whole frames at the beginning of `data` and the length they take.

    Bytes after that length are a torn tail. A frame that is damaged with whole frames behind
    it is no torn tail: raises `CorruptionError`.
    """
    frames: list[Frame] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, at)
        body = data[at + _HEAD.size : at + _HEAD.size + length]
        # Length 0 is no frame: a file that was extended but not written ends in zeros.
        if not 0 < length <= MAX_FRAME or len(body) < length or zlib.crc32(body) != crc:
            if _frame_follows(data, at + 1):
                raise CorruptionError(f"the journal is damaged at byte {at}, before its end")
            break
        try:
            frames.append(_decode(body))
        except msgspec.DecodeError as error:
            raise CorruptionError(f"the journal's frame at byte {at} is of another version: {error}") from error
        at += _HEAD.size + length
    return frames, at


def _frame_follows(data: bytes, at: int) -> bool:
    """Tell whether a whole frame begins anywhere at or after `at`."""
    while at + _HEAD.size < len(data):
        length, crc = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if 0 < length <= MAX_FRAME and end <= len(data) and zlib.crc32(data[at + _HEAD.size : end]) == crc:
            return True
        at += 1
    return False


def render(frames: Iterable[Frame]) -> Iterator[bytes]:
    """Yield the lines of `events.ndjson`, numbered in journal order."""
    encode = msgspec.json.encode
    number = 0
    lines: dict[tuple[int, int], int] = {}
    for frame in frames:
        if not isinstance(frame.entry, HistoryEvent):
            continue
        number += 1
        if frame.entry.traceback:
            lines[frame.epoch, frame.sequence] = number
        same_as = lines.get((frame.epoch, frame.entry.same_as), 0)
        entry = msgspec.structs.replace(frame.entry, bad=(), sizes=b"", heavy=(), usage=b"", same_as=same_as)
        fields = {"sequence": number, "epoch": frame.epoch} | msgspec.to_builtins(entry)
        if frame.entry.bad:
            fields["bad_records"] = len(frame.entry.bad)
        if frame.entry.sizes:
            fields["sizes"] = partition_sizes.unpack(frame.entry.sizes)
            fields["heavy"] = [msgspec.structs.asdict(key) for key in frame.entry.heavy]
        if frame.entry.usage:
            fields["usage"] = usage_rows.unpack(frame.entry.usage)
        for name in ("task", "attempt"):
            value = getattr(frame.entry, name)
            if value is not None:
                fields[name] = str(value)
        yield checked(encode(fields))


def checked(body: bytes) -> bytes:
    """Return a JSON object as a line that ends with a CRC-32 of the rest, for `parse`."""
    return body[:-1] + b',"crc":%d}\n' % zlib.crc32(body)


def parse(text: bytes) -> list[dict[str, object]]:
    """Read `events.ndjson` back, checking every CRC; raises `CorruptionError`."""
    events = []
    rows = text.split(b"\n")
    if rows.pop():
        raise CorruptionError(f"the history ends within line {len(rows) + 1}")
    for number, row in enumerate(rows, 1):
        match = _LINE.fullmatch(row)
        if match is None or zlib.crc32(match[1] + b"}") != int(match[2]):
            raise CorruptionError(f"line {number} of the history is damaged")
        try:
            events.append(msgspec.json.decode(match[1] + b"}", type=dict[str, object]))
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            # Whoever may write to a volume can make the sum right.
            raise CorruptionError(f"line {number} of the history is damaged") from error
    return events
