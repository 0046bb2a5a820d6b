"""The worker's shell: it carries out what the core says and tells the core what happened.

Nothing here decides about tasks. Neighbours: `core/worker.py` (decides), `core_loop.py` (the master),
`slots/pool.py` (user code), `fetch.py` and `data_server.py` (other workers), `__main__`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import shutil
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import mapreduce
from mapreduce import logs, paths, protocol
from mapreduce.ids import AttemptId
from mapreduce.program import Program
from mapreduce.protocol import ErrorInfo, Register, Registered, Usage
from mapreduce_worker import resources
from mapreduce_worker.client import MasterClient
from mapreduce_worker.core import events
from mapreduce_worker.core.worker import WorkerCore
from mapreduce_worker.core_loop import CoreLoop
from mapreduce_worker.data_server import DataServer, worker_routes
from mapreduce_worker.engine.options import SLOT_SHARE, of_job
from mapreduce_worker.fetch import Fetcher, InputRefusedError, TicketRefused, Unreachable
from mapreduce_worker.newborn import Linked
from mapreduce_worker.outputs import MapOutputs
from mapreduce_worker.settings import Settings
from mapreduce_worker.slots import group, memory
from mapreduce_worker.slots.messages import Prepare
from mapreduce_worker.slots.pool import SlotPool
from mapreduce_worker.ticketing import TicketBook

if TYPE_CHECKING:
    from mapreduce_worker.metrics import WorkerMeter

USAGE_SECONDS: Final = 5.0
_log: Final = logging.getLogger(__name__)


async def run_worker(settings: Settings, token: Callable[[], str], warm: Sequence[Linked] = ()) -> int:
    """Be a worker until the core says otherwise; return the exit status. `warm`: slots that were forked already."""
    settings.scratch.mkdir(parents=True, exist_ok=True)
    group.adopt_orphans()
    inbox: asyncio.Queue[events.Event] = asyncio.Queue()
    book = TicketBook()
    server = DataServer(worker_routes(settings.scratch, book, MapOutputs(settings.scratch)))
    port = await server.start(settings.data_host, settings.data_port)
    meter = await _meter(settings, server) if settings.metrics_port else None
    try:
        async with (
            MasterClient(settings.master, token, settings.ca) as client,
            Fetcher(book, shared_disk=settings.shared_disk) as fetcher,
            SlotPool(
                settings.slots,
                settings.scratch,
                inbox.put_nowait,
                ends_strays=True,
                warm=warm,
                sharing=settings.sharing,
            ) as pool,
        ):
            core = WorkerCore(_identity(settings, port), random.random)
            return await Agent(settings, core, inbox, Tools(client, fetcher, pool, book)).run(meter)
    finally:
        if meter is not None:
            await meter.endpoint.close()
        await server.close()


async def _meter(settings: Settings, server: DataServer) -> WorkerMeter:
    # On this machine nobody scrapes.
    from mapreduce_worker.metrics import WorkerMeter  # noqa: PLC0415 - see above

    meter = WorkerMeter(settings, lambda: server.served)
    await meter.endpoint.start(settings.data_host, settings.metrics_port)
    return meter


def _identity(settings: Settings, port: int) -> Register:
    return Register(
        version=protocol.VERSION,
        engine=mapreduce.__version__,
        role="worker",
        boot=secrets.token_hex(8),
        slots=settings.slots,
        data_port=port,
        directory=str(settings.scratch.absolute()) if settings.shared_disk else "",
    )


class Tools(NamedTuple):
    """What the agent works with."""

    client: MasterClient
    fetcher: Fetcher
    pool: SlotPool
    book: TicketBook


class Agent:
    """Carries out the commands of one `WorkerCore`."""

    def __init__(self, settings: Settings, core: WorkerCore, inbox: asyncio.Queue[events.Event], tools: Tools) -> None:
        self._settings = settings
        self._core = core
        self._client, self._fetcher, self._pool, self._book = tools
        self._program: Program | None = None
        self._fetches: dict[AttemptId, set[asyncio.Task[None]]] = {}
        self._loop: CoreLoop[events.Event, events.Command] = CoreLoop(
            self._client, self._learn, self._carry_out, inbox, grace=settings.grace
        )

    async def run(self, meter: WorkerMeter | None = None) -> int:
        """Feed the core until it says `Exit`; return the status. `meter`: counts what passes."""
        self._loop.spawn(self._watch_usage())
        handle = self._core.handle
        return await self._loop.run(handle if meter is None else meter.watching(handle))

    def _carry_out(self, command: events.Command) -> None:
        match command:
            case events.LoadInSlot() | events.MapInSlot() | events.ReduceInSlot():
                self._pool.run(command.slot, command)
            case events.KillSlot():
                self._pool.kill(command.slot, command.attempt, ask=command.ask)
            case events.FetchInput():
                self._fetch(command.attempt, self._fetch_input(command))
            case events.FetchSegments():
                self._fetch(command.attempt, self._fetch_segments(command))
            case events.StopFetching():
                for task in self._fetches.get(command.attempt, ()):
                    task.cancel()
            case events.ClearScratch():
                self._loop.spawn(self._delete(command.attempt, results=False))
            case events.DeleteFiles():
                self._loop.spawn(self._delete(command.attempt, results=True))

    # --- the master ---------------------------------------------------------------------

    async def _learn(self, body: Registered) -> None:
        program = self._program
        if program is None or program.digest != body.job.program_digest:
            program = self._program = await self._client.program(body.session, body.job.program_digest)
        spec = body.job.spec
        limit = self._settings.slot_memory or body.limits.slot_memory
        self._book.learn(spec.uid, body.ticket_keys)
        prepare = Prepare(
            program=program,
            options=of_job(spec, body.limits.flush_bytes, limit // SLOT_SHARE),
            scratch=str(self._settings.scratch.absolute()),
            root_input=str(self._settings.root_input.absolute()),
        )
        self._pool.prepare(prepare, limit)

    async def _watch_usage(self) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(USAGE_SECONDS)
            # In a thread: user code may have started very many processes.
            cpu, held = await asyncio.to_thread(_usage)
            at_ms = round((time.monotonic() - began) * 1000)
            self._loop.post(events.UsageSeen(Usage(at_ms=at_ms, cpu_ms=round(cpu * 1000), resident=held)))

    # --- data ---------------------------------------------------------------------------

    async def _fetch_input(self, command: events.FetchInput) -> None:
        attempt = command.attempt
        event: events.Event
        try:
            event = events.InputArrived(attempt, await self._fetcher.input(command, self._work(attempt)))
        except (Unreachable, TicketRefused) as error:
            _log.info("%s waits for its input: %s", attempt, error, extra=logs.about(attempt))
            event = events.InputUnreachable(attempt, str(error))
        except InputRefusedError as error:
            event = events.FetchFailed(attempt, error.error)
        except OSError as error:
            event = events.FetchFailed(attempt, _disk_error(error))
        self._loop.post(event)

    async def _fetch_segments(self, command: events.FetchSegments) -> None:
        event: events.Event
        try:
            event = await self._fetcher.segments(command, self._work(command.attempt))
        except OSError as error:
            event = events.FetchFailed(command.attempt, _disk_error(error))
        self._loop.post(event)

    def _fetch(self, attempt: AttemptId, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.spawn(work)
        group = self._fetches.setdefault(attempt, set())
        group.add(task)
        task.add_done_callback(group.discard)

    # --- files --------------------------------------------------------------------------

    def _work(self, attempt: AttemptId) -> Path:
        """Return the attempt's own scratch directory, which may not be there yet."""
        return self._settings.scratch / "work" / str(attempt)

    async def _delete(self, attempt: AttemptId, *, results: bool) -> None:
        fetches = self._fetches.pop(attempt, set())
        await asyncio.gather(*fetches, return_exceptions=True)
        await asyncio.to_thread(self._remove, attempt, results)

    def _remove(self, attempt: AttemptId, results: bool) -> None:
        shutil.rmtree(self._work(attempt), ignore_errors=True)
        if not results:
            return
        names = (paths.map_output(attempt), paths.reduce_output(attempt))
        found = [path for name in names if (path := self._settings.scratch / name).exists()]
        if not found:
            # It was never finished: the engine writes under names that begin so.
            found = list(self._settings.scratch.glob(f".{attempt}.*"))
        for path in found:
            path.unlink(missing_ok=True)


def _usage() -> tuple[float, int]:
    """Return the processor time, and the bytes of memory, of this process and everything below it."""
    return resources.cpu_seconds(), memory.resident(os.getpid())


def _disk_error(error: OSError) -> ErrorInfo:
    return ErrorInfo(kind="disruption", reason="StorageFailed", message=f"the worker's scratch disk: {error}")
