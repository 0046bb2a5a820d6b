"""Events of a history for the fold, one a call, a second apart: `Story().assigned("map-3")`.

Neighbour: `mapreduce_page.fold`, which reads them.
"""

from __future__ import annotations

import re
from typing import Any, Self

import msgspec

from mapreduce.history import Entry, HistoryEvent, PlanMade, PlanPage
from mapreduce.ids import AttemptId, TaskId
from mapreduce.plan import FileRange, ListedFile, PlanHeader, Split
from mapreduce.program import Program
from mapreduce.spec import JobSpec
from mapreduce_page import model
from mapreduce_page.fold import Fold
from tests.support.page_reader import Reader

_NAME = re.compile(r"(\w+)-(\d+)(?:\.e(\d+)\.(\d+))?")
T0 = 1_700_000_000.0


def spec(**fields: Any) -> JobSpec:
    """Return a job."""
    plain: dict[str, Any] = {
        "uid": "u1",
        "name": "words",
        "program": Program(module="m", source=b"", file="job.py"),
        "inputs": ("in",),
        "output": "out",
        "reducers": 2,
    }
    return JobSpec(**(plain | fields))


def attempt(name: str) -> AttemptId:
    """Return the attempt of `map-3.e1.0`; `map-3` is its first."""
    match = _NAME.fullmatch(name)
    assert match is not None, name
    kind, index, epoch, number = match.groups()
    return msgspec.convert(((0, kind, int(index)), int(epoch or 1), int(number or 0)), AttemptId)


def split(index: int, size: int = 100) -> Split:
    """Return a split of one small file."""
    return Split(index, (FileRange(ListedFile(f"f{index}", f"f{index}", size, "mtime:1"), 0, size),))


class Story:
    """A history that is told event by event, and folded meanwhile."""

    def __init__(self, fold: Fold | None = None, *, maps: int = 0) -> None:
        self.fold = fold or Fold(spec())
        self.entries: list[tuple[int, int, Entry]] = []
        self.wall = T0
        self.epoch = 1
        if maps:
            self.event("EpochOpened").plan(maps)

    def add(self, entry: Entry) -> Self:
        """Tell an entry."""
        told = (self.epoch, len(self.entries) + 1, entry)
        self.entries.append(told)
        self.fold.add(*told)
        return self

    def event(self, word: Any, of: str = "", *, after: float = 1.0, **fields: Any) -> Self:
        """Tell that something happened, a second after what was told before."""
        self.wall += after
        given = attempt(of) if of else None
        named = {"worker": "w-0", "worker_uid": "p-0"} if of else {}
        entry = HistoryEvent(
            event=word, wall=self.wall, task=given.task if given else None, attempt=given, **(named | fields)
        )
        return self.add(entry)

    def plan(self, maps: int) -> Self:
        """Tell a plan of so many splits, of 100 bytes each."""
        self.add(PlanPage(0, tuple(split(index) for index in range(maps))))
        header = PlanHeader(
            files=maps,
            size=100 * maps,
            splits=maps,
            partitions=2,
            split_size=100,
            flush_bytes=1,
            program_digest="d",
            engine_version="0",
        )
        return self.add(PlanMade(header, 1)).event("Planned", after=0.0)

    def left_out(self, kind: Any, index: int) -> Self:
        """Tell that the job goes on without a task."""
        self.wall += 1
        return self.add(HistoryEvent(event="LeftOut", wall=self.wall, task=TaskId(0, kind, index)))

    def ran(self, of: str, **fields: Any) -> Self:
        """Tell of an attempt from its beginning to its end: given, after a second begun, after one more finished."""
        self.event("Assigned", of, after=0.0).event("Started", of)
        return self.event("Finished", of, **fields)

    def page(self) -> Reader:
        """Return what somebody sees who looks now for the first time."""
        reader = Reader()
        while reader.read(self.fold.update(reader.rev, now=self.wall)):
            pass
        return reader

    def row(self, of: str) -> dict[str, int]:
        """Return the newest row of a task or attempt."""
        name = attempt(of)
        found = [
            row
            for row in self.page().rows.values()
            if (row["kind"], row["index"]) == (model.KINDS.index(name.task.kind), name.task.index)
            and ("." not in of or (row["epoch"], row["number"]) == (name.epoch, name.number))
        ]
        return found[-1]
