"""The nursery of a run on this machine: a process that has imported what workers need, and forks them.

Importing takes a worker or gateway a quarter of a second; a copy of a process that has done so begins at
once. The command starts the nursery before it imports what it needs itself, so that both go on at the
same time. It serves this run and ends with it. What is said over its channel (a socket that keeps
messages apart):

    to it    the variables of the new process, "NAME=value" with a zero byte between, and three
             descriptors: where it prints, its token, the end of its parent
    from it  `Told`: that a process was born, or could not be; later, how it ended

Neighbours: `mapreduce_worker.nursery` (the process), `mapreduce_operator.drivers.nursery` (asks it),
`mapreduce_cli.run` (begins it).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

MODULE: Final = "mapreduce_worker.nursery"
DESCRIPTORS: Final = 3
MAX_REQUEST: Final = 64 << 10
"""Bytes of the variables of one process: paths and numbers of ours, nothing of the user's."""
BORN: Final = 1
UNBORN: Final = 2
ENDED: Final = 3
_TOLD: Final = struct.Struct("!Bii")
TOLD_BYTES: Final = _TOLD.size


class Told(NamedTuple):
    """What the nursery says: `BORN` with the pid; `UNBORN` with the errno; `ENDED` with pid and exit code.

    number: the errno, or the exit code (negative: the signal).
    """

    kind: int
    pid: int
    number: int

    def pack(self) -> bytes:
        """Return it as a message."""
        return _TOLD.pack(*self)

    @classmethod
    def unpack(cls, message: bytes) -> Self:
        """Return what a message says."""
        return cls(*_TOLD.unpack(message))


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


def request(variables: Mapping[str, str]) -> bytes:
    """Return the message that asks for a process."""
    return "\0".join(f"{name}={value}" for name, value in variables.items()).encode(errors="surrogateescape")


def variables(message: bytes) -> dict[str, str]:
    """Return the variables of a message that asks for a process."""
    rows = message.decode(errors="surrogateescape").split("\0")
    return dict(row.split("=", 1) for row in rows)
