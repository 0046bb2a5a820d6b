"""What the page is told: the messages of its API, version 1, and what is in a report.

All JSON. Times are whole milliseconds since `Update.t0`, or Unix milliseconds where it says so; -1 stands for what has
not been. Sizes are bytes where nothing else is said. Who reads ignores fields that it does not know, so that a newer
sender may add some. Neighbours: `fold.py` makes an `Update`, `report.py` puts one into a file; the page's own copy of
these shapes is `page/src/model.ts`.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

from mapreduce.ids import Kind

VERSION: Final = 1
"""Of these messages. A reader refuses a higher one."""

NEVER: Final = -1
"""A time that has not come; a duration of what still runs; a group of what did not fail."""

KINDS: Final[tuple[str, ...]] = get_args(Kind)
"""The names of `Attempts.kind`: those of maps and reduces first."""

# Attempts.outcome
RUNS: Final = 0
FINISHED: Final = 1
FAILED: Final = 2
LOST: Final = 3
CANCELLED: Final = 4
OUTPUT_LOST: Final = 5
"""It finished, and what it made is gone: with its worker, or because nobody could read it."""

# Attempts.flags, added up
RETRY: Final = 1
SPILL: Final = 2
BACKUP: Final = 4
EARLY: Final = 8
"""A reduce that gathered before all maps had finished."""
LEFT_OUT: Final = 16
"""The job went on without its task."""
TAKEN_OVER: Final = 32
"""A later master found it running, or found what it had made."""

UNKNOWN_SLOT: Final = -1


class Attempts(msgspec.Struct, kw_only=True):
    """Attempts by columns of one length; `row` and `began` hold differences: the first to 0, each to the one before.

    A row stands for the same attempt in every update until one is `full`.
    """

    row: list[int] = []
    kind: list[int] = []
    """An index of `KINDS`."""
    index: list[int] = []
    """Of the task among those of its kind: map-17 is 17."""
    epoch: list[int] = []
    number: list[int] = []
    """Of the attempt within its task and epoch."""
    worker: list[int] = []
    """A row of `Update.workers`; -1 if nobody is named."""
    slot: list[int] = []
    """On its worker, from 0; -1 if it is not known."""
    given: list[int] = []
    """When the master gave it to its worker."""
    began: list[int] = []
    """When its worker first said that it runs; if it never said so, when it was given."""
    took: list[int] = []
    """Milliseconds from `began` to its end; -1 while it runs."""
    outcome: list[int] = []
    flags: list[int] = []
    records: list[int] = []
    """Input records of a map that finished, output rows of a reduce."""
    size: list[int] = []
    """Bytes that it made, to seven digits."""
    cpu: list[int] = []
    """Milliseconds of processor time; 0 if nobody told."""
    peak: list[int] = []
    """The most KiB of memory that its process was seen to use; 0 if nobody told."""
    group: list[int] = []
    """The `Group.id` of its failure, or -1."""


class Worker(msgspec.Struct, kw_only=True):
    """A worker or gateway as one process: one that comes in its place has a row of its own."""

    row: int
    name: str
    uid: str = ""
    node: str = ""
    slots: int = 0
    """0 if it is not known."""
    joined: int = NEVER
    gone: int = NEVER
    reason: str = ""
    """Why it is gone, a word of `mapreduce.words.REASONS`."""


class Phase(msgspec.Struct, kw_only=True):
    """The tasks of one kind; `retried` and `backups` count attempts, the others tasks."""

    kind: Literal["map", "reduce"]
    total: int = 0
    """0 until it is known."""
    done: int = 0
    active: int = 0
    failed: int = 0
    """Tasks that are left out."""
    retried: int = 0
    backups: int = 0
    records: int = 0
    """Input records of the maps that have succeeded; output rows of the reduces."""
    size: int = 0
    """Input bytes of the maps that have succeeded; bytes of parts that the reduces made."""
    total_size: int = 0
    """Input bytes of all maps; 0 if that is not known, as of reduces."""
    records_s: float = 0.0
    """Records a second over the last half minute, or over the whole phase once it is over."""
    size_s: float = 0.0
    left_s: float = -1.0
    """Seconds until the phase is over, as estimated; -1 if nothing can be said."""
    median: int = 0
    """Milliseconds that attempts which finished took; 0 before the first."""
    p95: int = 0
    max: int = 0


class Head(msgspec.Struct, kw_only=True):
    """What there is once of a job."""

    ns: str = ""
    name: str = ""
    uid: str = ""
    phase: str = "Pending"
    """A word of `mapreduce.words.PHASES`; of a report of a job that ended unclearly, the last that it reached."""
    began: int = 0
    ended: int = NEVER
    reason: str = ""
    message: str = ""
    """Why it failed or waits."""
    epochs: list[int] = []
    """When each master began, the first included."""
    params: dict[str, str] = {}
    counters: dict[str, int] = {}
    left_out: list[str] = []
    """The first tasks without which the job went on."""
    bad_records: int = 0
    output: str = ""
    phases: list[Phase] = []
    """The maps; and the reduces, unless the job is known to have none."""
    rows_dropped: int = 0
    """Attempts that ended early in the job and have no row any more; they count in `phases`."""


class Usage(msgspec.Struct, kw_only=True):
    """What workers used, by columns, in the order of time."""

    row: list[int] = []
    """Of `Update.workers`."""
    at: list[int] = []
    cpu: list[int] = []
    """Thousandths of one processor since the sample before."""
    mem: list[int] = []
    """MiB that its processes held."""


class Rate(msgspec.Struct, kw_only=True):
    """Sums from the job's beginning to each of some moments, by columns."""

    at: list[int] = []
    records: list[int] = []
    """Input records of maps that had finished."""
    size: list[int] = []
    """Input bytes of maps that had finished."""
    done: list[int] = []
    """Maps and reduces that had succeeded."""


