"""What the master's core is told (past tense) and what it asks for (imperative).

The runtime turns the outside world into `Event`s, hands each to `Master.handle(event, at)`, and
carries out the `Outcome`'s commands in their order. Neighbours: `master.py` (the core),
`mapreduce_operator.runtime` (its only caller besides the simulation).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from mapreduce.partition_sizes import HeavyKey
from mapreduce.protocol import Answer, Exchange, OutputSummary, Register, Registered, Role


class Instant(msgspec.Struct, frozen=True):
    """When an event happened: `mono` in seconds of the master's own monotonic clock, for every
    decision; `wall` in Unix seconds, for people and for the expiry of tickets."""

    mono: float
    wall: float


class WorkerSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One Pod (or local process) of the job as the platform tells of it.

    pending: not running yet; `reason` and `message` say why if known (ImageUnavailable,
    Unschedulable…). running. ending: told to stop, but may still serve. gone: ended or deleted;
    `oom` if the kernel's memory killer ended the whole Pod.
    """

    name: str
    uid: str
    role: Role
    index: int
    incarnation: str
    state: Literal["pending", "running", "ending", "gone"]
    node: str = ""
    reason: str = ""
    message: str = ""
    oom: bool = False


# --- events -----------------------------------------------------------------------------


class WorkersListed(msgspec.Struct, frozen=True):
    """The whole truth by a LIST: a worker whose uid had been seen and that is not in it is gone."""

    workers: tuple[WorkerSeen, ...]


class WorkerChanged(msgspec.Struct, frozen=True):
    """A hint from a watch about one worker."""

    worker: WorkerSeen


class WorkerNotStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The platform refused to start a worker; if `final`, trying again cannot help.

    `unanswered`: it did not refuse, it said nothing.
    """

    name: str
    reason: str
    message: str
    final: bool = False
    unanswered: bool = False


class WorkerRegistered(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticated worker asks for a session; answered by `Welcome` or `Refuse`."""

    request: int
    worker: str
    uid: str
    session: str
    """A fresh random name that the shell drew for this session."""
    address: str
    """host:port of the worker's data server."""
    body: Register


class Exchanged(msgspec.Struct, frozen=True, kw_only=True):
    """A worker exchanged. The answer may come with a later event: the request is parked."""

    request: int
    session: str
    body: Exchange


class Disconnected(msgspec.Struct, frozen=True):
    """The connection of a parked request closed; it must not be answered any more."""

    request: int


class WorkerClosed(msgspec.Struct, frozen=True):
    """The platform knows at once that a worker is gone (a local process ended)."""

    name: str
    reason: str
    message: str = ""


class InputMissing(msgspec.Struct, frozen=True):
    """A claim, ConfigMap or program that the job names does not exist (now). Cleared by an
    event with an empty `reason`."""

    reason: str
    message: str


class JobDeleted(msgspec.Struct, frozen=True):
    """The user deleted the job: stop, clean the store, then `Ended`."""


class SpecChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What the user may change of a job while it lives, as it is now; may repeat, and may never come.

    As the first event of a job it decides what is started at all; else what the spec says holds.
    workers: how many there should be. suspend: no Pod of the job may run. active_deadline: seconds
    that the job may be active for, 0 for no limit. resumed_wall: when people were told that the last pause
    was over, in Unix seconds, or 0; the journal lacks it if this master's predecessor ended soon after.
    """

    workers: int
    suspend: bool
    active_deadline: float
    resumed_wall: float = 0.0


class EpochRead(msgspec.Struct, frozen=True):
    """Which epoch is the newest, by a look that began after a `ReadEpoch`; None where it cannot be told."""

    epoch: int | None


class Ticked(msgspec.Struct, frozen=True):
    """Time went by. The runtime sends one at least every half second."""


class JobsFound(msgspec.Struct, frozen=True):
    """Which of the jobs of a `FindJobs` live, by a look that began after it."""

    living: tuple[str, ...]
    dead: tuple[str, ...]


Event = (
    WorkersListed
    | WorkerChanged
    | WorkerNotStarted
    | WorkerRegistered
    | Exchanged
    | Disconnected
    | WorkerClosed
    | InputMissing
    | JobDeleted
    | SpecChanged
    | Ticked
    | JobsFound
    | EpochRead
)


# --- commands ---------------------------------------------------------------------------


class StartWorker(msgspec.Struct, frozen=True, kw_only=True):
    """Start a Pod or process. `name` is deterministic and is never used twice.

    index counts within the role. A gateway with `serves_output` mounts the output's store,
    one with `serves_input` the input's; gateway 0 serves the output.
    """

    name: str
    role: Role
    index: int
    incarnation: str
    serves_input: bool = False
    serves_output: bool = False


class StopWorker(msgspec.Struct, frozen=True, kw_only=True):
    """Stop and remove a Pod or process; doing it twice is harmless."""

    name: str
    uid: str
    reason: str


class Welcome(msgspec.Struct, frozen=True):
    """Answer a registration."""

    request: int
    body: Registered


class Reply(msgspec.Struct, frozen=True):
    """Answer an exchange."""

    request: int
    body: Answer


class Refuse(msgspec.Struct, frozen=True, kw_only=True):
    """Refuse a request. 401: register again. 409: superseded by a newer request, or the epoch is
    old. 410: this worker is not wanted any more, exit. 426: another protocol version."""

    request: int
    status: Literal[400, 401, 409, 410, 426]
    reason: str
    message: str


class FindJobs(msgspec.Struct, frozen=True):
    """Find out which of these jobs live, by a look that begins now; answered by `JobsFound`."""

    uids: tuple[str, ...]


class PublishStatus(msgspec.Struct, frozen=True):
    """The status changed. The shell may coalesce; a final one goes out at once."""

    status: JobStatus


class Announce(msgspec.Struct, frozen=True, kw_only=True):
    """A Kubernetes Event (locally: a line of progress)."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


