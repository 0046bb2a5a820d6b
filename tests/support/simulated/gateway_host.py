"""A gateway's process in a simulation: the real core and the real storage operations, on a disk in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mapreduce import protocol, tickets
from mapreduce.errors import CorruptionError, MapReduceError
from mapreduce.history import HistoryEvent
from mapreduce.ids import AttemptId
from mapreduce.protocol import (
    Cleaned,
    CleanUp,
    JournalPage,
    MakePlan,
    Opened,
    OpenOutput,
    PlanFinished,
    PlanPageMade,
    Published,
    PublishOutput,
    Staged,
    StagePart,
)
from mapreduce_worker.gateway import data_files, failures
from mapreduce_worker.gateway.core import GatewayCore, operations
from mapreduce_worker.gateway.journal import LOST
from mapreduce_worker.gateway.operations import FETCHES
from mapreduce_worker.gateway.reservation import OutputContested
from mapreduce_worker.gateway.storage import Output, PartFacts, PartToStage
from mapreduce_worker.gateway.store import StoreError
from tests.support.crash_store import Crashed, CrashStore
from tests.support.simulated import toy
from tests.support.simulated.network import PART
from tests.support.simulated.process import SimulatedProcess
from tests.support.simulated.toy import ENGINE

if TYPE_CHECKING:
    from tests.support.simulated.world import World


class GatewayHost(SimulatedProcess):
    """One process; the disk outlives it. It may be made to crash at a step of its writing."""

    def __init__(self, world: World, name: str, uid: str) -> None:
        super().__init__(world, name, uid)
        self._store = CrashStore(world.disk, crash_at=world.next_crash())
        spec = world.spec
        self._output = Output(
            self._store,
            toy.ToyFormats(self._store, world.toy.has_reduce),
            uid=spec.uid,
            path=spec.output,
            partitions=spec.reducers,
            options=data_files.of_job(spec),
        )
        self.outputs: dict[AttemptId, Any] = {}
        self.begin(GatewayCore(self.identity("gateway", 0), world.clock.chance.random))

    def crash_in(self, steps: int) -> None:
        """Let the process crash at a step of its writing, so many from now."""
        self._store.crash_in(steps)

    # --- the core -------------------------------------------------------------------------

    def _carry_out(self, command: operations.Command) -> None:
        match command:
            case operations.AppendFrames():
                self._work(lambda: self._append(command))
            case operations.Begin():
                work = command.work
                longest = self._world.publish_time if isinstance(work, PublishOutput) else 0.2
                self._work(lambda: self._operate(work), longest)

    # --- storage --------------------------------------------------------------------------

    def _work(self, job: Any, longest: float = 0.2) -> None:
        """Do something on the disk a little later; a crash of the store is a crash of the process."""

        def run() -> None:
            if not self._alive:
                return
            try:
                event = job()
            except Crashed:
                self._world.note(f"FAULT {self.name} crashes at write {self._store.steps}")
                self._world.hit("gateway crashes while it writes")
                self._world.disk_fails()
                self._world.platform.kill(self.name)
                return
            if event is not None:
                self._handle(event)

        self._world.clock.after(self._world.clock.chance.uniform(0.005, longest), run)

    def _append(self, command: operations.AppendFrames) -> Any:
        try:
            return operations.Appended(command.epoch, self._output.append(command.frames))
        except MapReduceError as error:
            self._note_full(error)
            return operations.AppendBroke(command.epoch, str(error), lost=isinstance(error, LOST))

    def _operate(self, work: Any) -> Any:
        try:
            match work:
                case OpenOutput():
                    return self._open(work)
                case MakePlan():
                    splits = self._world.toy.splits(self._world.plans)
                    self._world.plans += 1
                    page = PlanPageMade(attempt=work.attempt, number=0, splits=splits)
                    header = self._world.toy.header(ENGINE)
                    last = PlanFinished(attempt=work.attempt, header=header, pages=1)
                    return operations.Reported(work.attempt, (page, last))
                case StagePart():
                    return self._stage(work)
                case PublishOutput():
                    summary = self._output.publish(
                        work.attempt,
                        work.manifest,
                        self._wall(),
                        parts=work.parts,
                        left_out=work.left_out,
                        bad=work.bad,
                    )
                    return operations.Reported(work.attempt, (Published(attempt=work.attempt, summary=summary),))
                case CleanUp():
                    clean = self._output.clean_failed if work.mode == "failed" else self._output.clean_deleted
                    clean()
                    return operations.Reported(work.attempt, (Cleaned(attempt=work.attempt),))
        except MapReduceError as error:
            self._note_full(error)
            return operations.Broke(work.attempt, failures.describe(error))
        raise AssertionError(work)

    def _note_full(self, error: MapReduceError) -> None:
        if isinstance(error, StoreError) and self._world.disk.full:
            self._world.hit("output's disk full")

    def _open(self, work: OpenOutput) -> Any:
        try:
            found = self._output.open(work.live_jobs, work.dead_jobs, judge=work.judge)
        except OutputContested as contested:
            report = protocol.OutputContested(attempt=work.attempt, uids=contested.uids)
            return operations.Reported(work.attempt, (report,))
        pages = tuple(
            JournalPage(attempt=work.attempt, number=number, frames=frames) for number, frames in enumerate(found.pages)
        )
        opened = Opened(
            attempt=work.attempt,
            pages=len(pages),
            published=found.published is not None,
            summary=found.published,
        )
        written = 0 if found.published else self._output.written(work.attempt.epoch)
        return operations.Reported(work.attempt, (*pages, opened), written)

    def _stage(self, work: StagePart) -> Any:
        wanted = PartToStage(
            attempt=work.attempt,
            partition=work.partition,
            source=work.source,
            facts=PartFacts(checksum=work.checksum, rows=work.rows, size=work.size),
            records=work.records,
            counters=work.counters,
            bad=work.bad,
        )
        staged = self._output.staged(wanted) or self._fetch_and_stage(work, wanted)
        assert staged.attempt is not None
        report = Staged(
            attempt=work.attempt,
            partition=work.partition,
            source=staged.attempt,
            checksum=staged.checksum,
            rows=staged.rows,
            size=staged.size,
            records=staged.records,
            counters=staged.counters,
            bad=staged.bad,
        )
        return operations.Reported(work.attempt, (report,))

    def _fetch_and_stage(self, work: StagePart, wanted: PartToStage) -> HistoryEvent:
        """Get the part from its worker and stage it; a damaged one is fetched once more."""
        host: Any = self._world.platform.host(work.address)
        if host is None or not host.opens(self, work.ticket, tickets.part_scope(str(work.source))):
            raise failures.PartUnreadable("the worker does not answer, or not to this ticket")
        damage = CorruptionError("")
        for _ in range(FETCHES):
            part = host.parts.get(work.source)
            if part is None:
                raise failures.PartUnreadable("the worker has no such part")
            temporary = self._output.incoming(wanted)
            try:
                self._output.receive(temporary, self._world.network.carry(part))
                return self._output.stage(wanted, temporary, self._wall())
            except CorruptionError as error:
                self._world.hit(PART)
                damage = error
            finally:
                self._output.discard(temporary)
        raise failures.PartUnreadable(str(damage)) from damage

    def _wall(self) -> float:
        return self._world.wall(self.name)
