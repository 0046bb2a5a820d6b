"""How much of a failure's texts a job's history keeps: one rule for a master and for a job in one process.

Neighbours: `history.py` (the fields of an event), `protocol/reports.py` (`ErrorInfo`, what a worker says).
"""

from __future__ import annotations

import hashlib
from typing import Final, TypedDict

from mapreduce.history import HistoryEvent
from mapreduce.protocol import ErrorInfo

WHERE_BYTES: Final = 2000
TRACEBACK_BYTES: Final = 8 << 10
LOG_BYTES: Final = 4 << 10
JOB_BYTES: Final = 64 << 20
"""Texts of one job; beyond, there are no tracebacks that were not told before, and little of what was printed."""
LATE_LOG_BYTES: Final = 1 << 10
LEFT_OUT: Final = f"left out: the failures of this job have told more than {JOB_BYTES >> 20} MiB already"
"""Stands in place of a traceback that is not kept."""
_REMEMBERED: Final = 10_000
"""Different tracebacks that are told but once."""


PRINTED_BYTES: Final = 16 << 20
"""What attempts that succeeded have printed, of one job; beyond, it is not kept."""


class Told(TypedDict):
    """Fields of a `HistoryEvent` that tells of a failure."""

    where: str
    traceback: str
    log: str
    same_as: int


class FailureTexts:
    """The texts that one epoch's history has. `used`: bytes of those that are kept, `printed`: of what attempts that
    succeeded have printed, both with those of older epochs."""

    def __init__(self, used: int = 0, printed: int = 0) -> None:
        self.used = used
        self.printed = printed
        self._told: dict[bytes, int] = {}

    def keep(self, error: ErrorInfo, sequence: int) -> Told:
        """Return what the event with this sequence says of a failure; that counts as kept."""
        digest = hashlib.blake2b(error.traceback.encode(errors="backslashreplace"), digest_size=16).digest()
        same_as = self._told.get(digest, 0) if error.traceback else 0
        full = self.used >= JOB_BYTES
        traceback = "" if same_as else _end(error.traceback, TRACEBACK_BYTES)
        if traceback and full:
            traceback = LEFT_OUT
        elif traceback and len(self._told) < _REMEMBERED:
            self._told[digest] = sequence
        told = Told(
            where=_end(error.where, WHERE_BYTES),
            traceback=traceback,
            log=_end(error.log_tail, LATE_LOG_BYTES if full else LOG_BYTES),
            same_as=same_as,
        )
        self.used += _size(told["where"], told["traceback"], told["log"])
        return told

    def keep_printed(self, text: str) -> str:
        """Return what the event of a success says of what its attempt has printed; that counts as kept."""
        kept = _end(text, LATE_LOG_BYTES) if self.printed < PRINTED_BYTES else ""
        self.printed += _size(kept)
        return kept


def size(event: HistoryEvent) -> int:
    """Return the bytes of texts that an event keeps."""
    return _size(event.where, event.traceback, event.log)


def _size(*texts: str) -> int:
    return sum(len(text.encode()) for text in texts)


def _end(text: str, most: int) -> str:
    """Return the end of a text, so many bytes at most: what went wrong stands there."""
    return text.encode(errors="backslashreplace")[-most:].decode(errors="ignore")