class Ended(msgspec.Struct, frozen=True):
    """Nothing is left to do for this job; it is `Succeeded`, `Failed` or deleted."""

    phase: Literal["Succeeded", "Failed", "Deleted"]


class ReadEpoch(msgspec.Struct, frozen=True):
    """Find out which epoch is the newest, by a look that begins now; answered by `EpochRead`."""


class StepDown(msgspec.Struct, frozen=True):
    """A newer master runs this job: another process has this one's place, so this process must end.

    The core serves nobody any more, and asks for nothing else.
    """

    message: str


Command = (
    StartWorker
    | StopWorker
    | Welcome
    | Reply
    | Refuse
    | FindJobs
    | ReadEpoch
    | PublishStatus
    | Announce
    | Ended
    | StepDown
)


class Outcome(msgspec.Struct, frozen=True):
    """What to do, in the order in which it must be done."""

    commands: tuple[Command, ...] = ()


# --- status -----------------------------------------------------------------------------


class PhaseCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of one kind."""

    total: int = 0
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    speculative: int = 0


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition by the conventions of the Kubernetes API; `since` is wall time in seconds."""

    type: Literal["Complete", "Failed", "WorkersReady", "Suspended"]
    status: Literal["True", "False"]
    reason: str
    message: str
    since: float


class TaskFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One failed attempt as the user reads it."""

    task: str
    worker: str
    reason: str
    message: str
    where: str
    traceback: str
    wall: float
    output: str = ""
    """The end of what the attempt printed."""
    peak_memory: int = 0
    """The most bytes of memory that it was seen to use; 0 if nobody looked."""


class Charges(msgspec.Struct, frozen=True, kw_only=True):
    """What each budget of failures paid for, in the whole job."""

    user: int = 0
    disruption: int = 0
    segments: int = 0


class SkewStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How evenly the maps' rows are divided; sizes in bytes, as they are shuffled."""

    largest: int
    """Of the largest partition."""
    median: int
    """Of the one in the middle."""
    heavy: tuple[HeavyKey, ...] = ()
    """The keys that have much of it, the heaviest first; estimates."""


class JobStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that people see of a job; the shells render it."""

    phase: Literal["Pending", "Planning", "Mapping", "Reducing", "Publishing", "Succeeded", "Failed", "Suspended"]
    conditions: tuple[Condition, ...] = ()
    start_wall: float | None = None
    completion_wall: float | None = None
    maps: PhaseCounts = PhaseCounts()
    reduces: PhaseCounts = PhaseCounts()
    workers_desired: int = 0
    workers_ready: int = 0
    records: int = 0
    """Input records of the succeeded maps."""
    size: int = 0
    """Input bytes of the succeeded maps."""
    total_size: int = 0
    counters: dict[str, int] = {}
    """What the user's code counted in the attempts that count."""
    last_failures: tuple[TaskFailure, ...] = ()
    """The newest last."""
    charges: Charges = Charges()
    """What each budget has paid for, of the whole job."""
    failed_tasks: tuple[str, ...] = ()
    """The first tasks that spent their budget and were left out, as `maxFailedTasks` allows; how many
    there are, `maps` and `reduces` say."""
    bad_records: int = 0
    """Records that the succeeded maps left out, as `skipBadRecords` allows."""
    skew: SkewStatus | None = None
    """Known once every map has succeeded."""
    output: OutputSummary | None = None
    message: str = ""
    """Why the job waits, in plain words; empty while it moves."""
