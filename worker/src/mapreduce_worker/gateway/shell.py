"""The gateway's shell: it carries out what the core says and tells the core what happened.

Nothing here decides about tasks. Blocking work runs in threads, so that the beat goes on. Neighbours:
`core/` (decides), `operations.py` (what each command does), `client.py` (the master),
`data_server.py` and `input_server.py` (readers of the input), `__main__`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import signal
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import mapreduce
from mapreduce import protocol
from mapreduce.errors import MapReduceError
from mapreduce.ids import AttemptId
from mapreduce.protocol import JobContext, Register, Registered
from mapreduce_worker.client import MasterAway, MasterClient, MasterRefused
from mapreduce_worker.core import events
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
from mapreduce_worker.gateway.operations import Operations
from mapreduce_worker.settings import Settings
from mapreduce_worker.ticketing import TicketBook

TICK_SECONDS: Final = 0.25
THREADS: Final = 16
"""Operations and readers of the input that may be at the disk at once."""
_log: Final = logging.getLogger(__name__)


async def run_gateway(settings: Settings, client: MasterClient) -> int:
    """Be a gateway until the core says otherwise; return the exit status. `client` is open."""
    book = TicketBook()
    gateway = Gateway(settings, client, book)
    server = DataServer(input_routes(gateway.input_files, book))
    port = await server.start(settings.data_host, settings.data_port)
    try:
        return await gateway.run(GatewayCore(_identity(port), random.random))
    finally:
        await server.close()


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
        self._client = client
        self._book = book
        self._inbox: asyncio.Queue[Event] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._operations: Operations | None = None
        self._unwanted: set[AttemptId] = set()
        # Appending never waits behind an operation.
        self._journal_thread = ThreadPoolExecutor(1, "journal")
        self._status: int | None = None

    def input_files(self) -> InputFiles | None:
        """Return the input's files; None before the registration, and in a gateway that serves no input."""
        return self._operations.input_files() if self._operations is not None else None

    async def run(self, core: GatewayCore) -> int:
        """Feed the core until it says `Exit`; return the status."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS, "store"))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._inbox.put_nowait, events.Terminated())
        self._spawn(self._tick())
        try:
            while self._status is None:
                event = await self._inbox.get()
                for command in core.handle(event, time.monotonic()):
                    self._carry_out(command)
        finally:
            self._unwanted |= core.operations.keys()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._journal_thread.shutdown(wait=False, cancel_futures=True)
            if self._operations is not None:
                await self._operations.close()
        return self._status

    def _carry_out(self, command: Command) -> None:
        match command:
            case events.SendRegister():
                self._spawn(self._register(command))
            case events.SendExchange():
                self._spawn(self._exchange(command))
            case Begin():
                self._spawn(self._perform(command.work))
            case Abandon():
                self._unwanted.add(command.attempt)
            case AppendFrames():
                self._spawn(self._append(command))
            case events.Exit():
                _log.log(logging.ERROR if command.status else logging.INFO, "exit: %s", command.message)
                self._status = command.status

    # --- the master -----------------------------------------------------------------------

    async def _register(self, command: events.SendRegister) -> None:
        event: Event
        try:
            body = await self._client.register(command.body)
        except MasterRefused as error:
            event = events.Refused(command.serial, error.status, error.reason, error.message)
        except MasterAway as error:
            _log.warning("cannot register: %s", error)
            event = events.Unanswered(command.serial, str(error))
        else:
            await self._learn(body)
            _log.info("registered as %s with epoch %d", body.worker, body.epoch)
            event = events.SessionOpened(command.serial, body)
        self._inbox.put_nowait(event)

    async def _learn(self, body: Registered) -> None:
        job: JobContext = body.job
        self._book.learn(job.spec.uid, body.ticket_keys)
        if self._operations is None:
            self._operations = Operations(self._settings, self._book)
            await self._operations.open()
        self._operations.job = job

    async def _exchange(self, command: events.SendExchange) -> None:
        event: Event
        try:
            answer = await self._client.exchange(command.session, command.body, command.patience)
            event = events.Answered(command.serial, answer)
        except MasterRefused as error:
            event = events.Refused(command.serial, error.status, error.reason, error.message)
        except MasterAway as error:
            _log.info("the master is away: %s", error)
            event = events.Unanswered(command.serial, str(error))
        self._inbox.put_nowait(event)

    # --- the store ------------------------------------------------------------------------

    async def _perform(self, work: Work) -> None:
        attempt = work.attempt
        event: Event
        try:
            event = await self._begun().perform(work, self._watch(attempt))
        except Exception as error:  # noqa: BLE001 - the task's boundary: whatever it is, the master is told
            _log.warning("%s: %s: %s", attempt, type(error).__name__, error)
            event = Broke(attempt, failures.describe(error))
        self._unwanted.discard(attempt)
        self._inbox.put_nowait(event)

    def _watch(self, attempt: AttemptId) -> Any:
        """Return what an operation tells its progress to; it may be called from any thread."""
        loop = asyncio.get_running_loop()

        def watch(records: int, size: int) -> bool:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._inbox.put_nowait, Moved(attempt, records, size))
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
            event = AppendBroke(command.epoch, str(error))
        self._inbox.put_nowait(event)

    def _begun(self) -> Operations:
        if self._operations is None:
            raise RuntimeError("an operation began before the registration")
        return self._operations

    # --- the process ----------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            self._inbox.put_nowait(events.Ticked())
            await asyncio.sleep(TICK_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # Without what this task should have told, the core would wait for ever.
            _log.error("a defect of the gateway", exc_info=error)
            self._status = 1
            self._inbox.put_nowait(events.Ticked())
