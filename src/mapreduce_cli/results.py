"""How `mapreduce run` tells its result: as text for people, or as one JSON document for programs.

Every method that tells of an end without output returns the exit status. Neighbours: `run.py`
(calls it), `failures.py` (reasons, hints, statuses).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from mapreduce import paths
from mapreduce.errors import UsageError
from mapreduce.protocol import OutputSummary
from mapreduce_cli import failures, hints, sizes, terminal

INTERRUPTED: Final = "interrupted: every process was ended, and nothing was published"
NAMED: Final = 5
"""Tasks that were left out and are named."""


class Text:
    """Text: results on stdout, errors on stderr."""

    def __init__(self, output: str) -> None:
        self._output = output

    def refused(self, error: UsageError) -> int:
        """Tell that nothing was started."""
        terminal.note(f"mapreduce: refused: {error}")
        return failures.REFUSED

    def failed(self, failure: failures.JobFailed, typed: Mapping[str, str]) -> int:
        """Tell how the job failed; `typed`: for each path of the job, what the user typed for it."""
        failures.show(failure, typed)
        return failure.status

    def interrupted(self) -> int:
        """Tell that the user, or a signal, ended it."""
        terminal.note(f"mapreduce: {INTERRUPTED}")
        return failures.INTERRUPTED

    def succeeded(self, summary: OutputSummary, seconds: float) -> None:
        """Tell where the output is."""
        records, size = sizes.count(summary.records), sizes.render(summary.size)
        place = f"{self._output}, {summary.files} files"
        if summary.files == 1 and (names := data_files(self._output)):
            place = os.path.join(self._output, names[0])
        terminal.say(f"{place}: {records} records, {size}, in {seconds:.1f} s")
        if summary.left_out:
            count, tasks = len(summary.left_out), shortened(summary.left_out)
            terminal.note(
                f"mapreduce: not everything is in the output: {count} tasks failed and were left out ({tasks}); "
                "_history/events.ndjson has the reasons"
            )
        if summary.bad_records:
            place = os.path.join(self._output, paths.BAD_RECORDS)
            terminal.note(f"mapreduce: {bad_records(summary.bad_records)} left out of the output: see {place}")


class Json:
    """One JSON document on stdout: `output` with `seconds`, or `error`; the exit status tells which."""

    def __init__(self, output: str) -> None:
        self._output = output

    def refused(self, error: UsageError) -> int:
        """Tell that nothing was started."""
        return self._error(failures.REFUSED, failures.WRONG_USE, str(error))

    def failed(self, failure: failures.JobFailed, typed: Mapping[str, str]) -> int:
        """Tell how the job failed; paths are those of the job."""
        more = {
            "hint": hints.of_run(failure.reason),
            "where": failure.where,
            "traceback": failure.traceback,
            "notes": failure.notes,
        }
        return self._error(failure.status, failure.reason, failure.message, **more)

    def interrupted(self) -> int:
        """Tell that the user, or a signal, ended it."""
        return self._error(failures.INTERRUPTED, "Interrupted", INTERRUPTED)

    def succeeded(self, summary: OutputSummary, seconds: float) -> None:
        """Tell what was published, and where."""
        output = msgspec.to_builtins(summary) | {"path": self._output, "data": data_files(self._output)}
        terminal.document({"output": output, "seconds": round(seconds, 3)})

    def _error(self, status: int, reason: str, message: str, **more: Any) -> int:
        told = {"reason": reason, "message": message} | {name: value for name, value in more.items() if value}
        terminal.document({"error": told})
        return status


def bad_records(count: int) -> str:
    """Return how many bad records there are, in words that say that they are."""
    return "1 bad record is" if count == 1 else f"{count} bad records are"


def data_files(output: str) -> list[str]:
    """Return the names of the files that hold the records of a published output, in their order."""
    # From 100,000 parts on a number is longer.
    names = (name for name in os.listdir(output) if not name.startswith("_"))
    return sorted(names, key=lambda name: (len(name), name))


def shortened(tasks: Sequence[str]) -> str:
    """Return the names of tasks that were left out, the first of them if they are many."""
    return ", ".join(tasks[:NAMED]) + ("…" if len(tasks) > NAMED else "")
