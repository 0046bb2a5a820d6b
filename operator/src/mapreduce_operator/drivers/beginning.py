"""Starts the nursery of a run on this machine, and says what processes of a run take over.

Importing takes a worker or gateway a quarter of a second; a copy of a process that has done so begins at
once. The command starts the nursery before it imports what it needs itself, so that both go on at the
same time: this module imports nothing that takes time. The nursery serves this run and ends with it.
Neighbours: `mapreduce_cli.run` (begins it), `nursery.py` (asks it), `mapreduce_worker.nursery` (the
process; known by its name only).
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

MODULE: Final = "mapreduce_worker.nursery"


class Begun(NamedTuple):
    """A nursery that was started, and imports."""

    process: subprocess.Popen[bytes]
    channel: socket.socket

    def end(self) -> None:
        """End it, if it lives."""
        with contextlib.suppress(OSError):
            self.channel.close()
        self.process.kill()
        self.process.wait()


def begin() -> Begun | None:
    """Start the nursery of this run; None where there cannot be one: workers are started one by one then."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        return None
    with theirs:
        try:
            process = subprocess.Popen(
                # -P: a file of the user's folder must not shadow a module.
                [sys.executable, "-P", "-m", MODULE, str(theirs.fileno())],
                env=inherited(os.environ) | {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError:
            ours.close()
            return None
    return Begun(process, ours)


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what processes of a run take over of the environment: all but settings of ours."""
    return {name: value for name, value in environment.items() if not name.startswith("MAPREDUCE_")}
