"""One slot as the agent sees it: a process that is started, given tasks, watched and replaced.

Neighbours: `pool.py`, which owns the slots; `process.py`, the program that is started; `printed.py`,
`stacks.py`, `meter.py`, `memory.py` and `group.py`, what is known of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from mapreduce import logs
from mapreduce.errors import UserError
from mapreduce.ids import AttemptId
from mapreduce.protocol import ErrorInfo
from mapreduce_worker.core.events import (
    Broke,
    Event,
    MapInSlot,
    Measured,
    Progressed,
    ReduceInSlot,
    SlotAwaited,
    SlotDied,
)
from mapreduce_worker.newborn import Child, Linked
from mapreduce_worker.slots import group, memory, stacks
from mapreduce_worker.slots.messages import (
    CHANNEL_CLOSED,
    HEAD,
    MAX_ANSWER,
    FromSlot,
    Prepare,
    Ready,
    Task,
    ToSlot,
    Worn,
    fits,
    frame,
    from_slot,
)
from mapreduce_worker.slots.meter import Meter
from mapreduce_worker.slots.printed import Printed

MAX_STARTS: Final = 5
"""Starts in a row that may fail before the task that waits for the slot is given up."""
RECYCLED_ABOVE: Final = 0.6
"""Share of the memory limit above which an idle slot is replaced, so that what one attempt left
behind is not held against the next."""
FRESH: Final = 128 << 20
"""Bytes that a process which has just started may hold, and that are not worth a new one."""
EXIT_SECONDS: Final = 2.0
"""How long a process that closed its control pipe may take to end. Its memory is gone by then, so that
takes no time, unless it lives on and user code closed the pipe."""
DRAIN_SECONDS: Final = 1.0
"""How long what a process said before it ended may take to arrive."""

_log: Final = logging.getLogger(__name__)


class ChannelDamagedError(UserError):
    """The slot said what a slot never says: user code, which has the control pipe too, wrote to it."""


class SlotConfig(msgspec.Struct, kw_only=True):
    """What the slots of a pool have in common; `prepare` and `limit` (bytes; 0: none) come with
    the first registration."""

    scratch: Path
    environment: dict[str, str]
    post: Callable[[Event], None]
    prepare: Prepare | None = None
    limit: int = 0


class Slot:
    """A slot process and its successors. All methods belong to the event loop's thread."""

    def __init__(self, number: int, config: SlotConfig, warm: Linked | None = None) -> None:
        self._config = config
        folder = config.scratch / "slots"
        self._printed = Printed(folder / f"{number}.log")
        self._stacks = folder / f"{number}.stacks"
        self._process: asyncio.subprocess.Process | Child | None = None
        self._warm = warm
        """Its first process, which was forked before this process could have started one."""
        self._writer: asyncio.StreamWriter | None = None
        self._ready = False
        self._prepared: Prepare | None = None
        self._task: Task | None = None
        self._sent = False
        self._started = False
        self._failed_starts = 0
        self._over_memory = 0
        self._killed = False
        self._damage = ""
        self._kills_before = 0
        self._worn = False
        """Whether a task left behind what only a new process is free of."""
        self._limit = 0
        """Bytes that the process was allowed when it was killed for its memory."""
        self._meter = Meter()
        self.starting = False
        """Whether there may be a process that has no `pid` here yet."""

    @property
    def pid(self) -> int:
        """The process, or 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def rss(self) -> int:
        """The bytes that its process was last seen to hold."""
        return self._meter.rss

    @property
    def idle(self) -> bool:
        """Whether a process is ready and has no task."""
        return self._ready and self._task is None

    @property
    def alone(self) -> bool:
        """Whether its task has the worker to itself."""
        return isinstance(self._task, (MapInSlot, ReduceInSlot)) and self._task.alone

    # --- called by the pool -------------------------------------------------------------

    def run(self, task: Task) -> None:
        """Run a task, as soon as the process is ready. Its end is posted."""
        self._task = task
        if self._ready:
            self._begin(task)
        else:
            # That the last attempt's process is replaced is no fault of this one's code.
            self._config.post(SlotAwaited(task.attempt))

    def kill(self, attempt: AttemptId, *, ask: bool = False) -> None:
        """Kill the process if it has this attempt; `SlotDied` is posted, unless the end came first.

        `ask`: let it write down before where its code is.
        """
        if self._task is None or self._task.attempt != attempt:
            return
        if not self._sent:
            # The process that should have run it is not up yet, and need not go.
            self._task = None
            self._config.post(SlotDied(attempt=attempt, code=-signal.SIGKILL))
        elif ask and not self._killed:
            self._ask()
            asyncio.get_running_loop().call_later(stacks.SECONDS, self.kill, attempt)
        else:
            self._kill()

    def _ask(self) -> None:
        """Let the process write down where it is; the number of one that has ended may be another's by now."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, stacks.SIGNAL)

    def measure(self, limit: int) -> None:
        """Look at memory and log; a process over its limit of bytes (0: none) is killed."""
        if not self.pid or self._killed:
            return
        self._meter.look(self.pid)
        if limit and self.rss > limit:
            self._over_memory, self._limit = self.rss, limit
            self._kill()
        self._printed.cut()

    def refresh(self) -> None:
        """Replace an idle process that holds more than a new one would."""
        if self.idle and memory.resident(self.pid) > FRESH:
            self._kill()

    async def serve(self) -> None:
        """Keep a process running until cancelled."""
        try:
            while True:
                await self._live()
                await asyncio.sleep(min(0.1 * 2**self._failed_starts, 5.0) if self._failed_starts else 0)
        finally:
            self._kill()
            if self._process is not None:
                await self._process.wait()

    # --- one process --------------------------------------------------------------------

    async def _live(self) -> None:
        """Start a process and listen to it until it has ended."""
        self._ready, self._started, self._killed, self._worn = False, False, False, False
        self._prepared, self._over_memory, self._meter.rss, self._damage = None, 0, 0, ""
        self._kills_before = memory.kernel_kills()
        begun = await self._start()
        if begun is None:
            self._ended(-signal.SIGKILL)
            return
        self._process, ours = begun
        reader, self._writer = await asyncio.open_connection(sock=ours)
        listening = asyncio.ensure_future(self._listen(reader))
        exiting = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait({listening, exiting}, return_when=asyncio.FIRST_COMPLETED)
            await self._part(listening, exiting)
        finally:
            listening.cancel()
            exiting.cancel()
            self._writer.close()
            self._kill()
        self._ended(await self._process.wait())

    async def _start(self) -> tuple[asyncio.subprocess.Process | Child, socket.socket] | None:
        """Take the first process, or start one; return it with our end of its control pipe, if it can be."""
        if self._warm is not None:
            first, self._warm = self._warm, None
            return first
        ours, theirs = socket.socketpair()
        self.starting = True
        try:
            with theirs:
                return await self._spawn(theirs.fileno()), ours
        except BaseException as error:  # cancelled too: the socket is closed
            ours.close()
            if not isinstance(error, OSError):
                raise
            _log.warning("a slot process cannot be started: %s", error)
            return None
        finally:
            self.starting = False

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Hear what the process says, until it can say no more."""
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    self._heard(await _receive(reader))
        except ChannelDamagedError as error:
            self._damage = str(error)

    async def _part(self, listening: asyncio.Future[None], exiting: asyncio.Future[int]) -> None:
        """The process has ended, or said its last word: wait for the other of both, but not for long.

        A copy that user code forked may hold the pipe open for as long as it likes.
        """
        if not listening.done():
            await asyncio.wait({listening}, timeout=DRAIN_SECONDS)
        elif not self._damage and not self._killed:
            await asyncio.wait({exiting}, timeout=EXIT_SECONDS)
            if not exiting.done() or exiting.result() == CHANNEL_CLOSED:
                self._damage = "it was closed"
        if listening.done() and not listening.cancelled():
            listening.result()

    async def _spawn(self, fd: int) -> asyncio.subprocess.Process:
        with self._printed.open() as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a file of the working directory must not shadow a module
                "-m",
                "mapreduce_worker.slots.process",
                str(fd),
                str(os.getpid()),
                str(self._stacks.absolute()),
                env=self._config.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(fd,),
                start_new_session=True,
            )

    def _heard(self, message: FromSlot) -> None:
        if isinstance(message, Ready):
            if self._started:
                raise ChannelDamagedError("it said a second time that it had started")
            self._ready = self._started = True
            self._failed_starts = 0
            if self._task is not None:
                self._begin(self._task)
                self._config.post(Progressed(self._task.attempt, 0, 0))
        elif self._task is None or message.attempt != self._task.attempt:
            return
        elif isinstance(message, Progressed):
            self._config.post(message)
        elif isinstance(message, Worn):
            self._worn = True
            told = "%s left something in its process, which is replaced: %s"
            _log.info(told, message.attempt, message.left, extra=logs.about(message.attempt))
        else:
            if not fits(self._task, message):
                raise ChannelDamagedError(f"a {type(message).__name__} that does not fit its task")
            self._task, self._sent = None, False
            printed = self._printed.relay(message.attempt)
            self._meter.look(self.pid)
            if isinstance(message, Broke):
                message, printed = Broke(message.attempt, self._told(message.error)), ""
            self._recycle()
            self._config.post(Measured(message.attempt, self._meter.spent(printed)))
            self._config.post(message)

    def _begin(self, task: Task) -> None:
        prepare = self._config.prepare
        if prepare is not None and prepare is not self._prepared:
            self._prepared = prepare
            self._send(prepare)
        self._printed.begin()
        stacks.forget(self._stacks)
        self._meter.begin(self.pid)
        self._sent = True
        self._send(task)

    def _send(self, message: ToSlot) -> None:
        if self._writer is not None:
            self._writer.write(frame(message))

    def _recycle(self) -> None:
        limit = self._config.limit
        if self._worn or (limit and self.rss > RECYCLED_ABOVE * limit):
            self._kill()

    def _kill(self) -> None:
        """Kill the process and everything below it and in its group; the next one takes new tasks."""
        self._ready, self._killed = False, True
        if self._process is None:
            return
        if self._process.returncode is None:
            group.end(self._process.pid)
        else:
            # It has ended; what it started may not have.
            group.end_group(self._process.pid)

    def _ended(self, code: int) -> None:
        """The process has ended: tell of the task that it had; one that it never got waits on."""
        if not self._started:
            self._failed_starts += 1
        if self._task is None or (not self._sent and self._failed_starts < MAX_STARTS):
            return
        attempt = self._task.attempt
        self._task = None
        if not self._sent:
            message = f"no slot process could be started, {self._failed_starts} times"
            error = ErrorInfo(kind="disruption", reason="SlotExited", message=message)
            self._config.post(Broke(attempt, self._told(error)))
            return
        self._sent = False
        self._printed.relay(attempt)
        self._config.post(Measured(attempt, self._meter.spent()))
        if self._damage:
            message = f"the slot's control channel was damaged, which only the program can have done: {self._damage}"
            error = ErrorInfo(kind="user", reason="SlotDamaged", message=message)
            self._config.post(Broke(attempt, self._told(error)))
            return
        struck = code == -signal.SIGKILL and memory.kernel_kills() > self._kills_before
        self._config.post(
            SlotDied(
                attempt=attempt,
                code=code,
                over_memory=self._over_memory,
                limit=self._limit,
                out_of_memory=struck and not self._over_memory,
                peak=self._meter.peak,
                stack=stacks.read(self._stacks),
                log_tail=self._printed.tail(),
            )
        )

    def _told(self, error: ErrorInfo) -> ErrorInfo:
        """Return an error with what this side knows: what was printed, and the most memory that was seen."""
        return msgspec.structs.replace(error, log_tail=self._printed.tail(), peak_memory=self._meter.peak)


async def _receive(reader: asyncio.StreamReader) -> FromSlot:
    """Read one message; raises `ChannelDamagedError` for what is none."""
    length = int.from_bytes(await reader.readexactly(HEAD), "big")
    if length > MAX_ANSWER:
        raise ChannelDamagedError(f"a message of {length} bytes")
    body = await reader.readexactly(length)
    try:
        message: FromSlot = from_slot(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ChannelDamagedError(f"not a message: {error}") from error
    return message
