"""How the command line ends when it does not end well: exit status and what people read.

Every message says what is wrong, where, and what to do. Neighbours: `run.py` catches and prints,
`local.py` and `sequential.py` raise; `hints.py` says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mapreduce.errors import MapReduceError
from mapreduce_cli import hints, sizes, terminal

FAILED: Final = 1
REFUSED: Final = 2
INTERRUPTED: Final = 130

WRONG_USE: Final = "Refused"
"""The reason, with `--json`, of what ends before there is a job to fail."""

REFUSED_REASONS: Final = frozenset(
    {
        "InvalidSpec",
        "ProgramInvalid",
        "ProgramNotFound",
        "InputNotFound",
        "OutputExists",
        "OutputReserved",
        "PlanTooLarge",
    }
)
"""Reasons of failed jobs that were refused before any record was read: exit status 2."""


class JobFailed(MapReduceError):
    """The job ended without output.

    reason: a word of `mapreduce.words`. where: file and offset, or key and partition. traceback:
    of the user's code, or empty. notes: further lines, such as where the history is.
    """

    def __init__(
        self, reason: str, message: str, *, where: str = "", traceback: str = "", notes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.where = where
        self.traceback = traceback
        self.notes = notes

    @property
    def status(self) -> int:
        """The exit status of the command."""
        return REFUSED if self.reason in REFUSED_REASONS else FAILED


_LAST_LINES: Final = 5
_OF_PROCESSES: Final = frozenset({"SlotDamaged", "SlotExited", "SlotKilled", "SlotOverMemory", "NoProgress"})
"""Reasons that end a process, whose memory may tell why."""


def last_words(failure: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what else is known of a failed attempt of `lastFailures`: its memory, its last lines."""
    rows = [row for row in str(failure.get("output") or "").split("\n") if row.strip()]
    printed = tuple(f"printed: {terminal.safe(row)}" for row in rows[-_LAST_LINES:])
    peak = failure.get("peakMemory") if failure.get("reason") in _OF_PROCESSES else 0
    return (f"memory: {sizes.render(int(peak))} at most", *printed) if peak else printed


def show(failure: JobFailed, typed: Mapping[str, str] | None = None, *, resource: bool = False) -> None:
    """Print a failed job to stderr, with what to do about it.

    `typed`: for each path of the job, what the user typed for it. `resource`: it ran on a cluster.
    """
    verb = "refused" if failure.status == REFUSED else "the job failed"
    message = failure.message
    for path, text in (typed or {}).items():
        message = message.replace(repr(path), repr(text))
    terminal.note(f"mapreduce: {verb}: {failure.reason}: {message}")
    if failure.where and failure.where not in failure.message:
        terminal.note(f"  at {failure.where}")
    if failure.traceback and failure.traceback not in failure.message:
        for row in failure.traceback.rstrip().split("\n"):
            terminal.note(f"  {row}")
    hint = hints.of_resource(failure.reason) if resource else hints.of_run(failure.reason)
    if hint:
        terminal.note(f"  hint: {hint}")
    for note in failure.notes:
        terminal.note(f"  {note}")
