"""What a forked process does first, to be as one that was started: it keeps nothing of its parent's.

Its session, descriptors, streams, variables and name are its own; what its parent has imported is all
that it takes over. Linux only. Neighbours: `nursery.py` (workers and gateways), `slots/warm.py` (slots).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import io
import os
import socket
import sys
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, TextIO

_PR_SET_NAME: Final = 15
NAMES: Final = {"worker": "mr-worker", "gateway": "mr-gateway", "slot": "mr-slot"}
"""How the processes are called where the system lists them, by role; at most 15 bytes are kept."""


def possible() -> bool:
    """Tell whether a copy of this process is as good as a new one, and can be watched.

    User code needs the fixed hash seed, and the path of modules without the working directory. A thread, which the
    interpreter's own site may have begun, may hold a lock that no copy would ever release.
    """
    if not hasattr(os, "pidfd_open") or sys.flags.hash_randomization or not sys.flags.safe_path:
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def begin(role: str, environment: Mapping[str, str], printed: int, keep: Collection[int]) -> None:
    """Make this process, which was just forked, one of its own.

    printed: the descriptor of what takes all that it prints. keep: descriptors above the standard
    ones that stay open; objects of the parent's that hold others must never be closed here.
    """
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in keep:
            with contextlib.suppress(OSError):
                os.close(int(name))
    sys.stdout = _stream(1, sys.__stdout__)
    sys.stderr = _stream(2, sys.__stderr__)
    # What `leftovers.py` puts back after each task.
    vars(sys).update(__stdout__=sys.stdout, __stderr__=sys.stderr)
    os.environ.clear()
    os.environ.update(environment)
    ctypes.CDLL(None).prctl(_PR_SET_NAME, NAMES[role].encode(), 0, 0, 0)


def _stream(fd: int, like: TextIO | None) -> TextIO:
    """Return an unbuffered stream, as the interpreter makes it for a process with PYTHONUNBUFFERED."""
    encoding = like.encoding if like is not None else "utf-8"
    errors = "backslashreplace" if fd == 2 else (like.errors if like is not None else None)
    return io.TextIOWrapper(io.FileIO(fd, "w", closefd=False), encoding, errors, write_through=True)


class Child:
    """A forked process as its parent sees it: what `asyncio.subprocess.Process` is for one that was started."""

    def __init__(self, pid: int) -> None:
        """`pid`: a child that nobody has waited for yet."""
        self.pid = pid
        self.returncode: int | None = None
        self._fd = os.pidfd_open(pid)
        self._ended: asyncio.Future[int] | None = None

    async def wait(self) -> int:
        """Wait for its end; return its exit code, negative: the signal."""
        if self._ended is None:
            loop = asyncio.get_running_loop()
            self._ended = loop.create_future()
            loop.add_reader(self._fd, self._collect, loop, self._ended)
        # Who waits may be cancelled; the process ends once.
        return await asyncio.shield(self._ended)

    def _collect(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[int]) -> None:
        loop.remove_reader(self._fd)
        os.close(self._fd)
        try:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:
            # Somebody else has asked how it ended.
            self.returncode = 255
        ended.set_result(self.returncode)


class Linked(NamedTuple):
    """A forked process, and our end of the socket to it."""

    process: Child
    channel: socket.socket
