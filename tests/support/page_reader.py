"""What a page knows after some updates: it puts them together as the page in a browser does.

Neighbours: `mapreduce_page.model` (what an update says), the tests of the fold and of who serves it.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import msgspec

from mapreduce_page import model

Row = dict[str, int]


class Reader:
    """One page that polls."""

    def __init__(self) -> None:
        self.rev: int | None = None
        self.boot = ""
        self.reads = 0
        self.full_reads = 0
        self.rows: dict[int, Row] = {}
        self.workers: dict[int, model.Worker] = {}
        self.head = model.Head()
        self.whole: dict[str, Any] = {}
        """Rate, groups and partitions, as they were told last."""

    def read(self, update: model.Update) -> bool:
        """Take an update in as it comes over the wire; tell whether there is more to be read."""
        update = msgspec.json.decode(msgspec.json.encode(update), type=model.Update)
        self.reads += 1
        if update.full:
            self.full_reads += 1
            self.rows, self.workers, self.whole = {}, {}, {}
        self.rev, self.boot, self.head = update.rev, update.boot, update.head
        self.rows |= {row.pop("row"): row for row in rows(update.attempts)}
        self.workers |= {worker.row: worker for worker in update.workers}
        told = {name: getattr(update, name) for name in ("rate", "groups", "partitions")}
        self.whole |= {name: value for name, value in told.items() if value is not None}
        return update.more

    def known(self) -> dict[str, Any]:
        """Return all that the page knows, but for where it is."""
        return {"rows": self.rows, "workers": self.workers, "head": self.head} | self.whole


def rows(attempts: model.Attempts) -> list[Row]:
    """Return attempts one by one, without differences."""
    columns = msgspec.structs.asdict(attempts)
    for name in ("row", "began"):
        columns[name] = list(accumulate(columns[name]))
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
