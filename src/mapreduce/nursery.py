"""What is said to the nursery of a run on this machine: a process that has imported what workers need, and forks them.

Its channel is a socket that keeps messages apart:

    to it    the variables of the new process, "NAME=value" with a zero byte between, and three
             descriptors: where it prints, its token, the end of its parent
    from it  `Told`: that a process was born, or could not be; later, how it ended

Neighbours: `mapreduce_worker.nursery` (the process), `mapreduce_operator.drivers.beginning` (starts it),
`mapreduce_operator.drivers.nursery` (asks it).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

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


def request(variables: Mapping[str, str]) -> bytes:
    """Return the message that asks for a process."""
    return "\0".join(f"{name}={value}" for name, value in variables.items()).encode(errors="surrogateescape")


def variables(message: bytes) -> dict[str, str]:
    """Return the variables of a message that asks for a process."""
    rows = message.decode(errors="surrogateescape").split("\0")
    return dict(row.split("=", 1) for row in rows)
