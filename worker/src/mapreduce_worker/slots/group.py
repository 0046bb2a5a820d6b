"""The processes that user code leaves around a slot: found, and ended together with it.

A child that calls `setsid`, or whose parent ends, leaves the group and the line of its slot; the
kernel then gives it to the nearest process above that adopts orphans: the slot while it lives,
the agent after that. Reads /proc; where there is none, only the process group is known.
Neighbours: `slot.py` and `pool.py` (who end them), `process.py`, `memory.py`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_ROUNDS: Final = 50
"""How often a tree is looked at for processes that were forked meanwhile."""


def adopt_orphans() -> None:
    """Let the kernel give this process the children of its descendants that end."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid: int) -> list[int]:
    """Return the child processes, of whichever thread; those that ended and were not waited for too."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
    return found


def descendants(pid: int) -> list[int]:
    """Return every process below this one."""
    found: list[int] = []
    below = children(pid)
    while below:
        found += below
        below = [grandchild for child in below for grandchild in children(child)]
    return found


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or only waits for its parent to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in b"ZX"
    except OSError:
        return True


def end(pid: int) -> None:
    """Kill a process, all below it, and its process group.

    They are stopped before any is killed, so that none can fork on while the others end.
    """
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        found = {pid, *descendants(pid)} - stopped
        if not found:
            break
        for process in found:
            _send(process, signal.SIGSTOP)
        stopped |= found
    end_group(pid)
    for process in stopped:
        _send(process, signal.SIGKILL)


def end_group(leader: int) -> None:
    """Kill what is left of a process group, whose leader may have ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def end_strays(known: frozenset[int]) -> list[int]:
    """Kill and reap the children of this process that are not `known`: orphans that it adopted."""
    ended = []
    for pid in children(os.getpid()):
        if pid in known:
            continue
        end(pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        ended.append(pid)
    return ended


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
