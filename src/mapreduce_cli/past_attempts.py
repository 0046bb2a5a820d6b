"""What a job's history tells of its attempts: how each ended, with its traceback and what it printed.

A history may come from a claim, so that nothing in it is believed: lines are bounded and checked, texts are only shown.
Neighbours: `cluster/past_logs.py` (finds the history), `cluster/logs.py`, `mapreduce.failure_texts` (what is kept).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from mapreduce import history, paths
from mapreduce.errors import CorruptionError, InputError
from mapreduce_cli import terminal

LONGEST_LINE: Final = history.MAX_FRAME
FAILED: Final = "Failed"
_ENDS: Final = {FAILED: "failed", "Finished": "finished", "Lost": "was lost", "Cancelled": "was cancelled"}
"""Events that end an attempt, in words."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How one attempt ended, in the words of the history; `attempt` is empty where only its task is known."""

    event: str = ""
    task: str = ""
    attempt: str = ""
    worker: str = ""
    reason: str = ""
    message: str = ""
    where: str = ""
    traceback: str = ""
    log: str = ""
    checksum: str = ""
    seconds: float = 0.0
    same_as: int = 0


def of_folder(text: str) -> Path:
    """Return the history of the last run whose output is this folder; raises `InputError` if there is none.

    That of a run that failed is in a hidden folder beside the output, which the next run removes.
    """
    folder = Path(os.path.abspath(text))
    hidden = [Path(entry.path) for entry in _beside(folder) if entry.name.startswith(f".{folder.name}.")]
    found = [place / paths.EVENTS for place in (folder, *hidden)]
    there = [path for path in found if path.is_file()]
    if there:
        return max(there, key=lambda path: path.stat().st_mtime_ns)
    if any((place / paths.JOURNAL).is_file() for place in hidden):
        raise InputError(f"the run to {text} goes on, or was killed: its history is written when it ends")
    raise InputError(f"{text} has no history of a job, and there is none of a run that failed beside it")


def _beside(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder.parent) as entries:
            return list(entries)
    except OSError:
        return []


def endings(file: BinaryIO, about: str = "") -> list[Ending]:
    """Return how attempts ended, in their order: those of a task, or one attempt; the failed ones where it is empty.

    Raises `CorruptionError`.
    """
    found: list[Ending] = []
    token = f'"{about}' if about else f'"{FAILED}"'
    for _, row in _rows(file):
        if token.encode() not in row:
            continue
        ending = _read(row)
        wanted = about in (ending.task, ending.attempt) if about else ending.event == FAILED
        if wanted and ending.event in _ENDS:
            found.append(ending)
    return _with_tracebacks(file, found)


def _with_tracebacks(file: BinaryIO, found: list[Ending]) -> list[Ending]:
    """Give those their traceback that share one with an event before."""
    wanted = {ending.same_as for ending in found if ending.same_as}
    if not wanted:
        return found
    file.seek(0)
    texts = {number: _read(row).traceback for number, row in _rows(file) if number in wanted}
    return [
        msgspec.structs.replace(ending, traceback=texts.get(ending.same_as, "")) if ending.same_as else ending
        for ending in found
    ]


def _rows(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while row := file.readline(LONGEST_LINE):
        number += 1
        if not row.endswith(b"\n"):
            raise CorruptionError(f"line {number} of the history has no end")
        yield number, row


def _read(row: bytes) -> Ending:
    (fields,) = history.parse(row)
    try:
        return msgspec.convert(fields, Ending)
    except msgspec.ValidationError as error:
        raise CorruptionError(f"an event of the history is of another version: {error}") from error


def tell(ending: Ending) -> Iterator[str]:
    """Yield the lines that people read of it; what others wrote is indented, so that it cannot pass for ours."""
    worker = f" on {ending.worker}" if ending.worker else ""
    took = f" after {terminal.duration(ending.seconds)}" if ending.seconds else ""
    why = ": ".join(part for part in (ending.reason, ending.message) if part)
    name = ending.attempt or ending.task
    yield terminal.one_line(f"{name} {_ENDS.get(ending.event, 'ended')}{worker}{took}" + (f": {why}" if why else ""))
    if ending.where and ending.where not in ending.message:
        yield f"  at {terminal.one_line(ending.where)}"
    yield from _indented(ending.traceback, 2)
    if ending.log:
        yield "  printed:"
        yield from _indented(ending.log, 4)


def _indented(text: str, columns: int) -> Iterator[str]:
    for row in text.rstrip().split("\n") if text else ():
        yield " " * columns + terminal.safe(row)
