"""A gateway's process in a simulation: the real core and the real storage operations, on a disk in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mapreduce.errors import CorruptionError, MapReduceError
from mapreduce.ids import AttemptId
from mapreduce.protocol import (
    Cleaned,
    CleanUp,
    ErrorInfo,
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
from mapreduce_worker.gateway.core import GatewayCore, operations
from mapreduce_worker.gateway.journal import LOST
from mapreduce_worker.gateway.storage import Output, PartFacts, PartToStage
from tests.support.crash_store import Crashed, CrashStore
from tests.support.simulated import toy
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
        )
        self.outputs: dict[AttemptId, Any] = {}
        self.begin(GatewayCore(self.identity("gateway", 0), world.clock.chance.random))

    # --- the core -------------------------------------------------------------------------

    def _carry_out(self, command: operations.Command) -> None:
        match command:
            case operations.AppendFrames():
                self._work(lambda: self._append(command))
            case operations.Begin():
                work = command.work
                self._work(lambda: self._operate(work))

    # --- storage --------------------------------------------------------------------------

    def _work(self, job: Any) -> None:
        """Do something on the disk a little later; a crash of the store is a crash of the process."""

        def run() -> None:
            if not self._alive:
                return
            try:
                event = job()
            except Crashed:
                self._world.note(f"{self.name} crashes at write {self._store.steps}")
                self._world.disk_fails()
                self._world.platform.kill(self.name)
                return
            if event is not None:
                self._handle(event)

        self._world.clock.after(self._world.clock.chance.uniform(0.005, 0.2), run)

    def _append(self, command: operations.AppendFrames) -> Any:
        try:
            return operations.Appended(command.epoch, self._output.append(command.frames))
        except MapReduceError as error:
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
                        work.attempt, work.manifest, self._wall(), parts=work.parts, left_out=work.left_out
                    )
                    return operations.Reported(work.attempt, (Published(attempt=work.attempt, summary=summary),))
                case CleanUp():
                    clean = self._output.clean_failed if work.mode == "failed" else self._output.clean_deleted
                    clean()
                    return operations.Reported(work.attempt, (Cleaned(attempt=work.attempt),))
        except MapReduceError as error:
            return self._broke(work.attempt, "StorageFailed", str(error))
        raise AssertionError(work)

    def _open(self, work: OpenOutput) -> Any:
        found = self._output.open(work.live_jobs, work.dead_jobs)
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
        host: Any = self._world.platform.host(work.address)
        part = None if host is None else host.parts.get(work.source)
        if part is None:
            return self._broke(work.attempt, "SegmentUnreadable", "the worker has no such part")
        wanted = PartToStage(
            attempt=work.attempt,
            partition=work.partition,
            source=work.source,
            facts=PartFacts(checksum=work.checksum, rows=work.rows, size=work.size),
            records=work.records,
            counters=work.counters,
        )
        temporary = self._output.incoming(wanted)
        self._output.receive(temporary, self._world.network.carry(part))
        try:
            staged = self._output.stage(wanted, temporary, self._wall())
        except CorruptionError as error:
            return self._broke(work.attempt, "SegmentUnreadable", str(error))
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
        )
        return operations.Reported(work.attempt, (report,))

    def _broke(self, attempt: AttemptId, reason: str, message: str) -> Any:
        return operations.Broke(attempt, ErrorInfo(kind="disruption", reason=reason, message=message))

    def _wall(self) -> float:
        return 1_000_000 + self._world.clock.now
