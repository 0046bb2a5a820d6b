"""Failures by their cause: the same reason, the same type of exception, the same line of the program.

Every text that comes from a worker is cut anew. Neighbour: `fold.py`, which hands failures in.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from mapreduce import words
from mapreduce.history import HistoryEvent
from mapreduce_page import bounds, model

MOST: Final = 200
"""Groups; what is of none of them counts in the last."""
TASKS: Final = 20
SAMPLES: Final = 3
_REMEMBERED: Final = 10_000
"""Tracebacks of which it is remembered where they point, as later events may only name them."""
_OTHERS: Final = "others"

_FRAME: Final = re.compile(
    r'^ {1,8}File "(?P<file>[^"\n]*)", line (?P<line>\d{1,9}),? in (?P<name>[^\n]*)', re.MULTILINE
)
_NOT_INDENTED: Final = re.compile(r"\n(\S[^\n]*)")
_LIBRARY: Final = re.compile(r"[/\\](site-packages|dist-packages|python3\.\d+)[/\\]|^<")
_PLACE: Final = 200


class Told(NamedTuple):
    """An attempt that failed or was lost: in words, where it ran, and when that was."""

    attempt: str
    task: str
    worker: str
    at: int


def place(traceback: str) -> str:
    """Return the type of the exception and the line of the program that a traceback ends in; empty if it tells none."""
    first = _FRAME.search(traceback)
    if first is None:
        return ""
    # What is not indented ends the frames: behind it is what the exception says, which anybody may have written.
    last = _NOT_INDENTED.search(traceback, first.end())
    frames = list(_FRAME.finditer(traceback, first.start(), last.start() + 1 if last else len(traceback)))
    innermost_first = words.INNERMOST_FIRST in traceback[: first.start()]
    inward = frames[::-1] if innermost_first else frames
    frame = _of_the_program(inward)
    where = f"{frame['file']}:{frame['line']} in {frame['name']}"
    kind = "" if innermost_first or last is None else last[1].split(":")[0].strip()[: bounds.WORD]
    return bounds.start(f"{kind} at {where}" if kind else where, _PLACE)


def _of_the_program(inward: list[re.Match[str]]) -> re.Match[str]:
    """Return the innermost frame of the program's files, which are named without a folder; else of what is no
    library; else of all."""
    own = [frame for frame in inward if "/" not in frame["file"] and not _LIBRARY.search(frame["file"])]
    others = [frame for frame in inward if not _LIBRARY.search(frame["file"])]
    return (own or others or inward)[-1]


class Groups:
    """The failures of one job."""

    def __init__(self) -> None:
        self._groups: list[model.Group] = []
        self._texts: list[list[model.Text]] = []
        self._ids: dict[tuple[str, str], int] = {}
        self._places: dict[tuple[int, int], str] = {}

    def add(self, epoch: int, sequence: int, event: HistoryEvent, told: Told) -> int:
        """Count a failure; return the number of its group."""
        found = self._place(epoch, sequence, event)
        group = self._group(bounds.start(event.reason, bounds.WORD), found)
        if group.count == 0:
            group.first = told.at
            group.message = bounds.start(event.message, bounds.MESSAGE)
        group.count += 1
        group.last = max(group.last, told.at)
        if len(group.tasks) < TASKS and told.task not in group.tasks:
            group.tasks.append(told.task)
        if len(group.samples) < SAMPLES and self._is_new(group, event):
            group.samples.append(model.Sample(attempt=told.attempt, worker=told.worker, at=told.at))
            known = self._texts[group.id]
            same = known[0].traceback if event.same_as and known else ""
            known.append(_text(event, told, same))
        return group.id

    def told(self) -> list[model.Group]:
        """Return the groups, in the order of their first failures."""
        return list(self._groups)

    def texts(self, number: int) -> list[model.Text]:
        """Return the texts of a group's samples; raises `IndexError` if there is no such group."""
        if number < 0:
            raise IndexError(number)
        return self._texts[number]

    def _is_new(self, group: model.Group, event: HistoryEvent) -> bool:
        """Tell whether a sample would show more than those before it: what refers to a traceback that was told does
        not, unless it printed something of its own."""
        return not event.same_as or not group.samples or bool(event.log)

    def _place(self, epoch: int, sequence: int, event: HistoryEvent) -> str:
        if event.same_as:
            return self._places.get((epoch, event.same_as), "")
        found = place(event.traceback[-bounds.TRACEBACK :]) if event.traceback else ""
        if found and len(self._places) < _REMEMBERED:
            self._places[epoch, sequence] = found
        return found

    def _group(self, reason: str, found: str) -> model.Group:
        number = self._ids.get((reason, found))
        if number is None and len(self._groups) >= MOST - 1:
            reason, found = _OTHERS, ""
            number = self._ids.get((reason, found))
        if number is None:
            number = self._ids[reason, found] = len(self._groups)
            self._groups.append(model.Group(id=number, reason=reason, place=found))
            self._texts.append([])
        return self._groups[number]


def _text(event: HistoryEvent, told: Told, same: str) -> model.Text:
    return model.Text(
        attempt=told.attempt,
        where=bounds.start(event.where, bounds.WHERE),
        message=bounds.start(event.message, bounds.MESSAGE),
        traceback=bounds.end(event.traceback or same, bounds.TRACEBACK),
        log=bounds.end(event.log, bounds.LOG),
        peak=max(0, event.peak_memory) >> 10,
    )