class Sample(msgspec.Struct, kw_only=True):
    """One failure of a group."""

    attempt: str
    """As in `map-17.e1.0`."""
    worker: str
    at: int


class Group(msgspec.Struct, kw_only=True):
    """Failures with one cause: the same reason, type of exception and line of the program."""

    id: int
    reason: str
    """A word of `mapreduce.words.REASONS`."""
    place: str = ""
    """Type of exception and line of the program, or empty."""
    count: int = 0
    first: int = 0
    last: int = 0
    tasks: list[str] = []
    """The first that met it."""
    samples: list[Sample] = []
    """The first few, with their texts in `Failures`."""
    message: str = ""
    """Of the first."""


class HeavyKey(msgspec.Struct, kw_only=True):
    """A key that has a large part of the rows, as it is printed and cut short; rows and bytes are estimates."""

    partition: int
    key: str
    rows: int
    size: int


class Partitions(msgspec.Struct, kw_only=True):
    """Where the maps' rows go; empty until every map has finished."""

    sizes: list[int] = []
    """Bytes as they are shuffled, by partition."""
    heavy: list[HeavyKey] = []


class Update(msgspec.Struct, kw_only=True):
    """One job, or what changed of it: `GET /api/v1/jobs/NS/NAME?since=REV&boot=BOOT`.

    Workers, attempts and usage are those that changed after `since`; rate, groups and partitions are told whole, or
    `null` if they did not change. If it is `full`, all that was told before is to be forgotten: `boot` changed, or too
    much since.
    """

    v: int = VERSION
    boot: str = ""
    """Changes when the server begins anew, and with it the meaning of `rev`."""
    rev: int = 0
    """To be sent as the next `since`; nothing else may be done with it."""
    full: bool = True
    more: bool = False
    """There is more to be read at once."""
    t0: int = 0
    """Unix milliseconds."""
    now: int = 0
    head: Head = msgspec.field(default_factory=Head)
    workers: list[Worker] = []
    attempts: Attempts = msgspec.field(default_factory=Attempts)
    usage: Usage = msgspec.field(default_factory=Usage)
    rate: Rate | None = None
    groups: list[Group] | None = None
    partitions: Partitions | None = None


class JobRow(msgspec.Struct, kw_only=True):
    """One job in the list; `began` and `ended` are Unix milliseconds, or -1."""

    ns: str
    name: str
    uid: str
    phase: str
    maps: tuple[int, int]
    """Done, total."""
    reduces: tuple[int, int]
    workers: tuple[int, int]
    """Ready, desired."""
    retries: int = 0
    began: int = NEVER
    ended: int = NEVER
    reason: str = ""
    live: bool = True
    """There is a page of the job here; of one that is not live, only its report."""


class Jobs(msgspec.Struct, kw_only=True):
    """`GET /api/v1/jobs`. `now`: Unix milliseconds."""

    v: int = VERSION
    boot: str = ""
    now: int = 0
    jobs: list[JobRow] = []
    more: bool = False
    """There are more jobs than are told."""


class Text(msgspec.Struct, kw_only=True):
    """All that is kept of one failure."""

    attempt: str
    where: str = ""
    """File and offset, or key and partition."""
    message: str = ""
    traceback: str = ""
    log: str = ""
    """The end of what the attempt printed."""
    peak: int = 0
    """KiB."""


class Failures(msgspec.Struct, kw_only=True):
    """`GET /api/v1/jobs/NS/NAME/failures/ID`: the texts of a group's samples."""

    v: int = VERSION
    samples: list[Text] = []


class Report(msgspec.Struct, kw_only=True):
    """What a report holds: one whole update, and the texts of failures by `Group.id`."""

    v: int = VERSION
    update: Update
    texts: dict[str, list[Text]] = {}


class Error(msgspec.Struct, kw_only=True):
    """Why a request was refused; `reason` is one PascalCase word."""

    reason: str
    message: str


class Refused(msgspec.Struct, kw_only=True):
    """The body of an answer with status 400, 401, 403, 404 or 429."""

    error: Error
