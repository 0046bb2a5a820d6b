"""A copy of a slot that user code made with `os.fork`: it may run user code, and nothing of ours.

A copy has the engine's open files, whose positions it shares with the slot, its control pipe and
its unfinished work. It must not read input away from the slot, write into its files, or finish the
attempt a second time: so its copies of our descriptors lead nowhere, and it ends where user
code returns to us. Programs that are started (`subprocess`) inherit none of this.
Neighbours: `process.py`, which calls `guard` once.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Final

from mapreduce_worker.engine import failure

STATUS: Final = 1
"""The exit status of a copy that returned to us."""
_TOLD: Final = b"mapreduce: a process that the program made with os.fork returned from its code, and was ended\n"


def guard(pipe: int, scratch: Path) -> None:
    """From now on take `pipe` and the open files below `scratch`, but the log, out of the hands of every copy."""
    os.register_at_fork(after_in_child=lambda: _in_copy(pipe, f"{scratch}{os.sep}"))


def _in_copy(pipe: int, scratch: str) -> None:
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        channel = os.readlink(f"/proc/self/fd/{pipe}")
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                at = os.readlink(f"/proc/self/fd/{name}")
                # The pipe's reader has a descriptor of its own, though no copy has that thread.
                if at == channel or (at.startswith(scratch) and not at.endswith(".log")):
                    os.dup2(nowhere, int(name), inheritable=False)
        os.close(nowhere)
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if failure.is_ours(frame.f_code.co_filename) and frame.f_code.co_filename != __file__:
            frame.f_trace = _returned
        frame = frame.f_back
    sys.settrace(_called)


def _called(frame: FrameType, event: str, argument: Any) -> None:
    """Code is called: if by us, the copy has returned from the user's."""
    caller = frame.f_back
    if caller is not None and caller.f_trace is _returned:
        _end()


def _returned(frame: FrameType, event: str, argument: Any) -> None:
    """A frame of ours goes on."""
    _end()


def _end() -> None:
    with contextlib.suppress(OSError):
        os.write(2, _TOLD)
    os._exit(STATUS)
