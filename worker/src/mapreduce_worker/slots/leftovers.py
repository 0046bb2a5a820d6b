"""What a task changed in its slot's process: put back where that is possible, told where it is not.

User code runs in this process, one task after another. Whatever would reach into the next
task (threads, child processes, signal handlers, timers) makes the process worn, and the agent
replaces it. Neighbours: `process.py`, which looks before and after each task.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import threading
from typing import Final

from mapreduce.errors import SlotDamagedError
from mapreduce_worker.slots import group

_NAMES: Final = ("standard input", "standard output", "standard error")
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class Surroundings:
    """The process as it is when no task runs."""

    def __init__(self) -> None:
        self._folder = os.getcwd()
        self._mask = os.umask(0o077)
        os.umask(self._mask)
        self._threads = frozenset(threading.enumerate())
        self._children = frozenset(group.children(os.getpid()))
        self._handlers = _handlers()
        self._standard = [_identity(fd) for fd in range(len(_NAMES))]

    def check(self) -> None:
        """Raise `SlotDamagedError` if a standard descriptor is not what it was.

        A file that the engine opens takes the lowest free number: what is printed would go into it.
        """
        for fd, name in enumerate(_NAMES):
            found = _identity(fd)
            if found == self._standard[fd] or (found is not None and stat.S_ISCHR(found[2])):
                continue
            did = "closed" if found is None else "replaced"
            raise SlotDamagedError(f"the program {did} descriptor {fd}, the {name} of its process")

    def restore(self) -> tuple[str, ...]:
        """Put back what can be put back; return what is left over, for people to read."""
        left = []
        os.umask(self._mask)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        try:
            os.chdir(self._folder)
        except OSError as error:
            left.append(f"its folder is gone: {error}")
        left += [f"thread {thread.name}" for thread in threading.enumerate() if thread not in self._threads]
        own = set(group.children(os.getpid())) - self._children
        left += [f"process {child}" for child in sorted(own) if not group.has_ended(child)]
        if _handlers() != self._handlers:
            left.append("signal handlers")
        if any(signal.getitimer(timer)[0] for timer in _TIMERS):
            left.append("a timer")
        if any(_identity(fd) != known for fd, known in enumerate(self._standard)):
            left.append("standard descriptors")
        return tuple(left)


def _identity(fd: int) -> tuple[int, int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mode


def _handlers() -> dict[int, object]:
    found: dict[int, object] = {}
    for number in signal.valid_signals():
        with contextlib.suppress(ValueError, OSError):
            found[number] = signal.getsignal(number)
    return found
