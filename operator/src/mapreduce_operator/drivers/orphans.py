"""Processes whose parent died: adopted, so that none outlives the command that caused it.

When a worker process is killed, its slots lose their parent. They end by themselves, but this
process makes sure: as a "child subreaper" (prctl(2)) it becomes their parent, can wait for them,
and can kill whatever is left at the end. Only for a process that starts nothing else than
workers: the command line. Linux; elsewhere nothing is adopted. Neighbour: `local.py`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection

_PR_SET_CHILD_SUBREAPER = 36
_PAUSE = 0.02
_STAT_BYTES = 4096
"""More than the line in /proc has: some fifty numbers and a name of 64 bytes."""


class Orphans:
    """The children of this process that it did not start itself."""

    def __init__(self) -> None:
        self._adopting = sys.platform == "linux" and (
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        )

    def reap(self, own: Collection[int]) -> list[int]:
        """Wait for those that ended, never for a pid of `own`; return those that live."""
        if not self._adopting:
            return []
        return [pid for pid in _children() if pid not in own and not _ended(pid)]

    def kill(self, own: Collection[int], patience: float = 5.0) -> None:
        """Kill and wait for every one, and for those that this makes orphans in their turn."""
        deadline = time.monotonic() + patience
        while (living := self.reap(own)) and time.monotonic() < deadline:
            for pid in living:
                _kill(pid)
            time.sleep(_PAUSE)


def _children() -> list[int]:
    """Return the pids of this process's children, those that ended and were not waited for included."""
    mine = str(os.getpid()).encode()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _parent(name) == mine]


def _parent(name: str) -> bytes:
    """Return the parent of the process; nothing for one that is gone."""
    # All processes of the machine are asked, so this is plain system calls: a third of what Path takes.
    try:
        status = os.open(f"/proc/{name}/stat", os.O_RDONLY)
    except OSError:
        return b""
    try:
        # pid (name) state ppid …: the name may hold blanks and parentheses.
        fields = os.read(status, _STAT_BYTES).rpartition(b")")[2].split(maxsplit=2)
    except OSError:
        return b""
    finally:
        os.close(status)
    return fields[1] if len(fields) > 1 else b""


def _ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
