"""The command line on a terminal of its own, which people see and type into. Neighbour: `local_runs` (without one)."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from tests.support.local_runs import PATIENCE


class Terminal:
    """`mapreduce ARGUMENTS` with a terminal of its own, of 100 columns."""

    def __init__(self, folder: Path, *arguments: object, **environment: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mapreduce_cli", *(str(argument) for argument in arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "TMPDIR": str(folder)} | environment,
            start_new_session=True,
        )
        os.close(slave)
        self._seen = b""

    def until(self, text: str) -> str:
        """Read until the text was shown; return everything that was."""
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in self._seen:
            assert time.monotonic() < deadline, f"{text!r} was not shown:\n{self._seen.decode(errors='replace')}"
            assert self._read(), f"it ended without {text!r}:\n{self._seen.decode(errors='replace')}"
        return self._seen.decode(errors="replace")

    def rest(self) -> str:
        """Read to the end; return everything that was shown."""
        while self._read():
            pass
        return self._seen.decode(errors="replace")

    def press(self, keys: bytes) -> None:
        """Type something."""
        os.write(self._master, keys)

    def _read(self) -> bool:
        """Read what there is; tell whether more may come."""
        if not select.select([self._master], [], [], 0.1)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self._seen += data
        return bool(data)
