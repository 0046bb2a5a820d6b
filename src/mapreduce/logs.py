"""What our processes write down about themselves: lines of text on a laptop, a JSON object a line in a cluster.

Each record may say whose it is: job, namespace, task, attempt, epoch, worker. What holds for a whole process is told
once (`always`), what holds for one line of work at its beginning (`within`), an attempt with the record (`about`).
Neighbours: `__main__` of operator and worker, `mapreduce_cli.cluster.log_lines` (reads these lines).
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final

from mapreduce.ids import AttemptId

FIELDS: Final = ("job", "namespace", "task", "attempt", "epoch", "worker")
"""What a record may say beside its time, level, logger and message."""
FORMATS: Final = ("text", "json")
TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_always: dict[str, str | int] = {}
_within: ContextVar[Mapping[str, str | int]] = ContextVar("within", default=MappingProxyType({}))


def begin(log_format: str, level: int | str = logging.INFO) -> None:
    """Write every record from now on to the standard error, in one of `FORMATS`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(log_format))
    logging.basicConfig(level=level, handlers=[handler])


def formatter(log_format: str) -> logging.Formatter:
    """Return what makes a line of a record."""
    return _Json() if log_format == "json" else logging.Formatter(TEXT)


def always(**fields: str | int) -> None:
    """Every record of this process says so from now on; what is empty is not said."""
    _always.update({name: value for name, value in fields.items() if value != ""})


@contextlib.contextmanager
def within(**fields: str | int) -> Iterator[None]:
    """Records say so while the block runs, also those of tasks that it starts."""
    token = _within.set({**_within.get(), **fields})
    try:
        yield
    finally:
        _within.reset(token)


def about(attempt: AttemptId) -> dict[str, Any]:
    """Return the `extra` of a record that tells of an attempt."""
    return {"attempt": str(attempt), "task": str(attempt.task), "epoch": attempt.epoch}


class _Json(logging.Formatter):
    """One object a line, in ASCII: nothing in it can be taken for another line, or move a cursor."""

    def __init__(self) -> None:
        super().__init__()
        # Only a cluster needs it, and each start of a process pays for what it imports.
        import json  # noqa: PLC0415 - see above

        self._dumps = json.dumps

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        known = {**_always, **_within.get(), **record.__dict__}
        told: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: known[name] for name in FIELDS if name in known}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return self._dumps(told)
