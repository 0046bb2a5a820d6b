"""Asks the nursery of a run for worker and gateway processes, and hears how they end.

Where there is no nursery, or it has ended, processes are started one by one: `Nursery.bear` says so.
Neighbours: `mapreduce.nursery` (what is said), `beginning.py` (starts it), `local.py` (asks),
`mapreduce_worker.nursery` (forks).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Mapping

from mapreduce import nursery
from mapreduce_operator.drivers.beginning import Begun


class NurseryGoneError(Exception):
    """The nursery has ended, or was not understood."""


class Born:
    """A process of the nursery: what `asyncio.subprocess.Process` is for one that was started here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Wait for its end; return its exit code, negative: the signal."""
        return await asyncio.shield(self.ended)

    def end(self, code: int) -> None:
        """Take in that it has ended."""
        if self.returncode is None:
            self.returncode = code
            self.ended.set_result(code)


class Nursery:
    """The driver's side of a nursery. Made, used and closed on one event loop."""

    def __init__(self, begun: Begun) -> None:
        self._begun = begun
        self._channel: socket.socket | None = begun.channel
        self._one = asyncio.Lock()
        self._asked: deque[asyncio.Future[Born]] = deque()
        """Who waits for a process, or has ceased to: the answers come in the order of the requests."""
        self._living: dict[int, Born] = {}
        begun.channel.setblocking(False)
        asyncio.get_running_loop().add_reader(begun.channel, self._hear)

    async def bear(self, variables: Mapping[str, str], printed: int, token: int, parent: int) -> Born:
        """Return a new process with these variables of ours and descriptors.

        Raises `NurseryGoneError`, and `OSError` for what keeps this machine from having one more.
        """
        async with self._one:
            if self._channel is None:
                raise NurseryGoneError
            asked: asyncio.Future[Born] = asyncio.get_running_loop().create_future()
            try:
                # One request at a time: there is always room for it.
                socket.send_fds(self._channel, [nursery.request(variables)], [printed, token, parent])
            except OSError as error:
                self._gone()
                raise NurseryGoneError from error
            self._asked.append(asked)
            return await asked

    def close(self) -> None:
        """End the nursery; its processes, which were told to end before, are not heard of any more."""
        self._gone()
        self._begun.end()

    def _hear(self) -> None:
        """Take in all that was said."""
        while self._channel is not None:
            try:
                message = self._channel.recv(nursery.TOLD_BYTES)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if len(message) == nursery.TOLD_BYTES:
                self._heard(nursery.Told.unpack(message))
            else:
                self._gone()

    def _heard(self, told: nursery.Told) -> None:
        if told.kind == nursery.ENDED:
            if (born := self._living.pop(told.pid, None)) is not None:
                born.end(told.number)
            return
        asked = self._asker()
        if told.kind == nursery.BORN:
            if asked is None:
                # Who asked was cancelled: nobody else knows the process.
                _end(told.pid)
                return
            born = self._living[told.pid] = Born(told.pid)
            asked.set_result(born)
        elif asked is not None:
            asked.set_exception(OSError(told.number, os.strerror(told.number)))

    def _asker(self) -> asyncio.Future[Born] | None:
        """Return who asked first of those without an answer; None if that one does not wait any more."""
        asked = self._asked.popleft() if self._asked else None
        return None if asked is None or asked.done() else asked

    def _gone(self) -> None:
        """It has ended: who is to say how its processes end? They end now."""
        if self._channel is None:
            return
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel = None
        while self._asked:
            if (asked := self._asker()) is not None:
                asked.set_exception(NurseryGoneError())
        for born in self._living.values():
            _end(born.pid)
            born.end(-signal.SIGKILL)
        self._living.clear()


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
