"""What the gateway's core is told and asks for beside the line to the master, and one operation's states.

    queued ──> running ──> ended
       │          └─> abandoned ──┘
       └──────────────────────────┘

Neighbours: `gateway.py`, which owns one `Operation` for each storage attempt that has not ended;
`mapreduce_worker.core.events`, whose events and commands of the line to the master are used here too.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from mapreduce.errors import InvalidTransition
from mapreduce.history import Frame
from mapreduce.ids import AttemptId
from mapreduce.protocol import CleanUp, ErrorInfo, MakePlan, OpenOutput, Outcome, PublishOutput, StagePart
from mapreduce_worker.core import events

Work = OpenOutput | MakePlan | StagePart | PublishOutput | CleanUp
ALONE: Final = (OpenOutput, PublishOutput, CleanUp)
"""What runs while nothing else touches the output."""


# --- events -------------------------------------------------------------------------------


class Reported(msgspec.Struct, frozen=True):
    """An operation tells something: pages, then its result."""

    attempt: AttemptId
    outcomes: tuple[Outcome, ...]
    journal_written: int = 0
    """With `Opened`: the highest sequence of the attempt's epoch that the journal holds."""


class Broke(msgspec.Struct, frozen=True):
    """An operation ended without a result."""

    attempt: AttemptId
    error: ErrorInfo


class Moved(msgspec.Struct, frozen=True):
    """An operation tells how far it is: records and bytes since its start."""

    attempt: AttemptId
    records: int
    size: int


class Appended(msgspec.Struct, frozen=True):
    """The frames of `AppendFrames` are durable up to `through`."""

    epoch: int
    through: int


class AppendBroke(msgspec.Struct, frozen=True):
    """The frames of `AppendFrames` could not all be written now; `lost`: nor ever, it is gone or another's."""

    epoch: int
    message: str = ""
    lost: bool = False


Event = (
    events.SessionOpened
    | events.Answered
    | events.Refused
    | events.Unanswered
    | events.Terminated
    | events.Ticked
    | Reported
    | Broke
    | Moved
    | Appended
    | AppendBroke
)


# --- commands -----------------------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True):
    """Begin an operation; it ends by a final `Reported` or by `Broke`."""

    work: Work


class Abandon(msgspec.Struct, frozen=True):
    """The result of a running operation is not wanted: end it soon, at a point where that is safe."""

    attempt: AttemptId


class AppendFrames(msgspec.Struct, frozen=True):
    """Append frames to the journal; answered by `Appended` or `AppendBroke`. One at a time."""

    epoch: int
    frames: tuple[Frame, ...]


Command = events.SendRegister | events.SendExchange | events.Exit | Begin | Abandon | AppendFrames


# --- operations ---------------------------------------------------------------------------

State = Literal["queued", "running", "abandoned", "ended"]
Step = Literal["begin", "drop", "abandon", "end"]

TABLE: Final[dict[tuple[State, Step], State]] = {
    ("queued", "begin"): "running",
    ("queued", "drop"): "ended",
    ("running", "abandon"): "abandoned",
    ("running", "end"): "ended",
    ("abandoned", "end"): "ended",
}
"""drop: it ends before it began. abandon: it was told to end; what it reports then still counts
if it is a result, because the store has it."""


class Operation:
    """One storage attempt that has not ended."""

    __slots__ = ("history", "state", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.state: State = "queued"
        self.history: list[str] = []

    def move(self, step: Step) -> None:
        """Change state by the table; raises `InvalidTransition` with the operation's history."""
        after = TABLE.get((self.state, step))
        if after is None:
            story = ", ".join((*self.history, self.state))
            raise InvalidTransition(f"{self.work.attempt}: {step} in state {self.state} ({story})")
        self.history.append(f"{self.state} {step}")
        self.state = after
