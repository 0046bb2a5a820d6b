"""Everything that the master knows of one job, in one place.

The other modules of this package are functions over a `Book`: one concern each. None of them
keeps anything of its own. Neighbours: `entries.py` (values that the book holds), `master.py`, which
owns the one `Book` of a job and empties `commands` into an Outcome after each event.
"""

from __future__ import annotations

from array import array
from typing import Literal, Unpack

import msgspec

from mapreduce import tickets
from mapreduce.bad_records import BadRecord
from mapreduce.failure_texts import FailureTexts
from mapreduce.history import Budget, EventFields, EventWord, HistoryEvent
from mapreduce.ids import AttemptId, Kind, TaskId
from mapreduce.keys import KeyType
from mapreduce.plan import PlanHeader
from mapreduce.protocol import OutputSummary, Role
from mapreduce.spec import JobSpec
from mapreduce_operator.core import policies, states
from mapreduce_operator.core.entries import (
    Ending,
    Failure,
    JournalTrouble,
    Part,
    PlanDraft,
    Recovered,
    UnreadableStreak,
)
from mapreduce_operator.core.events import Announce, Command, Condition, Instant, JobStatus, SpecChanged, TaskFailure
from mapreduce_operator.core.journal import Journal
from mapreduce_operator.core.outputs import MapOutputs
from mapreduce_operator.core.partition_sums import PartitionSums
from mapreduce_operator.core.states import JobEvent, JobState
from mapreduce_operator.core.tally import Counted, Tally
from mapreduce_operator.core.tasks import TaskTable
from mapreduce_operator.core.workers import Registry, Worker

KEPT_FAILURES = 5
MOST_ANNOUNCED = 1000
"""What is told once is remembered, and workers have a say in it."""


class MasterContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a master is told of its surroundings.

    ticket_key: drawn for this (job, epoch); previous_ticket_key: that of the epoch before, if it
    is known. engine_version: of the workers' image. read_input_directly: slots open input files by
    path (local mode). resumed: Pods, sessions and a journal of an earlier epoch may exist, so
    nothing is started before a LIST, and nothing is assigned before the grace is over.
    first_incarnation: no name of a worker was made with this number or a higher one in this epoch;
    not 0 for a second master of the same epoch. judge: who can tell which jobs are dead, as a lock
    names it; empty in local mode.
    """

    ticket_key: bytes
    previous_ticket_key: bytes | None = None
    engine_version: str
    read_input_directly: bool = False
    resumed: bool = False
    first_incarnation: int = 0
    judge: str = ""


class Book:
    """The state of one job. Times are of `now`, the master's own clock (see `Master.handle`)."""

    def __init__(self, spec: JobSpec, context: MasterContext, epoch: int) -> None:
        self.spec = spec
        self.context = context
        self.epoch = epoch
        self.commands: list[Command] = []
        self.at = Instant(mono=0.0, wall=0.0)
        self.now = 0.0
        """Seconds for which this master paid attention: a pause of the process does not count."""

        self.state = JobState.PENDING
        self.job_history: list[JobEvent] = []
        self.failure: Failure | None = None
        self.ending: Ending | None = None
        self.wanted = SpecChanged(workers=spec.workers, suspend=False, active_deadline=spec.limits.active_deadline)
        """What the user wants now."""
        self.active_since = 0.0
        """Since when the job is active, on the clock of `Instant.mono`; a resume begins anew."""
        self.pending_since = 0.0
        self.resumes = 0
        self.ended = False
        self.deposed = False
        """There is a higher epoch: somebody else runs this job now."""
        self.epoch_asked_again = 0.0
        """When it may next be asked whether there is a higher epoch."""

        self._begin_work()
        self._begin_sums()
        self._begin_memory()

    def _begin_work(self) -> None:
        """Workers, tasks and what became of them."""
        self.registry = Registry()
        self.next_incarnation = self.context.first_incarnation
        """No name of this epoch has this number or a higher one."""
        self.journal = Journal(self.epoch)
        self.tasks: dict[Kind, TaskTable] = {
            kind: TaskTable(kind, 1) for kind in ("load", "open", "plan", "publish", "clean")
        }
        self.tasks["map"] = self.tasks["reduce"] = TaskTable("map", 0)
        self.tasks["stage"] = TaskTable("stage", 0)
        self.outputs = MapOutputs(0)
        self.sizes = PartitionSums()
        """How much the maps have for each partition."""

        self.header: PlanHeader | None = None
        self.splits: list[bytes] = []
        """Each split in msgpack: a plan may have very many."""
        self.split_sizes = array("Q")
        self.median_split = 0
        """Bytes of the split in the middle, by size."""
        self.records = array("Q")
        """Input records of each map that finished."""
        self.draft: PlanDraft | None = None
        self.draft_sequence = 0
        """The journal's sequence that ends the plan of this epoch, 0 before."""
        self.publish_sequence = 0
        self.has_reduce: bool | None = None
        """Whether the program has a reduce; None until somebody loaded it. See `shape.py`."""
        self.key_type: KeyType = ""
        self.key_at = ""
        self.samples: dict[int, tuple[int, tuple[bytes, ...]]] = {}
        """The rows and some keys of each map that finished, until ranges of keys are chosen; see `divide.py`."""
        self.boundaries: tuple[bytes, ...] | None = None
        """Where ranges of keys begin, once they are chosen."""
        self.divided_sequence = 0
        """The journal's sequence that tells them, 0 if an older epoch chose them."""
        self.parts: dict[int, Part] = {}
        self.consumed = ""
        """What the reduces that reported consumed; once set, no map may give another output."""
        self.unreadable_parts: dict[AttemptId, int] = {}
        """How often the gateway could not read the part of a reduce attempt."""
        self.complaints: dict[AttemptId, set[AttemptId]] = {}
        self.unreadable = UnreadableStreak(0, 0)
        self.avoid: dict[int, set[int]] = {}
        """Workers that a moved reduce should not get again."""
        self.left_out: list[TaskId] = []
        """Tasks that spent their budget, as `Limits.max_failed_tasks` allows."""
        self.finished = 0
        """Tasks that finished, for telling disruptions in a row."""

    def _begin_sums(self) -> None:
        """What the tasks that finished have read, counted and left out."""
        self.counted = Counted()
        """What each map that finished has counted."""
        self.bad: dict[int, tuple[BadRecord, ...]] = {}
        """Records that a map which finished has left out, by its index."""
        self.bad_count = 0
        """How many of them are of maps that have succeeded."""
        self.first_bad: BadRecord | None = None
        """The one that was counted first."""
        self.newest_bad: BadRecord | None = None
        """The one that was counted last, until it was judged."""
        self.done_records = 0
        self.done_size = 0
        """Input records and bytes of the maps that have succeeded."""
        self.tally = Tally()
        """What the succeeded maps and the staged reduces have counted."""

    def _begin_memory(self) -> None:
        """What is known of an older epoch, and what was told to people."""
        self.rebuilt = False
        """Whether the journal was read: from then on workers are heard of what they hold."""
        self.named_at = 0.0
        """When the journal was read, or a worker last named something that it holds."""
        self.grace_over = not self.context.resumed
        self.listed = False
        self.opened_once = False
        self.open_refused = False
        """The output could not be had, or not any more: opening it again cannot help."""
        self.sought: tuple[str, ...] = ()
        """Jobs that left something at the output, of which it is being found out whether they live."""
        self.contests = 0
        """How often in a row the output was found contested."""
        self.live_jobs: set[str] = set()
        self.dead_jobs: set[str] = set()
        """What was found out about such jobs."""
        self.recovered: Recovered | None = None
        """What the journal's pages told so far."""
        self.made: dict[int, tuple[Part, str]] = {}
        """Parts that an older epoch did not get to stage, until the worker that has each is taken over."""
        self.to_stage: set[int] = set()
        """Partitions whose part waits to be staged."""

        self.input_problem = Failure("", "")
        self.announced: set[tuple[str, str]] = set()
        self.last_failures: list[TaskFailure] = []
        self.texts = FailureTexts()
        """What the history keeps of what failures said."""
        self.charges: dict[Budget, int] = {"user": 0, "disruption": 0, "segments": 0}
        """What each budget paid for, of the whole job."""
        self.journal_trouble: JournalTrouble | None = None
        """Why the output's gateway cannot write the journal now."""
        self.summary: OutputSummary | None = None
        self.found_published = False
        self.conditions: dict[str, Condition] = {}
        self.started_wall: float | None = None
        self.completed_wall: float | None = None
        self.published_status: JobStatus | None = None

        self.sample_at = policies.USAGE_SECONDS
        """When workers' usage is sampled next."""
        self.next_look = 0.0
        """When it may next be looked for attempts that are slow."""
        self.backups_coming = 0
        """Slow maps for which a slot is being made free; see `early.py`."""
        self.news: set[int] = set()
        """Workers whose parked request may have something to say."""
        self._input_ticket: tuple[int, str] = (-1, "")

    # --- moving -------------------------------------------------------------------------

    def move(self, event: JobEvent) -> None:
        """Change the job's state by the table; raises `InvalidTransition` with its history."""
        self.state = states.after(states.JOB, self.state, event, f"job {self.spec.name}", ", ".join(self.job_history))
        self.job_history.append(event)

    def fail(self, reason: str, message: str) -> None:
        """Let the job fail; the first reason stays. `ending.py` carries it out."""
        if self.failure is None and not self.over:
            self.failure = Failure(reason, message)

    @property
    def over(self) -> bool:
        """Whether the job only has to be cleaned up."""
        return self.ending is not None

    def wants(self, role: Role) -> bool:
        """Tell whether somebody in that role still has something to do."""
        if self.ending is None:
            return self.state is not JobState.SUSPENDED
        return role == "gateway" and not self.ending.cleaned

    @property
    def map_only(self) -> bool:
        """Whether the job is known to have no reduce: its maps make the parts."""
        return self.has_reduce is False

    @property
    def producers(self) -> TaskTable:
        """The tasks whose results are the parts of the output."""
        return self.tasks["map" if self.map_only else "reduce"]

    # --- telling ------------------------------------------------------------------------

    def announce(self, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Tell people."""
        self.commands.append(Announce(kind=kind, reason=reason, message=message))

    def announce_once(self, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Tell people what may be found again and again, but once."""
        if (reason, message) not in self.announced and len(self.announced) < MOST_ANNOUNCED:
            self.announced.add((reason, message))
            self.announce(kind, reason, message)

    def announce_first(self, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Tell people only the first message with this reason."""
        if all(known != reason for known, _ in self.announced):
            self.announced.add((reason, message))
            self.announce(kind, reason, message)

    def record(
        self,
        event: EventWord,
        *,
        attempt: AttemptId | None = None,
        task: TaskId | None = None,
        worker: Worker | None = None,
        awaited: bool = False,
        **fields: Unpack[EventFields],
    ) -> int:
        """Journal one event; return its sequence."""
        entry = HistoryEvent(
            event=event,
            wall=self.at.wall,
            task=attempt.task if attempt is not None else task,
            attempt=attempt,
            worker=worker.name if worker is not None else "",
            worker_uid=worker.uid if worker is not None else "",
            **fields,
        )
        return self._journal(entry, awaited=awaited)

    def _journal(self, entry: HistoryEvent, *, awaited: bool) -> int:
        if awaited and (gateway := self.output_gateway) is not None:
            self.news.add(gateway.number)
        return self.journal.append(entry, self.now, awaited=awaited)

    # --- who is who -----------------------------------------------------------------------

    @property
    def output_gateway(self) -> Worker | None:
        """The gateway that serves the output, if it has a session."""
        return self._gateway(0)

    @property
    def input_gateway(self) -> Worker | None:
        """The gateway that serves the input, if it has a session."""
        return self._gateway(1 if self.spec.separate_input else 0)

    def _gateway(self, index: int) -> Worker | None:
        worker = self.registry.at("gateway", index)
        return worker if worker is not None and worker.session else None

    @property
    def input_address(self) -> str:
        """Where the input can be read now, or empty."""
        gateway = self.input_gateway
        return gateway.address if gateway is not None else ""

    def wake_all(self) -> None:
        """Something changed that every worker may have to know."""
        self.news.update(worker.number for worker in self.registry.alive())

    # --- tickets ----------------------------------------------------------------------------

    def ticket(self, scope: str) -> str:
        """Return a ticket for `scope`."""
        return tickets.mint(self.context.ticket_key, self.spec.uid, scope, self.at.wall + tickets.LIFETIME)

    def input_ticket(self) -> str:
        """Return a ticket for the input; one serves many assignments."""
        period = int(self.at.wall // (tickets.LIFETIME / 2))
        if self._input_ticket[0] != period:
            self._input_ticket = (period, self.ticket(tickets.INPUT))
        return self._input_ticket[1]
