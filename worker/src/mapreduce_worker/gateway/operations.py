"""What each storage assignment does: the engine's listing, the store's operations, the fetch of a part.

Neighbours: `shell.py` runs them on the core's word and tells it the result; `storage.py`, `planner.py`,
`part_fetch.py` and `formats.py` do the work, in threads where it blocks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

import mapreduce
from mapreduce import kept_job
from mapreduce.errors import CorruptionError, SystemFault
from mapreduce.history import HistoryEvent
from mapreduce.protocol import (
    Cleaned,
    CleanUp,
    JobContext,
    JournalPage,
    MakePlan,
    Opened,
    OpenOutput,
    OutputContested,
    PlanFinished,
    PlanPageMade,
    Published,
    PublishOutput,
    Staged,
    StagePart,
)
from mapreduce_worker.gateway import data_files, planner, report
from mapreduce_worker.gateway.apart import require_apart
from mapreduce_worker.gateway.core.operations import Reported, Work
from mapreduce_worker.gateway.failures import PartUnreadable
from mapreduce_worker.gateway.formats import EngineFormats, has_columns, warm_up, warm_up_columns
from mapreduce_worker.gateway.input_files import InputFiles
from mapreduce_worker.gateway.part_fetch import PartFetcher
from mapreduce_worker.gateway.reservation import OutputContested as Contested
from mapreduce_worker.gateway.storage import Output, PartFacts, PartToStage, Watch
from mapreduce_worker.gateway.store import PosixStore
from mapreduce_worker.settings import Settings
from mapreduce_worker.ticketing import TicketBook

T = TypeVar("T")
FETCHES: Final = 2
"""Times that a part is fetched before it counts as unreadable: a damaged one is fetched once more."""


class Operations:
    """The storage operations of one gateway's job; `job` is set before the first."""

    def __init__(self, settings: Settings, book: TicketBook) -> None:
        self.job: JobContext | None = None
        self._settings = settings
        self._store = PosixStore(settings.root_output)
        self._fetcher = PartFetcher(self._store, book, shared_disk=settings.shared_disk)
        self._output: Output | None = None
        self._input: InputFiles | None = None
        self._warming: asyncio.Future[None] | None = None
        self._columns: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Open the connections."""
        await self._fetcher.__aenter__()

    async def close(self) -> None:
        """Close the connections."""
        await self._fetcher.__aexit__(None, None, None)

    async def perform(self, work: Work, watch: Watch) -> Reported:
        """Carry out an assignment and return its reports; raises what went wrong."""
        match work:
            case OpenOutput():
                reported = await _in_thread(lambda: self._open_output(work))
                self._warming = self._warming or asyncio.ensure_future(_in_thread(_import_early))
                return reported
            case MakePlan():
                return await _in_thread(lambda: self._plan(work))
            case StagePart():
                return await self._stage(work, watch)
            case PublishOutput():
                return await _in_thread(lambda: self._publish(work, watch))
            case CleanUp():
                return await _in_thread(lambda: self._clean(work))

    def output(self) -> Output:
        """Return the job's output; raises `SystemFault` in a gateway that has none."""
        job = self._context()
        if not job.serves_output:
            raise SystemFault("this gateway does not serve the output")
        if self._output is None:
            spec = job.spec
            formats = EngineFormats(self._store, child=True)
            self._output = Output(
                self._store,
                formats,
                uid=spec.uid,
                path=spec.output,
                partitions=spec.reducers,
                options=data_files.of_job(spec),
                job=kept_job.render_job(spec, mapreduce.__version__),
            )
        return self._output

    def input_files(self) -> InputFiles | None:
        """Return the input's files; None in a gateway that serves no input."""
        if self.job is None or not self.job.serves_input:
            return None
        if self._input is None:
            spec = self.job.spec
            root, skips = self._settings.root_input, spec.skip_bad_records > 0
            self._input = InputFiles(root, spec.inputs, spec.max_record_bytes, skips=skips)
        return self._input

    def _open_output(self, work: OpenOutput) -> Reported:
        output = self.output()
        try:
            opening = output.open(work.live_jobs, work.dead_jobs, judge=work.judge)
        except Contested as contested:
            return Reported(work.attempt, (OutputContested(attempt=work.attempt, uids=contested.uids),))
        pages = [JournalPage(attempt=work.attempt, number=n, frames=page) for n, page in enumerate(opening.pages)]
        published = opening.published is not None
        opened = Opened(attempt=work.attempt, pages=len(pages), published=published, summary=opening.published)
        written = 0 if published else output.written(work.attempt.epoch)
        return Reported(work.attempt, (*pages, opened), written)

    def _plan(self, work: MakePlan) -> Reported:
        job = self._context()
        files = self.input_files()
        if files is None:
            raise SystemFault("this gateway does not serve the input")
        # The kubelet puts a ConfigMap's files behind this link, anew and with new times in every Pod.
        by_content = self._settings.input_by_content or (self._settings.root_input / "..data").is_symlink()
        listing = files.list(by_content=by_content)
        require_apart(self._settings.root_input, self._settings.root_output, job.spec, listing)
        header, pages = planner.plan(listing, job, mapreduce.__version__, files.finder(job.spec.format))
        made = [PlanPageMade(attempt=work.attempt, number=n, splits=page) for n, page in enumerate(pages)]
        return Reported(work.attempt, (*made, PlanFinished(attempt=work.attempt, header=header, pages=len(made))))

    async def _stage(self, work: StagePart, watch: Watch) -> Reported:
        output = self.output()
        part = PartToStage(
            attempt=work.attempt,
            partition=work.partition,
            source=work.source,
            facts=PartFacts(checksum=work.checksum, rows=work.rows, size=work.size),
            records=work.records,
            counters=work.counters,
            bad=work.bad,
        )
        self._warm_up(part)
        event = await _in_thread(lambda: output.staged(part)) or await self._fetch_and_stage(work, part, watch)
        staged = Staged(
            attempt=work.attempt,
            partition=work.partition,
            source=event.attempt or work.source,
            checksum=event.checksum,
            rows=event.rows,
            size=event.size,
            records=event.records,
            counters=event.counters,
            bad=event.bad,
        )
        return Reported(work.attempt, (staged,))

    def _warm_up(self, part: PartToStage) -> None:
        spec = self._context().spec
        style = data_files.style_of(data_files.of_job(spec), of_maps=part.source.task.kind == "map")
        if self._columns is None and has_columns(part.facts, spec.reducers, style):
            self._columns = asyncio.ensure_future(_in_thread(warm_up_columns))

    async def _fetch_and_stage(self, work: StagePart, part: PartToStage, watch: Watch) -> HistoryEvent:
        output = self.output()
        damage = CorruptionError("")
        for _ in range(FETCHES):
            temporary = await _in_thread(lambda: output.incoming(part))
            try:
                await self._fetcher.fetch(work, output, temporary, watch)
                return await _in_thread(lambda: output.stage(part, temporary, time.time()))  # noqa: B023 - awaited here
            except CorruptionError as error:
                damage = error
            finally:
                await _in_thread(lambda: output.discard(temporary))  # noqa: B023 - awaited here
        raise PartUnreadable(str(damage)) from damage

    def _publish(self, work: PublishOutput, watch: Watch) -> Reported:
        summary = self.output().publish(
            work.attempt,
            work.manifest,
            time.time(),
            watch,
            parts=work.parts,
            left_out=work.left_out,
            bad=work.bad,
        )
        return Reported(work.attempt, (Published(attempt=work.attempt, summary=summary),))

    def _clean(self, work: CleanUp) -> Reported:
        output = self.output()
        if work.mode == "failed":
            output.clean_failed()
        else:
            output.clean_deleted()
        return Reported(work.attempt, (Cleaned(attempt=work.attempt),))

    def _context(self) -> JobContext:
        if self.job is None:
            raise SystemFault("the job is not known before the registration")
        return self.job


def _import_early() -> None:
    warm_up()
    report.warm_up()


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)
