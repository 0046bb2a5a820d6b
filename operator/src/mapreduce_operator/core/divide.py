"""Where keys have a total order: which ranges of them the reduces read.

When all maps have ended, the ranges are chosen by what the maps have told of their keys (`mapreduce.boundaries`), and
journalled. Until that is written no reduce is assigned, so that no part is ever made by other ranges than those that
the journal tells: a later master, and a map that runs again, change nothing about them.
Neighbours: `maps.py` (outputs come), `phases.py` (the maps have ended), `scheduling.py` (reduces wait), `frames.py`.
"""

from __future__ import annotations

from mapreduce import boundaries
from mapreduce.boundaries import ALL, KeyRange
from mapreduce.protocol import MapOutput
from mapreduce_operator.core.book import Book


def samples(book: Book, index: int) -> int:
    """Return how many keys a map is to tell."""
    if book.spec.order != "total" or book.map_only:
        return 0
    return boundaries.samples(book.outputs.count, book.spec.reducers, index)


def note(book: Book, output: MapOutput) -> None:
    """Keep what the output that counts of a map tells of its keys, until the ranges are chosen."""
    if book.spec.order == "total" and book.boundaries is None:
        index = output.attempt.task.index
        book.samples[index] = output.rows, output.sample[: samples(book, index)]


def choose(book: Book) -> None:
    """Choose the ranges now that all maps have ended, unless that was done before."""
    if book.spec.order != "total" or book.boundaries is not None:
        return
    told = (book.samples[index] for index in sorted(book.samples))
    book.boundaries = boundaries.choose(told, book.spec.reducers)
    book.samples.clear()
    book.divided_sequence = book.record("Divided", boundaries=book.boundaries, awaited=True)


def is_known(book: Book) -> bool:
    """Tell whether reduces may be assigned: nobody divides keys by ranges, or the journal tells which."""
    if book.spec.order != "total":
        return True
    return book.boundaries is not None and book.journal.is_written(book.divided_sequence)


def range_of(book: Book, partition: int) -> KeyRange:
    """Return the keys that a reduce reads."""
    return ALL if book.boundaries is None else boundaries.range_of(book.boundaries, partition)
