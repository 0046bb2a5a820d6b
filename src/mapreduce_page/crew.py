"""The workers and gateways of one job, one row each, and what they use.

Neighbours: `fold.py` (events), `columns.py` (whose revisions say what is new).
"""

from __future__ import annotations

from typing import Final

from mapreduce import usage_rows
from mapreduce.history import HistoryEvent
from mapreduce_page import bounds, model
from mapreduce_page.columns import NOBODY, Changes

MOST: Final = 20_000
"""Processes that have a row; what the others did is nobody's."""
MOST_POINTS: Final = 50_000
"""Of what workers used; when there are more, every second sample goes."""


class Crew:
    """Who worked for the job."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._rows: dict[tuple[str, str], int] = {}
        self._workers: list[model.Worker] = []
        self._changed: list[int] = []
        """The revision at which each changed last."""
        self._numbers: dict[int, int] = {}
        """The row of each by the number that the newest master gave it."""
        self._samples: list[tuple[int, int, list[tuple[int, int, int]]]] = []
        """Revision, time, and row, processor and memory of each worker."""
        self._points = 0

    def row(self, name: str, uid: str, at: int) -> int:
        """Return the row of who is named by an event; whoever is new has joined by then."""
        if not name:
            return NOBODY
        row = self._rows.get((name, uid))
        if row is None:
            row = self._join(name, uid, at)
        return row

    def ready(self, event: HistoryEvent, at: int) -> None:
        """Note that one has registered, at first or again."""
        row = self.row(event.worker, event.worker_uid, at)
        if row != NOBODY:
            worker = self._workers[row]
            worker.node = bounds.start(event.node, bounds.NAME)
            worker.slots = max(0, event.slots)
            self._numbers[event.number] = row
            self._changed[row] = self._changes.note()

    def begin_epoch(self) -> None:
        """A master has begun, which numbers workers anew."""
        self._numbers.clear()

    def used(self, event: HistoryEvent, at: int) -> None:
        """Note what those that are known have used since the sample before."""
        known = [(self._numbers.get(used.number), used) for used in usage_rows.unpack(event.usage)]
        rows = [(row, used.cpu, used.memory) for row, used in known if row is not None]
        self._points += len(rows)
        self._samples.append((self._changes.note(), at, rows))
        if self._points > MOST_POINTS:
            del self._samples[1::2]
            self._points = sum(len(rows) for _, _, rows in self._samples)
            self._changes.forget()

    def usage(self, revision: int) -> model.Usage:
        """Return what was noted after a revision."""
        told = model.Usage(row=[], at=[], cpu=[], mem=[])
        for changed, at, rows in self._samples:
            if changed > revision:
                for row, cpu, memory in rows:
                    told.row.append(row)
                    told.at.append(at)
                    told.cpu.append(cpu)
                    told.mem.append(memory)
        return told

    def lost(self, event: HistoryEvent, at: int) -> None:
        """Note that one is gone."""
        row = self.row(event.worker, event.worker_uid, at)
        if row != NOBODY:
            self._workers[row].gone = at
            self._workers[row].reason = bounds.start(event.reason, bounds.WORD)
            self._changed[row] = self._changes.note()

    def since(self, revision: int) -> list[model.Worker]:
        """Return those that changed after a revision."""
        return [worker for worker, changed in zip(self._workers, self._changed, strict=True) if changed > revision]

    def _join(self, name: str, uid: str, at: int) -> int:
        if len(self._workers) >= MOST:
            return NOBODY
        row = self._rows[name, uid] = len(self._workers)
        shown = bounds.start(name, bounds.NAME)
        self._workers.append(model.Worker(row=row, name=shown, uid=bounds.start(uid, bounds.NAME), joined=at))
        self._changed.append(self._changes.note())
        return row
