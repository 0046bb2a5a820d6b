"""What agent and slot process say to each other over the control pipe.

A message is 4 bytes of length (big-endian) and a body in msgpack. The agent sends `Prepare` once,
then one task at a time; the slot answers `Ready`, then `Progressed`, perhaps `Worn`, and one end a task. Tasks and
answers are the commands and events of the worker's core. Neighbours: `process.py`, `pool.py`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from mapreduce.ids import AttemptId
from mapreduce.program import Program
from mapreduce_worker.core.events import (
    Broke,
    Loaded,
    LoadInSlot,
    MapDone,
    MapInSlot,
    MapPartDone,
    Progressed,
    ReduceDone,
    ReduceInSlot,
    SegmentSpoiled,
)
from mapreduce_worker.engine.options import TaskOptions

HEAD: Final = 4
CHANNEL_CLOSED: Final = 113
"""The exit status of a slot that cannot speak to its agent any more."""
MAX_ANSWER: Final = 4 << 20
"""Bytes of one message from a slot: an error's texts, a byte a partition, all bad records of a split."""


class Prepare(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What every task of the job needs.

    scratch: where results go; `work/<attempt>` below it is the attempt's own. root_input: where
    input files are opened by path.
    """

    program: Program
    options: TaskOptions
    scratch: str
    root_input: str


class Worn(msgspec.Struct, frozen=True, tag=True):
    """The attempt, whose end follows, left something in the process that would reach into the next task."""

    attempt: AttemptId
    left: tuple[str, ...]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The slot process has started and waits for a task."""


Task = LoadInSlot | MapInSlot | ReduceInSlot
ToSlot = Prepare | LoadInSlot | MapInSlot | ReduceInSlot
FromSlot = Ready | Worn | Progressed | Loaded | MapDone | MapPartDone | ReduceDone | Broke | SegmentSpoiled

_encoder: Final = msgspec.msgpack.Encoder()
to_slot: Final = msgspec.msgpack.Decoder(ToSlot).decode
from_slot: Final = msgspec.msgpack.Decoder(FromSlot).decode


def frame(message: ToSlot | FromSlot) -> bytes:
    """Return the bytes of one message, with its length."""
    body = _encoder.encode(message)
    return len(body).to_bytes(HEAD, "big") + body


def fits(task: Task, end: FromSlot) -> bool:
    """Tell whether a message can be the end of the task: the core would wait for ever, or fail, on another."""
    if isinstance(end, Broke):
        return True
    if isinstance(task, LoadInSlot):
        return isinstance(end, Loaded)
    if isinstance(task, MapInSlot) and task.makes_part:
        return isinstance(end, MapPartDone)
    if isinstance(task, MapInSlot):
        return isinstance(end, MapDone) and end.output.attempt == task.attempt
    if isinstance(end, SegmentSpoiled):
        return any(segment.source == end.source for segment in task.segments)
    return isinstance(end, ReduceDone)
