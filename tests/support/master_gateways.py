"""A fake gateway for the tests of the master, and the store behind it.

It does at once what it is asked for, in memory. Neighbours: `master_fakes.py` (the exchange),
`master_builder.py` (delivers the messages, may hold work back).
"""

from __future__ import annotations

import msgspec

from mapreduce.bad_records import BadRecord
from mapreduce.history import Frame, HistoryEvent
from mapreduce.plan import PlanHeader, Split
from mapreduce.protocol import (
    Answer,
    Assignment,
    AttemptCancelled,
    AttemptFailed,
    Cleaned,
    CleanUp,
    ErrorInfo,
    Exchange,
    JournalPage,
    MakePlan,
    Opened,
    OpenOutput,
    OutputContested,
    OutputSummary,
    PlanFinished,
    PlanPageMade,
    Published,
    PublishOutput,
    Role,
    Staged,
    StagePart,
)
from tests.support.master_fakes import FakeProcess

SUMMARY = OutputSummary(path="out/wc", files=1, records=10, size=100, checksum="sha256:0")


class Store:
    """The output's claim: journal, staged parts, what was published, what was cleaned."""

    def __init__(self, plan: tuple[PlanHeader, tuple[Split, ...]]) -> None:
        self.plan = plan
        self.frames: list[Frame] = []
        self.staged: dict[int, StagePart] = {}
        self.published = False
        self.cleaned: list[str] = []
        self.staged_times: dict[int, int] = {}
        self.manifest = b""
        self.bad: tuple[BadRecord, ...] = ()
        """What was published as left out."""
        self.others: dict[str, str] = {}
        """Other jobs that left something at the output, and whether each is living or dead."""
        self.judge = ""
        """Who judged that, as the last assignment said."""

    def written(self, epoch: int) -> int:
        """The highest sequence of an epoch in the journal."""
        return max((frame.sequence for frame in self.frames if frame.epoch == epoch), default=0)


class FakeGateway(FakeProcess):
    """A gateway: it does at once what the store can do, unless a test holds it back."""

    role: Role = "gateway"

    def __init__(self, name: str, index: int, slots: int = 0) -> None:
        super().__init__(name, index, slots)
        self.open = False
        self.frames: dict[int, Frame] = {}
        self.refuse_to: dict[str, ErrorInfo] = {}
        self.trouble = ""
        """Why it cannot write the journal now."""
        self.lost = False
        """The journal that it had open is gone."""

    def exchange(self) -> Exchange:
        return msgspec.structs.replace(super().exchange(), journal_trouble=self.trouble, journal_lost=self.lost)

    def new_epoch(self) -> None:
        self.open, self.written = False, 0
        self.frames.clear()
        for attempt in list(self.active):
            self.report(AttemptCancelled(attempt=attempt))

    def take_rest(self, answer: Answer) -> None:
        for frame in answer.journal:
            if frame.sequence > self.written:
                self.frames[frame.sequence] = frame

    def do_storage(self, store: Store, held: set[str]) -> None:
        """Do everything that is not held back; with news, do not wait for the answer that is due."""
        before = (self.number, self.written)
        self._append(store, held)
        for attempt, work in list(self.active.items()):
            if attempt.task.kind in held or attempt not in self.active:
                continue
            if attempt.task.kind in self.refuse_to:
                self.report(AttemptFailed(attempt=attempt, error=self.refuse_to[attempt.task.kind]))
            else:
                self._do(store, work)
            self._append(store, held)
        if before != (self.number, self.written):
            self.request = 0

    def _append(self, store: Store, held: set[str]) -> None:
        if not self.open or self.trouble or self.lost or "journal" in held:
            return
        while self.written + 1 in self.frames:
            self.written += 1
            store.frames.append(self.frames.pop(self.written))

    def _do(self, store: Store, work: Assignment) -> None:
        match work:
            case OpenOutput():
                self._open(store, work)
            case MakePlan():
                header, splits = store.plan
                pages = [splits[at : at + 2] for at in range(0, len(splits), 2)]
                for number, page in enumerate(pages):
                    self.report(PlanPageMade(attempt=work.attempt, number=number, splits=page), ends=False)
                self.report(PlanFinished(attempt=work.attempt, header=header, pages=len(pages)))
            case StagePart():
                if self.open:
                    self._stage(store, work)
            case PublishOutput():
                if self.written >= work.journal_through:
                    store.published, self.open, store.manifest = True, False, work.manifest
                    store.bad = work.bad
                    self.report(Published(attempt=work.attempt, summary=SUMMARY))
            case CleanUp():
                store.cleaned.append(work.mode)
                self.open = False
                self.report(Cleaned(attempt=work.attempt))
            case _:
                raise AssertionError(f"a gateway cannot do {work}")

    def _open(self, store: Store, work: OpenOutput) -> None:
        store.judge = work.judge
        if store.published:
            self.report(Opened(attempt=work.attempt, pages=0, published=True, summary=SUMMARY))
            return
        unknown = store.others.keys() - {*work.live_jobs, *work.dead_jobs}
        if unknown:
            self.report(OutputContested(attempt=work.attempt, uids=tuple(sorted(unknown))))
            return
        if store.others.keys() & set(work.live_jobs):
            error = ErrorInfo(kind="refused", reason="OutputReserved", message="another job has it")
            self.report(AttemptFailed(attempt=work.attempt, error=error))
            return
        for uid in work.dead_jobs:
            store.others.pop(uid, None)
        pages = [tuple(store.frames[at : at + 3]) for at in range(0, len(store.frames), 3)]
        for number, frames in enumerate(pages):
            self.report(JournalPage(attempt=work.attempt, number=number, frames=frames), ends=False)
        self.open, self.lost = True, False
        self.written = store.written(work.attempt.epoch)
        self.report(Opened(attempt=work.attempt, pages=len(pages)))

    def _stage(self, store: Store, work: StagePart) -> None:
        if work.partition not in store.staged:
            store.staged[work.partition] = work
            store.staged_times[work.partition] = store.staged_times.get(work.partition, 0) + 1
            entry = HistoryEvent(
                event="Staged",
                wall=0.0,
                task=work.source.task,
                attempt=work.source,
                checksum=work.checksum,
                rows=work.rows,
                size=work.size,
                records=work.records,
                counters=work.counters,
                bad=work.bad,
            )
            store.frames.append(Frame(work.attempt.epoch, 0, entry))
        kept = store.staged[work.partition]
        self.report(
            Staged(
                attempt=work.attempt,
                partition=work.partition,
                source=kept.source,
                checksum=kept.checksum,
                rows=kept.rows,
                size=kept.size,
                records=kept.records,
                counters=kept.counters,
                bad=kept.bad,
            )
        )
