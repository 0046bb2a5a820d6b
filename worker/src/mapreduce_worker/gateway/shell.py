"""The gateway's shell: it carries out what the core says and tells the core what happened.

Nothing here decides about tasks. Blocking work runs in threads, so that the beat goes on. Neighbours:
`core/` (decides), `operations.py` (what each command does), `core_loop.py` (the master),
`data_server.py` and `input_server.py` (readers of the input), `__main__`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import mapreduce
from mapreduce import logs, protocol
from mapreduce.errors import MapReduceError
from mapreduce.ids import AttemptId
from mapreduce.protocol import JobContext, Register, Registered
from mapreduce_worker.client import MasterClient
from mapreduce_worker.core_loop import CoreLoop
from mapreduce_worker.data_server import DataServer
from mapreduce_worker.gateway import failures
from mapreduce_worker.gateway.core import GatewayCore
from mapreduce_worker.gateway.core.operations import (
    Abandon,
    AppendBroke,
    Appended,
    AppendFrames,
    Begin,
    Broke,
    Command,
    Event,
    Moved,
    Work,
)
from mapreduce_worker.gateway.input_files import InputFiles
from mapreduce_worker.gateway.input_server import input_routes
from mapreduce_worker.gateway.journal import LOST
from mapreduce_worker.gateway.operations import Operations
from mapreduce_worker.settings import Settings
from mapreduce_worker.ticketing import TicketBook

if TYPE_CHECKING:
    from mapreduce_worker.gateway.metrics import GatewayMeter

THREADS: Final = 16
"""Operations and readers of the input that may be at the disk at once."""
_log: Final = logging.getLogger(__name__)


async def run_gateway(settings: Settings, client: MasterClient) -> int:
    """Be a gateway until the core says otherwise; return the exit status. `client` is open."""
    book = TicketBook()
    gateway = Gateway(settings, client, book)
    server = DataServer(input_routes(gateway.input_files, book))
    port = await server.start(settings.data_host, settings.data_port)
    meter = await _meter(settings, server) if settings.metrics_port else None
    try:
        return await gateway.run(GatewayCore(_identity(port), random.random), meter)
    finally:
        if meter is not None:
            await meter.endpoint.close()
        await server.close()


async def _meter(settings: Settings, server: DataServer) -> GatewayMeter:
    # On this machine nobody scrapes.
    from mapreduce_worker.gateway.metrics import GatewayMeter  # noqa: PLC0415 - see above

    meter = GatewayMeter(settings, lambda: server.served)
    await meter.endpoint.start(settings.data_host, settings.metrics_port)
    return meter


def _identity(port: int) -> Register:
    return Register(
        version=protocol.VERSION,
        engine=mapreduce.__version__,
        role="gateway",
        boot=secrets.token_hex(8),
        slots=0,
        data_port=port,
    )


class Gateway:
    """Carries out the commands of one `GatewayCore`."""

    def __init__(self, settings: Settings, client: MasterClient, book: TicketBook) -> None:
        self._settings = settings
        self._book = book
        self._loop: CoreLoop[Event, Command] = CoreLoop(client, self._learn, self._carry_out, grace=settings.grace)
        self._operations: Operations | None = None
        self._unwanted: set[AttemptId] = set()
        # Appending never waits behind an operation.
        self._journal_thread = ThreadPoolExecutor(1, "journal")

    def input_files(self) -> InputFiles | None:
        """Return the input's files; None before the registration, and in a gateway that serves no input."""
        return self._operations.input_files() if self._operations is not None else None

    async def run(self, core: GatewayCore, meter: GatewayMeter | None = None) -> int:
        """Feed the core until it says `Exit`; return the status. `meter`: counts what passes."""
        handle = core.handle if meter is None else meter.watching(core.handle)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "store"))
        try:
            return await self._loop.run(handle, lambda: self._unwanted.update(core.operations))
        finally:
            self._journal_thread.shutdown(wait=False, cancel_futures=True)
            if self._operations is not None:
                await self._operations.close()

    def _carry_out(self, command: Command) -> None:
        match command:
            case Begin():
                self._loop.spawn(self._perform(command.work))
            case Abandon():
                self._unwanted.add(command.attempt)
            case AppendFrames():
                self._loop.spawn(self._append(command))

    # --- the master -----------------------------------------------------------------------

    async def _learn(self, body: Registered) -> None:
        job: JobContext = body.job
        self._book.learn(job.spec.uid, body.ticket_keys)
        if self._operations is None:
            self._operations = Operations(self._settings, self._book)
            await self._operations.open()
        self._operations.job = job

    # --- the store ------------------------------------------------------------------------

    async def _perform(self, work: Work) -> None:
        attempt = work.attempt
        event: Event
        try:
            event = await self._begun().perform(work, self._watch(attempt))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the task's boundary: also Polars' panics, which are no Exception
            _log.warning("%s: %s: %s", attempt, type(error).__name__, error, extra=logs.about(attempt))
            event = Broke(attempt, failures.describe(error))
        self._unwanted.discard(attempt)
        self._loop.post(event)

    def _watch(self, attempt: AttemptId) -> Any:
        """Return what an operation tells its progress to; it may be called from any thread."""
        loop = asyncio.get_running_loop()

        def watch(records: int, size: int) -> bool:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._loop.post, Moved(attempt, records, size))
            return attempt not in self._unwanted

        return watch

    async def _append(self, command: AppendFrames) -> None:
        loop = asyncio.get_running_loop()
        event: Event
        try:
            through = await loop.run_in_executor(self._journal_thread, self._begun().output().append, command.frames)
            event = Appended(command.epoch, through)
        except MapReduceError as error:
            _log.error("the journal cannot be written: %s", error)
            event = AppendBroke(command.epoch, str(error), lost=isinstance(error, LOST))
        self._loop.post(event)

    def _begun(self) -> Operations:
        if self._operations is None:
            raise RuntimeError("an operation began before the registration")
        return self._operations
