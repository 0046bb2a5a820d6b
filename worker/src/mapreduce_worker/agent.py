"""The worker's shell: it carries out what the core says and tells the core what happened.

Nothing here decides about tasks. Neighbours: `core/worker.py` (decides), `client.py` (the master),
`slots/pool.py` (user code), `fetch.py` and `data_server.py` (other workers), `__main__`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, NamedTuple

import mapreduce
from mapreduce import paths, protocol
from mapreduce.errors import ProtocolError
from mapreduce.ids import AttemptId
from mapreduce.program import Program
from mapreduce.protocol import ErrorInfo, Register, Registered
from mapreduce_worker.client import MasterAway, MasterClient, MasterRefused
from mapreduce_worker.core import events
from mapreduce_worker.core.worker import WorkerCore
from mapreduce_worker.data_server import DataServer, worker_routes
from mapreduce_worker.engine.options import of_job
from mapreduce_worker.fetch import Fetcher, InputRefusedError, TicketRefused, Unreachable
from mapreduce_worker.outputs import MapOutputs
from mapreduce_worker.settings import Settings
from mapreduce_worker.slots.messages import Prepare
from mapreduce_worker.slots.pool import SlotPool
from mapreduce_worker.ticketing import TicketBook

TICK_SECONDS: Final = 0.25
_log: Final = logging.getLogger(__name__)


DataCommand = events.FetchInput | events.FetchSegments | events.StopFetching | events.ClearScratch | events.DeleteFiles


async def run_worker(settings: Settings, token: Callable[[], str]) -> int:
    """Be a worker until the core says otherwise; return the exit status."""
    settings.scratch.mkdir(parents=True, exist_ok=True)
    inbox: asyncio.Queue[events.Event] = asyncio.Queue()
    book = TicketBook()
    server = DataServer(worker_routes(settings.scratch, book, MapOutputs(settings.scratch)))
    port = await server.start(settings.data_host, settings.data_port)
    try:
        async with (
            MasterClient(settings.master, token, settings.ca) as client,
            Fetcher(book, shared_disk=settings.shared_disk) as fetcher,
            SlotPool(settings.slots, settings.scratch, inbox.put_nowait) as pool,
        ):
            core = WorkerCore(_identity(settings, port), random.random)
            return await Agent(settings, core, inbox, Tools(client, fetcher, pool, book)).run()
    finally:
        await server.close()


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
        self._inbox = inbox
        self._client, self._fetcher, self._pool, self._book = tools
        self._program: Program | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetches: dict[AttemptId, set[asyncio.Task[None]]] = {}
        self._status: int | None = None

    async def run(self) -> int:
        """Feed the core until it says `Exit`; return the status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._inbox.put_nowait, events.Terminated())
        self._spawn(self._tick())
        try:
            while self._status is None:
                event = await self._inbox.get()
                for command in self._core.handle(event, time.monotonic()):
                    self._carry_out(command)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._status

    def _carry_out(self, command: events.Command) -> None:
        match command:
            case events.SendRegister():
                self._spawn(self._register(command))
            case events.SendExchange():
                self._spawn(self._exchange(command))
            case events.LoadInSlot() | events.MapInSlot() | events.ReduceInSlot():
                self._pool.run(command.slot, command)
            case events.KillSlot():
                self._pool.kill(command.slot, command.attempt)
            case events.Exit():
                _log.log(logging.ERROR if command.status else logging.INFO, "exit: %s", command.message)
                self._status = command.status
            case _:
                self._carry_out_data(command)

    def _carry_out_data(self, command: DataCommand) -> None:
        match command:
            case events.FetchInput():
                self._fetch(command.attempt, self._fetch_input(command))
            case events.FetchSegments():
                self._fetch(command.attempt, self._fetch_segments(command))
            case events.StopFetching():
                for task in self._fetches.get(command.attempt, ()):
                    task.cancel()
            case events.ClearScratch():
                self._spawn(self._delete(command.attempt, results=False))
            case events.DeleteFiles():
                self._spawn(self._delete(command.attempt, results=True))

    # --- the master ---------------------------------------------------------------------

    async def _register(self, command: events.SendRegister) -> None:
        try:
            body = await self._client.register(command.body)
            if self._program is None or self._program.digest != body.job.program_digest:
                self._program = await self._client.program(body.session, body.job.program_digest)
        except MasterRefused as error:
            self._inbox.put_nowait(events.Refused(command.serial, error.status, error.reason, error.message))
        except (MasterAway, ProtocolError) as error:
            _log.warning("cannot register: %s", error)
            self._inbox.put_nowait(events.Unanswered(command.serial, str(error)))
        else:
            self._learn(body, self._program)
            _log.info("registered as %s with epoch %d", body.worker, body.epoch)
            self._inbox.put_nowait(events.SessionOpened(command.serial, body))

    def _learn(self, body: Registered, program: Program) -> None:
        spec = body.job.spec
        limit = self._settings.slot_memory or body.limits.slot_memory
        self._book.learn(spec.uid, body.ticket_keys)
        prepare = Prepare(
            program=program,
            # The other half is for the interpreter, for user code, and for what is not counted.
            options=of_job(spec, body.limits.flush_bytes, limit // 2),
            scratch=str(self._settings.scratch.absolute()),
            root_input=str(self._settings.root_input),
        )
        self._pool.prepare(prepare, limit)

    async def _exchange(self, command: events.SendExchange) -> None:
        event: events.Event
        try:
            event = events.Answered(
                command.serial, await self._client.exchange(command.session, command.body, command.patience)
            )
        except MasterRefused as error:
            event = events.Refused(command.serial, error.status, error.reason, error.message)
        except MasterAway as error:
            _log.info("the master is away: %s", error)
            event = events.Unanswered(command.serial, str(error))
        self._inbox.put_nowait(event)

    # --- data ---------------------------------------------------------------------------

    async def _fetch_input(self, command: events.FetchInput) -> None:
        attempt = command.attempt
        event: events.Event
        try:
            event = events.InputArrived(attempt, await self._fetcher.input(command, self._work(attempt)))
        except (Unreachable, TicketRefused) as error:
            _log.info("%s waits for its input: %s", attempt, error)
            event = events.InputUnreachable(attempt, str(error))
        except InputRefusedError as error:
            event = events.FetchFailed(attempt, error.error)
        except OSError as error:
            event = events.FetchFailed(attempt, _disk_error(error))
        self._inbox.put_nowait(event)

    async def _fetch_segments(self, command: events.FetchSegments) -> None:
        event: events.Event
        try:
            event = await self._fetcher.segments(command, self._work(command.attempt))
        except OSError as error:
            event = events.FetchFailed(command.attempt, _disk_error(error))
        self._inbox.put_nowait(event)

    def _fetch(self, attempt: AttemptId, work: Coroutine[Any, Any, None]) -> None:
        task = self._spawn(work)
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

    # --- the process --------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            self._inbox.put_nowait(events.Ticked())
            await asyncio.sleep(TICK_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # A defect: without what this task should have told, the core would wait for ever.
            _log.error("a defect of the worker", exc_info=error)
            self._inbox.put_nowait(events.Crashed(str(error)))


def _disk_error(error: OSError) -> ErrorInfo:
    return ErrorInfo(kind="disruption", reason="StorageFailed", message=f"the worker's scratch disk: {error}")
