"""The loop around a core: its events in, its commands out, and what it says to the master.

What the worker's agent and the gateway's shell share; nothing here decides. Neighbours: `core/line.py`
(decides when something is said), `client.py` (says it), `agent.py`, `gateway/shell.py`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, Generic, TypeVar

from mapreduce import logs
from mapreduce.errors import ProtocolError
from mapreduce.protocol import Registered
from mapreduce_worker.client import MasterAway, MasterClient, MasterRefused
from mapreduce_worker.core import events

TICK_SECONDS: Final = 0.25
_log: Final = logging.getLogger(__name__)

EventT = TypeVar("EventT")
CommandT = TypeVar("CommandT")


class CoreLoop(Generic[EventT, CommandT]):
    """Feeds one core until it says `Exit`.

    `learn` takes in what a registration says before the core hears of it, and may raise
    `MasterRefused`, `MasterAway`, `ProtocolError`. `carry_out` does what is no message to the master.
    `grace`: seconds between SIGTERM and the end.
    """

    def __init__(
        self,
        client: MasterClient,
        learn: Callable[[Registered], Awaitable[None]],
        carry_out: Callable[[CommandT], None],
        inbox: asyncio.Queue[Any] | None = None,
        *,
        grace: float,
    ) -> None:
        self._client = client
        self._learn = learn
        self._carry_out_rest = carry_out
        self._inbox: asyncio.Queue[Any] = asyncio.Queue() if inbox is None else inbox
        self._tasks: set[asyncio.Task[None]] = set()
        self._grace = grace
        self._status: int | None = None

    def post(self, event: EventT) -> None:
        """Hand an event to the core, soon; only from the loop's own thread."""
        self._inbox.put_nowait(event)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside; an error of it is a defect, and ends the process."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def run(
        self, handle: Callable[[EventT, float], Iterable[CommandT]], leave: Callable[[], None] = lambda: None
    ) -> int:
        """Feed the core until it says `Exit`; return the status. `leave` is called before tasks are cancelled."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._inbox.put_nowait, events.Terminated(self._grace))
        self.spawn(self._tick())
        try:
            while self._status is None:
                event = await self._inbox.get()
                for command in handle(event, time.monotonic()):
                    self._carry_out(command)
        finally:
            leave()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._status

    def _carry_out(self, command: CommandT) -> None:
        match command:
            case events.SendRegister():
                self.spawn(self._register(command))
            case events.SendExchange():
                self.spawn(self._exchange(command))
            case events.Exit():
                _log.log(logging.ERROR if command.status else logging.INFO, "exit: %s", command.message)
                self._status = command.status
            case _:
                self._carry_out_rest(command)

    # --- the master ---------------------------------------------------------------------

    async def _register(self, command: events.SendRegister) -> None:
        try:
            body = await self._client.register(command.body)
            await self._learn(body)
        except MasterRefused as error:
            self._inbox.put_nowait(events.Refused(command.serial, error.status, error.reason, error.message))
        except (MasterAway, ProtocolError) as error:
            _log.warning("cannot register: %s", error)
            self._inbox.put_nowait(events.Unanswered(command.serial, str(error)))
        else:
            logs.always(worker=body.worker, epoch=body.epoch)
            _log.info("registered as %s with epoch %d", body.worker, body.epoch)
            self._inbox.put_nowait(events.SessionOpened(command.serial, body))

    async def _exchange(self, command: events.SendExchange) -> None:
        try:
            answer = await self._client.exchange(command.session, command.body, command.patience)
        except MasterRefused as error:
            self._inbox.put_nowait(events.Refused(command.serial, error.status, error.reason, error.message))
        except MasterAway as error:
            _log.info("the master is away: %s", error)
            self._inbox.put_nowait(events.Unanswered(command.serial, str(error)))
        else:
            self._inbox.put_nowait(events.Answered(command.serial, answer))

    # --- the process --------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            self._inbox.put_nowait(events.Ticked())
            await asyncio.sleep(TICK_SECONDS)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # Without what this task should have told, the core would wait for ever.
            _log.error("a defect of this process", exc_info=error)
            self._status = 1
            self._inbox.put_nowait(events.Ticked())
