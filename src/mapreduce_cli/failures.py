"""How the command line ends when it does not end well: exit status and what people read.

Every message says what is wrong, where, and what to do. Neighbours: `run.py` catches and prints,
`local.py` and `sequential.py` raise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mapreduce.errors import MapReduceError
from mapreduce_cli import terminal

FAILED: Final = 1
REFUSED: Final = 2
INTERRUPTED: Final = 130

REFUSALS: Final = frozenset(
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

HINTS: Final[dict[str, str]] = {
    "InputNotFound": "check the spelling; quote wildcards that the shell should not expand",
    "InputUnreadable": "check the permissions of the file",
    "InputDamaged": "gzip -t or zstd -t tells whether the file is whole; make or copy it anew",
    "InputChanged": "run again when nothing writes to the input",
    "OutputExists": "choose another --output, or remove that one",
    "OutputReserved": "wait for the other run, or choose another --output",
    "PlanTooLarge": "choose a larger --split-size",
    "RecordUndecodable": "--encoding-errors replace reads it with the bad bytes replaced",
    "RecordMalformed": "mend or remove that line; --format text gives lines as they are",
    "RecordTooLong": "a larger --max-record allows it, if it fits into the memory of a slot",
    "UnsupportedKey": "let map yield str, bytes, bool, int, float or tuples of these as keys",
    "MixedKeys": "let map yield keys of one type, for example str(key)",
    "SlotOverMemory": "let map or reduce keep less in memory, or use fewer --workers or --slots",
    "NonDeterministicMap": "let map yield the same pairs whenever it sees the same records",
}
"""What to do about a reason, where that can be said in general."""


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
        return REFUSED if self.reason in REFUSALS else FAILED


def show(failure: JobFailed, typed: Mapping[str, str] | None = None) -> None:
    """Print a failed job to stderr; `typed`: for each path of the job, what the user typed for it."""
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
    hint = HINTS.get(failure.reason)
    if hint:
        terminal.note(f"  hint: {hint}")
    for note in failure.notes:
        terminal.note(f"  {note}")
