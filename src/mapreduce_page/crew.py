"""The workers and gateways of one job, one row each, and what they use.

Neighbours: `fold.py` (events), `columns.py` (whose revisions say what is new).
"""

from __future__ import annotations

from typing import Final

from mapreduce.history import HistoryEvent
from mapreduce_page import bounds, model
from mapreduce_page.columns import NOBODY, Changes

MOST: Final = 20_000
"""Processes that have a row; what the others did is nobody's."""


class Crew:
    """Who worked for the job."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._rows: dict[tuple[str, str], int] = {}
        self._workers: list[model.Worker] = []
        self._changed: list[int] = []
        """The revision at which each changed last."""

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
            self._changed[row] = self._changes.note()

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
