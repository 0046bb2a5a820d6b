"""Where user code was, as Python's fault handler wrote it down when it hung or crashed.

The slot's process opens a file for it; the agent reads it after the process has ended, and shows the
part that is the user's. Neighbours: `process.py` (writes), `slot.py` (asks for it, and reads).
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import signal
from pathlib import Path
from typing import Final

from mapreduce import words
from mapreduce_worker.engine import failure

SIGNAL: Final[int] = getattr(signal, "SIGRTMAX", signal.SIGUSR2)
"""Asks a slot's process where it is. Nobody's default, and rarely anybody's choice."""
SECONDS: Final = 0.3
"""How long the answer may take, before the process is killed all the same."""
MAX_FILE: Final = 1 << 20
MAX_TEXT: Final = 4000
_FRAME: Final = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<name>.*)')
_KEPT: Final = 12
"""Frames of ours that are shown where none is the user's."""


def listen(path: Path) -> None:
    """Write where every thread is to `path`, on `SIGNAL` and when this process crashes."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    faulthandler.enable(fd)
    faulthandler.register(SIGNAL, fd, all_threads=True)


def forget(path: Path) -> None:
    """Empty the file: what is in it is of an earlier task."""
    with contextlib.suppress(OSError):
        os.truncate(path, 0)


def read(path: Path) -> str:
    """Return what the user should see of it; empty if nothing was written."""
    try:
        with path.open("rb") as file:
            return shown(file.read(MAX_FILE).decode(errors="replace"))
    except OSError:
        # User code may have removed it: it runs with our rights.
        return ""


def shown(dump: str) -> str:
    """Return the threads of a dump that run user code, without the frames below it."""
    threads, engine = [], []
    for block in dump.split("\n\n"):
        heading, *rows = block.split("\n")
        if not heading.endswith(words.INNERMOST_FIRST):
            continue
        frames = [match for row in rows if (match := _FRAME.fullmatch(row))]
        users = _users(frames)
        title = f"Where it was {words.INNERMOST_FIRST}" if heading.startswith("Current") else heading
        if users:
            threads.append("\n".join([title, *map(_row, users)]))
        elif any(match["name"] == "main" for match in frames):
            engine.append("\n".join([title, *map(_row, frames[:_KEPT])]))
    return "\n".join(threads or engine)[:MAX_TEXT]


def _users(frames: list[re.Match[str]]) -> list[re.Match[str]]:
    """Return the frames from the innermost to the outermost one of the user's."""
    outermost = len(frames)
    while outermost and _is_below(frames[outermost - 1]["file"]):
        outermost -= 1
    return frames[:outermost]


def _is_below(file: str) -> bool:
    """Tell whether code of this file calls the user's, or has nothing to do with it."""
    return failure.is_ours(file) or file.startswith("<frozen ") or Path(file).name == "threading.py"


def _row(match: re.Match[str]) -> str:
    return f'  File "{failure.shown_path(match["file"])}", line {match["line"]} in {match["name"]}'
