"""The other end of a copy as a process of this machine: its root is a folder instead of a claim."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any

from mapreduce_cli.cluster.helper_pod import interpreter_words, program


class LocalPipe:
    """What `Session` is for a Pod. `spoil` changes what comes from the other end."""

    def __init__(self, root: pathlib.Path, **task: Any) -> None:
        words = interpreter_words({"root": str(root)} | task)
        # -I: the Pod's interpreter has nothing of ours either.
        self.process = subprocess.Popen([sys.executable, "-I", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.spoil: Any = lambda data: data
        self.write(program())

    def write(self, data: bytes) -> None:
        """Send bytes."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read(self) -> bytes:
        """Return what has come."""
        assert self.process.stdout is not None
        piece: bytes = self.process.stdout.read1(1 << 16)  # type: ignore[attr-defined]  # a buffered reader has it
        return bytes(self.spoil(piece))

    def close(self) -> None:
        """Hang up, and wait for its end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.stdin.close()
        self.process.wait(10)
