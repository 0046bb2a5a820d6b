"""One slot as the agent sees it: a process that is started, given tasks, watched and replaced.

Neighbours: `pool.py`, which owns the slots; `process.py`, the program that is started.
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

from mapreduce.errors import UserError
from mapreduce.ids import AttemptId
from mapreduce.protocol import ErrorInfo
from mapreduce_worker.core.events import (
    Broke,
    Event,
    Loaded,
    LoadInSlot,
    MapDone,
    MapInSlot,
    MapPartDone,
    Progressed,
    ReduceDone,
    SegmentSpoiled,
    SlotDied,
)
from mapreduce_worker.slots import memory
from mapreduce_worker.slots.messages import HEAD, MAX_ANSWER, FromSlot, Prepare, Ready, Task, ToSlot, frame, from_slot

TAIL: Final = 4096
"""Bytes of what a slot printed that go into a failure's report."""
MAX_LOG: Final = 4 << 20
MAX_STARTS: Final = 5
"""Starts in a row that may fail before the task that waits for the slot is given up."""
RECYCLED_ABOVE: Final = 0.6
"""Share of the memory limit above which an idle slot is replaced, so that what one attempt left
behind is not held against the next."""


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

    def __init__(self, number: int, config: SlotConfig) -> None:
        self._config = config
        self._log = config.scratch / "slots" / f"{number}.log"
        self._process: asyncio.subprocess.Process | None = None
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
        self._log_start = 0
        self._log_cut = b""
        self.rss = 0

    @property
    def pid(self) -> int:
        """The process, or 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    # --- called by the pool -------------------------------------------------------------

    def run(self, task: Task) -> None:
        """Run a task, as soon as the process is ready. Its end is posted."""
        self._task = task
        if self._ready:
            self._begin(task)

    def kill(self, attempt: AttemptId) -> None:
        """Kill the process if it has this attempt; `SlotDied` is posted, unless the end came first."""
        if self._task is None or self._task.attempt != attempt:
            return
        if self._sent:
            self._kill()
        else:
            # The process that should have run it is not up yet, and need not go.
            self._task = None
            self._config.post(SlotDied(attempt=attempt, code=-signal.SIGKILL))

    def measure(self) -> None:
        """Look at memory and log; a process over its limit is killed."""
        if not self.pid or self._killed:
            return
        self.rss = memory.resident(self.pid)
        if self._config.limit and self.rss > self._config.limit:
            self._over_memory = self.rss
            self._kill()
        self._cut_log()

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
        self._ready, self._started, self._killed = False, False, False
        self._prepared, self._over_memory, self.rss, self._damage = None, 0, 0, ""
        self._kills_before = memory.kernel_kills()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await self._spawn(theirs.fileno())
        except BaseException as error:
            ours.close()
            if not isinstance(error, OSError):
                raise
            _log.warning("a slot process cannot be started: %s", error)
            self._ended(-signal.SIGKILL)
            return
        reader, self._writer = await asyncio.open_connection(sock=ours)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    self._heard(await _receive(reader))
        except ChannelDamagedError as error:
            self._damage = str(error)
        finally:
            self._writer.close()
            self._kill()
        self._ended(await self._process.wait())

    async def _spawn(self, fd: int) -> asyncio.subprocess.Process:
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a file of the working directory must not shadow a module
                "-m",
                "mapreduce_worker.slots.process",
                str(fd),
                str(os.getpid()),
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
        elif self._task is None or message.attempt != self._task.attempt:
            return
        elif isinstance(message, Progressed):
            self._config.post(message)
        else:
            if not _fits(self._task, message):
                raise ChannelDamagedError(f"a {type(message).__name__} that does not fit its task")
            self._task, self._sent = None, False
            if isinstance(message, Broke):
                message = self._with_log(message)
            self._recycle()
            self._config.post(message)

    def _begin(self, task: Task) -> None:
        prepare = self._config.prepare
        if prepare is not None and prepare is not self._prepared:
            self._prepared = prepare
            self._send(prepare)
        self._log_start = self._log_size()
        self._log_cut = b""
        self._sent = True
        self._send(task)

    def _send(self, message: ToSlot) -> None:
        if self._writer is not None:
            self._writer.write(frame(message))

    def _recycle(self) -> None:
        if self._config.limit and memory.resident(self.pid) > RECYCLED_ABOVE * self._config.limit:
            self._kill()

    def _kill(self) -> None:
        """Kill the process and everything in its group; the next one takes new tasks."""
        self._ready, self._killed = False, True
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

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
            error = ErrorInfo(kind="disruption", reason="SlotExited", message=message, log_tail=self._tail())
            self._config.post(Broke(attempt, error))
            return
        self._sent = False
        if self._damage:
            message = f"the slot's control channel was damaged, which only the program can have done: {self._damage}"
            error = ErrorInfo(kind="user", reason="SlotExited", message=message, log_tail=self._tail())
            self._config.post(Broke(attempt, error))
            return
        struck = code == -signal.SIGKILL and memory.kernel_kills() > self._kills_before
        self._config.post(
            SlotDied(
                attempt=attempt,
                code=code,
                over_memory=self._over_memory,
                out_of_memory=struck and not self._over_memory,
                log_tail=self._tail(),
            )
        )

    # --- what it printed ----------------------------------------------------------------

    def _with_log(self, message: Broke) -> Broke:
        error: ErrorInfo = msgspec.structs.replace(message.error, log_tail=self._tail())
        return Broke(message.attempt, error)

    def _tail(self) -> str:
        """Return the end of what was printed since the task began."""
        return (self._log_cut + self._printed())[-TAIL:].decode(errors="replace")

    def _printed(self) -> bytes:
        try:
            with self._log.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, end - TAIL))
                return log.read()
        except OSError:
            return b""

    def _log_size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            # User code may have removed it: it runs with our rights.
            return 0

    def _cut_log(self) -> None:
        """Empty a log that has grown large, keeping its end: user code may print without bound."""
        if self._log_size() > MAX_LOG:
            self._log_cut = self._printed()
            os.truncate(self._log, 0)
            self._log_start = 0


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


def _fits(task: Task, end: FromSlot) -> bool:
    """Tell whether a message can be the end of the task: the core would wait for ever, or fail, on another."""
    if isinstance(end, Broke):
        return True
    if isinstance(task, LoadInSlot):
        return isinstance(end, Loaded)
    if isinstance(task, MapInSlot) and task.makes_part:
        return isinstance(end, MapPartDone)
    if isinstance(task, MapInSlot):
        return isinstance(end, MapDone) and end.output.attempt == task.attempt
    if isinstance(end, SegmentSpoiled):
        return any(segment.source == end.source for segment in task.segments)
    return isinstance(end, ReduceDone)
