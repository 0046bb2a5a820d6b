"""The history of one job, event by event, as the page shows it.

The live page and the report see a job through the same eyes: a master's entries as it makes them, or a journal's.
Nothing here trusts an event to make sense: workers have a say in what it tells, and a journal may begin late. What is
neither in the history nor to be computed from it, `tell` takes. Neighbours: `columns.py` (attempts), `totals.py` (what
is done of each phase), `crew.py` (workers), `grouping.py` (failures), `model.py` (what comes out).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypedDict, Unpack

from mapreduce import partition_sizes
from mapreduce.history import Entry, HistoryEvent, PlanMade, PlanPage
from mapreduce.ids import AttemptId, TaskId
from mapreduce.spec import JobSpec
from mapreduce_page import bounds, columns, grouping, model
from mapreduce_page.crew import Crew
from mapreduce_page.totals import MAP, REDUCE, Totals

MOST_ROWS: Final = 500_000
"""Attempts that have a row; beyond, those that began first lose theirs."""
DROPPED: Final = 50_000
"""Rows that go at a time."""
MOST_TOLD: Final = 5000
"""Rows of one answer."""
MOST_SLOT: Final = 127
_KINDS: Final = {name: kind for kind, name in enumerate(model.KINDS)}
_NOTHING_WRONG: Final = "NotStarted"
"""A reason for which an attempt is lost that nobody needs to understand."""


class Known(TypedDict, total=False):
    """What is known of a job beside its history; see `model.Head`."""

    phase: str
    ended: float
    """Unix time."""
    reason: str
    message: str
    counters: dict[str, int]


class Fold:
    """What one job's history has told so far."""

    def __init__(self, spec: JobSpec, *, most_rows: int = MOST_ROWS, dropped: int = DROPPED) -> None:
        self._bound = (most_rows, dropped)
        self._rows = columns.Columns()
        self._changes = columns.Changes()
        self._open: dict[AttemptId, int] = {}
        """The row of each attempt that runs."""
        self._cancelling: dict[AttemptId, int] = {}
        """The same of each that was cancelled, and has its slot still."""
        self._newest = columns.Newest()
        self._totals = Totals(spec)
        self._crew = Crew(self._changes)
        self._groups = grouping.Groups()
        self._partitions = model.Partitions()
        self._changed = {"rate": 0, "groups": 0, "partitions": 0}
        """The revision at which each of them changed last."""
        self._sums = 0
        self._start: float | None = None
        self._dropped = 0
        self._phase = "Pending"
        """As it was told; empty if the totals know better."""
        self._counters: dict[str, int] | None = None
        self._head = model.Head(
            ns=bounds.start(spec.namespace, bounds.NAME),
            name=bounds.start(spec.name, bounds.NAME),
            uid=bounds.start(spec.uid, bounds.NAME),
            params=bounds.texts(spec.params),
            output=bounds.start(spec.output, bounds.VALUE),
        )

    # --- what happens -----------------------------------------------------------------------

    def add(self, epoch: int, sequence: int, entry: Entry) -> None:
        """Take in one entry, in the order of the journal."""
        if isinstance(entry, PlanPage):
            self._totals.plan(entry.splits)
        elif isinstance(entry, PlanMade):
            self._totals.planned(entry.header)
        else:
            if self._start is None:
                self._start = entry.wall
            at = self.moment(entry.wall)
            if (of_attempt := _OF_ATTEMPT.get(entry.event)) is not None:
                if entry.attempt is not None:
                    row = of_attempt(self, entry, entry.attempt, at)
                    if row is not None:
                        self._group(row, (epoch, sequence), entry, at)
            elif (of_job := _OF_JOB.get(entry.event)) is not None:
                of_job(self, entry, at)
                self._changes.note()
            if self._totals.changes != self._sums:
                self._sums = self._totals.changes
                self._changed["rate"] = self._changes.revision

    def tell(self, **known: Unpack[Known]) -> None:
        """Take in what is known beside the history; what is left out stays as it is."""
        if "ended" in known:
            self._end(self.moment(known["ended"]))
        self._phase = known.get("phase", self._phase)
        self._head.reason = bounds.start(known.get("reason", self._head.reason), bounds.WORD)
        self._head.message = bounds.start(known.get("message", self._head.message), bounds.MESSAGE)
        if "counters" in known:
            self._counters = bounds.numbers(known["counters"])
        self._changes.note()

    @property
    def ended(self) -> bool:
        """Whether it is known that the job is over."""
        return self._head.ended != model.NEVER

    def moment(self, wall: float) -> int:
        """Return milliseconds since the beginning of the job; clocks may go back, but no time is before it."""
        return columns.whole((wall - self._start) * 1000) if self._start is not None else 0

    def _end(self, at: int) -> None:
        """The job is over: what seems to run was stopped, and nobody has told."""
        self._head.ended = at
        for row in self._open.values():
            self._end_row(row, model.CANCELLED, at)
        self._open.clear()

    # --- attempts ---------------------------------------------------------------------------

    def _row(self, event: HistoryEvent, attempt: AttemptId, at: int) -> int:
        """Return the row of an attempt; it gets one if nothing was told of it."""
        row = self._open.get(attempt)
        if row is None:
            row = self._ended(attempt)
        return self._append(event, attempt, at) if row is None else row

    def _ended(self, attempt: AttemptId) -> int | None:
        """Return the row of an attempt that does not run, if it is the one that counts for its task."""
        rows, row = self._rows, self._newest.get(_KINDS[attempt.task.kind], attempt.task.index)
        return None if row is None or (rows.epoch[row], rows.number[row]) != (attempt.epoch, attempt.number) else row

    def _append(self, event: HistoryEvent, attempt: AttemptId, at: int) -> int:
        if len(self._rows) >= self._bound[0]:
            self._drop()
        kind, index = _KINDS[attempt.task.kind], attempt.task.index
        row = self._rows.append(kind, index, attempt.epoch, attempt.number, at)
        self._rows.worker[row] = self._crew.row(event.worker, event.worker_uid, at)
        backup = event.reason == "Speculative"
        again = self._newest.get(kind, index) is not None and not backup
        early = model.EARLY if event.reason == "Early" else 0
        self._rows.flags[row] = early | (model.BACKUP if backup else 0) | (model.RETRY if again else 0)
        self._newest.put(kind, index, row)
        self._totals.gave(kind, again=again, backup=backup)
        self._open[attempt] = row
        self._changes.note(row)
        return row

    def _assigned(self, event: HistoryEvent, attempt: AttemptId, at: int) -> None:
        if self._phase == "Pending":
            self._phase = ""
        self._lose_older(attempt, at)
        self._row(event, attempt, at)

    def _lose_older(self, attempt: AttemptId, at: int) -> None:
        """Nobody knows any more of what an older master gave out, nor of a gateway's attempt that has a successor."""
        rows, kind = self._rows, _KINDS[attempt.task.kind]
        row, now = self._newest.get(kind, attempt.task.index), (attempt.epoch, attempt.number if kind > REDUCE else 0)
        if row is not None and rows.outcome[row] == model.RUNS and (rows.epoch[row], rows.number[row]) < now:
            self._open.pop(AttemptId(attempt.task, rows.epoch[row], rows.number[row]), None)
            self._end_row(row, model.LOST, at)

    def _started(self, event: HistoryEvent, attempt: AttemptId, at: int) -> None:
        row = self._row(event, attempt, at)
        if event.message:
            # A later master has taken it over.
            self._rows.flags[row] |= model.TAKEN_OVER
        elif attempt in self._open or attempt in self._cancelling:
            self._rows.began[row] = at
        self._note_use(row, event)
        self._changes.note(row)

    def _finished(self, event: HistoryEvent, attempt: AttemptId, at: int) -> None:
        row, rows = self._row(event, attempt, at), self._rows
        kind, index = rows.kind[row], attempt.task.index
        if event.message and attempt.task.kind in ("load", "map"):
            # Only of a job without reduce they have something to say.
            self._totals.map_only = True
        if self._open.pop(attempt, None) is not None:
            self._note_use(row, event)
            self._end_row(row, model.FINISHED, at)
            if event.event == "Finished":
                self._totals.took(kind, rows.took[row])
        rows.outcome[row] = model.FINISHED
        rows.made(row, event.records if kind == MAP else event.rows, event.size)
        held = model.TAKEN_OVER if event.event == "Held" else 0
        rows.flags[row] |= held | (model.SPILL if event.spills else 0)
        self._changes.note(row)
        if attempt.task.kind == "stage":
            self._totals.staged(index, at)
        elif kind <= REDUCE:
            self._newest.put(kind, index, row)
            self._totals.finished(kind, index, event, at)

    def _staged(self, event: HistoryEvent, attempt: AttemptId, at: int) -> None:
        if attempt.task.kind == "map":
            self._totals.map_only = True
            self._totals.finished(MAP, attempt.task.index, event, at)
        else:
            self._totals.staged(attempt.task.index, at, event)
        stage = TaskId(attempt.task.step, "stage", attempt.task.index)
        row, rows = self._newest.get(_KINDS["stage"], stage.index), self._rows
        # Nothing else tells of the end of the attempt that staged it.
        if row is not None and rows.outcome[row] == model.RUNS:
            self._open.pop(AttemptId(stage, rows.epoch[row], rows.number[row]), None)
            rows.made(row, event.rows, event.size)
            self._end_row(row, model.FINISHED, at)
        self._changes.note()

    def _failed(self, event: HistoryEvent, attempt: AttemptId, at: int) -> int | None:
        """Return the row of an attempt that ended badly."""
        row = self._row(event, attempt, at)
        if self._open.pop(attempt, None) is None:
            return None
        self._note_use(row, event)
        self._end_row(row, model.FAILED, at)
        return row

    def _lost(self, event: HistoryEvent, attempt: AttemptId, at: int) -> int | None:
        """Return the row of an attempt that ended badly; it may also be that what a finished one had made is gone."""
        row, rows = self._row(event, attempt, at), self._rows
        if self._open.pop(attempt, None) is not None:
            self._end_row(row, model.LOST, at)
            return None if event.reason == _NOTHING_WRONG else row
        if rows.outcome[row] == model.FINISHED and rows.kind[row] <= REDUCE:
            rows.outcome[row] = model.OUTPUT_LOST
            self._totals.lost(rows.kind[row], attempt.task.index, rows.records[row], at)
            self._changes.note(row)
        return None

    def _cancelled(self, event: HistoryEvent, attempt: AttemptId, at: int) -> None:
        row = self._open.pop(attempt, None)
        if row is not None:
            self._cancelling[attempt] = row
            self._end_row(row, model.CANCELLED, at)

    def _gave_slot_back(self, event: HistoryEvent, attempt: AttemptId, at: int) -> None:
        """An attempt that was cancelled runs until then."""
        row = self._cancelling.pop(attempt, None)
        if row is not None:
            self._note_use(row, event)
            self._end_row(row, model.CANCELLED, at)

    def _note_use(self, row: int, event: HistoryEvent) -> None:
        self._rows.cost(row, event.cpu, event.peak_memory)
        self._rows.slot[row] = min(event.slot, MOST_SLOT) if event.slot >= 0 else self._rows.slot[row]

    def _end_row(self, row: int, outcome: int, at: int) -> None:
        self._rows.end(row, outcome, at)
        self._changes.note(row)

    def _group(self, row: int, place: tuple[int, int], event: HistoryEvent, at: int) -> None:
        """Count a failure with those of its cause; `place`: epoch and sequence of the event."""
        told = grouping.Told(str(event.attempt), str(event.task), bounds.start(event.worker, bounds.NAME), at)
        self._rows.group[row] = self._groups.add(*place, event, told)
        self._changed["groups"] = self._changes.note(row)

    def _drop(self) -> None:
        """Forget the attempts that began first; what runs stays."""
        first, running = self._bound[1], set(self._open.values())
        kept = [row for row in range(len(self._rows)) if row >= first or row in running]
        self._dropped += len(self._rows) - len(kept)
        places = {row: place for place, row in enumerate(kept)}
        self._rows.keep(kept)
        self._open = {attempt: places[row] for attempt, row in self._open.items()}
        self._cancelling = {attempt: places[row] for attempt, row in self._cancelling.items() if row in places}
        self._newest.moved(places)
        self._changes.forget()

    # --- the job ----------------------------------------------------------------------------

    def _epoch_opened(self, event: HistoryEvent, at: int) -> None:
        self._crew.begin_epoch()
        if len(self._head.epochs) < bounds.ENTRIES:
            self._head.epochs.append(at)

    def _planned(self, event: HistoryEvent, at: int) -> None:
        self._phase = ""
        self._totals.begin(at)

    def _sizes(self, event: HistoryEvent, at: int) -> None:
        heavy = [
            model.HeavyKey(partition=key.partition, key=bounds.start(key.key, bounds.KEY), rows=key.rows, size=key.size)
            for key in event.heavy[: bounds.ENTRIES]
        ]
        self._partitions = model.Partitions(sizes=partition_sizes.unpack(event.sizes), heavy=heavy)
        self._changed["partitions"] = self._changes.note()

    def _task_left_out(self, event: HistoryEvent, at: int) -> None:
        if event.task is None:
            return
        kind = _KINDS[event.task.kind]
        if len(self._head.left_out) < bounds.ENTRIES:
            self._head.left_out.append(str(event.task))
        self._totals.left_out(kind, at)
        row = self._newest.get(kind, event.task.index)
        if row is not None:
            self._rows.flags[row] |= model.LEFT_OUT
            self._changes.note(row)

    def _paused(self, event: HistoryEvent, at: int) -> None:
        self._phase = "Suspended" if event.event == "Suspended" else ""

    def _publishing(self, event: HistoryEvent, at: int) -> None:
        self._totals.publishing = True

    def _job_failed(self, event: HistoryEvent, at: int) -> None:
        self._end(at)
        self.tell(phase="Failed", reason=event.reason, message=event.message)

    # --- what is told -----------------------------------------------------------------------

    def update(self, since: int | None = None, *, now: float, boot: str = "", most: int = MOST_TOLD) -> model.Update:
        """Return all, or what changed after the `rev` of an earlier update; at most so many attempts at a time.

        now: Unix time.
        """
        revision, first = columns.read_cursor(since or 0)
        changed = self._changes.since(revision, most) if since is not None else None
        if changed is None:
            revision, first = self._changes.revision, 0
        if changed is None or first:
            # All is read in pieces, as it is now; what changes meanwhile is told after the last.
            rows: Sequence[int] = range(first, min(first + most, len(self._rows)))
            read = first + len(rows)
            pieces = read < len(self._rows)
            more = pieces or revision < self._changes.revision
            rev = columns.cursor(revision, read if pieces else 0)
        else:
            rows, told = changed
            more = told < self._changes.revision
            rev = columns.cursor(told)
        after = -1 if changed is None else revision
        update = model.Update(boot=boot, rev=rev, full=changed is None, more=more, now=self.moment(now))
        update.t0 = round(self._start * 1000) if self._start is not None else 0
        update.head = self._told_head(update.now)
        update.workers = self._crew.since(after)
        update.usage = self._crew.usage(after)
        update.attempts = self._rows.told(rows)
        update.rate = self._totals.rate() if self._changed["rate"] > after else None
        update.groups = self._groups.told() if self._changed["groups"] > after else None
        update.partitions = self._partitions if self._changed["partitions"] > after else None
        return update

    def texts(self, group: int) -> list[model.Text]:
        """Return the texts of a group's samples; raises `IndexError` if there is no such group."""
        return self._groups.texts(group)

    def all_texts(self) -> dict[str, list[model.Text]]:
        """Return the texts of every group's samples, by its number."""
        return {str(group.id): self._groups.texts(group.id) for group in self._groups.told()}

    def _told_head(self, now: int) -> model.Head:
        tasks = {
            (kind, self._rows.index[row]) for row in self._open.values() if (kind := self._rows.kind[row]) <= REDUCE
        }
        active = sum(1 for kind, _ in tasks if kind == MAP)
        self._head.phase = self._phase or self._totals.phase
        self._head.phases = self._totals.phases((active, len(tasks) - active), now)
        self._head.counters = self._totals.counters if self._counters is None else self._counters
        self._head.bad_records = self._totals.bad_records
        self._head.rows_dropped = self._dropped
        return self._head


_Row = int | None
_OF_ATTEMPT: Final[Mapping[str, Callable[[Fold, HistoryEvent, AttemptId, int], _Row]]] = {
    "Assigned": Fold._assigned,
    "Started": Fold._started,
    "Finished": Fold._finished,
    "Held": Fold._finished,
    "Staged": Fold._staged,
    "Failed": Fold._failed,
    "Lost": Fold._lost,
    "Cancelled": Fold._cancelled,
    "Ended": Fold._gave_slot_back,
}
"""What each event of an attempt changes; returns the row of one that ended badly, for its cause to be counted."""
_OF_JOB: Final[Mapping[str, Callable[[Fold, HistoryEvent, int], None]]] = {
    "EpochOpened": Fold._epoch_opened,
    "Planned": Fold._planned,
    "Sizes": Fold._sizes,
    "LeftOut": Fold._task_left_out,
    "WorkerReady": lambda fold, event, at: fold._crew.ready(event, at),
    "WorkerLost": lambda fold, event, at: fold._crew.lost(event, at),
    "Usage": lambda fold, event, at: fold._crew.used(event, at),
    "Suspended": Fold._paused,
    "Resumed": Fold._paused,
    "Publishing": Fold._publishing,
    "JobFailed": Fold._job_failed,
}
