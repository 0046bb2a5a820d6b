"""Whether the job has a reduce, and the tables that follow from it.

A job without one makes its parts in its maps: a map's part is staged under the map's index, and
there are no reduces. The shape is known when a slot has loaded the program, or, after a restart,
by what was done with it. Neighbours: `book.py` (`producers`), `rebuild.py`, `reports.py`.
"""

from __future__ import annotations

from typing import Final

from mapreduce_operator.core.book import Book
from mapreduce_operator.core.tasks import TaskTable

MAP_ONLY: Final = "the program has no reduce"
"""The message of the events that `load` and each map finished, of a job without reduce."""


def learn(book: Book, *, has_reduce: bool) -> None:
    """Note whether the job has a reduce, if nobody knew."""
    if book.has_reduce is None:
        book.has_reduce = has_reduce
        if book.header is not None:
            lay_tables(book)


def lay_tables(book: Book) -> None:
    """Make the tables of what comes after the maps, for a plan that is known."""
    partitions = book.header.partitions if book.header is not None else 0
    parts = len(book.splits) if book.map_only else partitions
    book.tasks["reduce"] = TaskTable("reduce", 0 if book.map_only else partitions)
    book.tasks["stage"] = TaskTable("stage", parts)
