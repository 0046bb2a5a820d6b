"""Names of tasks and attempts: the values that every other part refers to.

A task is (step, kind, index). An attempt adds the epoch of the master that started it and a
number within that epoch, so that a report of an attempt from before a restart can never be
taken for one from after it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

Kind = Literal["map", "reduce", "load", "open", "plan", "stage", "publish", "clean"]

Epoch = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
"""The bounds hold for messages: who keeps these numbers in columns relies on them."""
MOST: Final = 1 << 45
"""The largest `Amount`."""
Amount = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
"""Bytes or records of one attempt: the sum over every task of a job fits in 64 bits."""


class TaskId(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One task of a job. `index` counts from 0 within (step, kind)."""

    step: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    kind: Kind
    index: Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]

    def __str__(self) -> str:
        """Return `map-17`, or `s1-map-17` for a step after the first."""
        prefix = f"s{self.step}-" if self.step else ""
        return f"{prefix}{self.kind}-{self.index}"


class AttemptId(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One execution of a task: `number` counts from 0 within (task, epoch)."""

    task: TaskId
    epoch: Epoch
    number: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]

    def __str__(self) -> str:
        """Return `map-17.e3.0`, usable as a file name."""
        return f"{self.task}.e{self.epoch}.{self.number}"
