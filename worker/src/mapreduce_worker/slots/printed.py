"""What a slot's process prints: a file that is kept short; its end is for the worker's log and a failure's report.

Neighbours: `slot.py`, which owns one for each slot.
"""

from __future__ import annotations

import logging
import os
import textwrap
from pathlib import Path
from typing import IO, Final

from mapreduce import logs
from mapreduce.ids import AttemptId

TAIL: Final = 4096
"""Bytes of what a task printed that go into the worker's log, and into a failure's report."""
MAX_LOG: Final = 4 << 20
_log: Final = logging.getLogger(__name__)


class Printed:
    """The log of one slot and its successors."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = 0
        self._cut = b""

    def open(self) -> IO[bytes]:
        """Open it for a new process, which writes at its end."""
        log = self._path.open("ab")
        self._start = log.tell()
        return log

    def begin(self) -> None:
        """A task begins: what was printed before is not its."""
        self._start = self._size()
        self._cut = b""

    def tail(self) -> str:
        """Return the end of what was printed since the task began, in whole lines if there are any."""
        text = self._cut + self._read()
        if len(text) > TAIL:
            text = text[-TAIL:]
            text = text[text.find(b"\n", 0, -1) + 1 :]
        return text.decode(errors="replace")

    def relay(self, attempt: AttemptId) -> str:
        """Write to the worker's own log what was printed since the task began: that is where people look; return it."""
        told = self.tail()
        text = told.rstrip()
        if text:
            _log.info("%s printed:\n%s", attempt, textwrap.indent(text, "  "), extra=logs.about(attempt))
        return told

    def cut(self) -> None:
        """Empty a log that has grown large, keeping its end: user code may print without bound."""
        if self._size() > MAX_LOG:
            self._cut = self._read()
            os.truncate(self._path, 0)
            self._start = 0

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(self._start, end - TAIL - 1))
                return log.read(TAIL + 1)
        except OSError:
            return b""

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            # User code may have removed it: it runs with our rights.
            return 0
