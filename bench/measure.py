"""One run of a command: wall time, processor time and memory of all its processes.

What a process used is told to whoever waits for it, so this process adopts those whose parent died ("child subreaper",
prctl(2)) and waits for them too. Nothing samples, so that measuring takes nothing from what is measured. Linux.
"""

from __future__ import annotations

import ctypes
import os
import resource
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE = 10.0
_PAUSE = 0.01
_LOG_TAIL = 3000


class Measured(NamedTuple):
    """What a command took. wall, cpu: seconds, cpu being user and system time of all its processes.

    peak: bytes that its largest process had in memory; that of this process in the least, as Linux counts.
    """

    wall: float
    cpu: float
    peak: int


class CommandFailed(Exception):
    """A command that was to be measured did not do its work; the text has the end of what it printed."""


def run_command(command: Sequence[str], log: Path, *, env: Mapping[str, str]) -> Measured:
    """Run the command to its end, what it prints to `log`; raises `CommandFailed`.

    This process must have no other children meanwhile.
    """
    _adopt_orphans()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    began = time.perf_counter()
    try:
        pid = os.posix_spawnp(command[0], list(command), dict(env), file_actions=actions)
    except OSError as error:
        raise CommandFailed(f"{command[0]} does not start: {error}") from error
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    everyone = [used, *_wait_for_orphans(command)]
    if status:
        told = log.read_bytes()[-_LOG_TAIL:].decode(errors="replace")
        raise CommandFailed(f"status {os.waitstatus_to_exitcode(status)} from {' '.join(command)}\n{told}")
    cpu = sum(one.ru_utime + one.ru_stime for one in everyone)
    return Measured(wall, cpu, max(one.ru_maxrss for one in everyone) * 1024)


@cache
def _adopt_orphans() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this process cannot adopt orphans")


def _wait_for_orphans(command: Sequence[str]) -> list[resource.struct_rusage]:
    """Return what the adopted used; raises `CommandFailed` for one that does not end."""
    found: list[resource.struct_rusage] = []
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            pid, _, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid:
            found.append(used)
        elif time.monotonic() > deadline:
            raise CommandFailed(f"{' '.join(command)} ended, but left processes behind")
        else:
            time.sleep(_PAUSE)
