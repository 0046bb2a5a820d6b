"""How much the maps have for each partition: summed, told to people once all is known; the largest are reduced first.

Each map counts once, by the first attempt of it that succeeded: one that runs again has the same rows. An output that
is announced again after a restart tells its heavy keys, and no sizes; then the maps that do tell stand for the others
too, until the journal has the sums of all. Neighbours: `partition_sums.py` (the sums), `reports.py` and `adoption.py`
(outputs come), `phases.py` (every map has succeeded), `frames.py` and `rebuild.py` (what the journal tells),
`tasks.py` (the order).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

from mapreduce import partition_sizes
from mapreduce.partition_sizes import HeavyKey
from mapreduce.protocol import MapOutput
from mapreduce_operator.core import policies
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.events import SkewStatus
from mapreduce_operator.core.states import TaskState

HEAVY_TOLD: Final = 5
"""Heavy keys that people are told of; the schema of the resource takes no more."""


def note(book: Book, output: MapOutput) -> None:
    """Add what a map that succeeded has for each partition, if it is the first time that it tells."""
    sums, index = book.sizes, output.attempt.task.index
    if sums.told is None and len(output.sizes) == 2 * book.tasks["reduce"].count > 0 and not sums.has(index):
        sums.add(index, partition_sizes.unpack(output.sizes), _keys(book, output))


def note_keys(book: Book, output: MapOutput) -> None:
    """Add the heavy keys of a map output that is announced again, if it is the first time that the map names them."""
    sums = book.sizes
    if sums.told is None:
        sums.name(output.attempt.task.index, _keys(book, output))


def _keys(book: Book, output: MapOutput) -> list[HeavyKey]:
    return [key for key in output.heavy if key.partition < book.tasks["reduce"].count]


def prefer_the_largest(book: Book) -> None:
    """Let the reduces of the largest partitions run first."""
    of = book.sizes.of
    if of:
        book.tasks["reduce"].prefer(sorted(range(len(of)), key=lambda partition: -of[partition]))


def conclude(book: Book) -> None:
    """Every map has succeeded: journal and tell how large the partitions are, and begin with the largest."""
    sums = book.sizes
    if sums.told is None and sums.maps:
        estimated = sums.estimated(book.tasks["map"].counts[TaskState.SUCCEEDED])
        sums.told = told = _told(estimated, sums.heavy())
        heavy = [(key.key, key.size) for key in told.heavy]
        verdict = policies.skew(told.largest, told.median, heavy)
        packed = partition_sizes.pack(estimated)
        book.record("Sizes", size=sum(estimated), message=verdict.message, sizes=packed, heavy=told.heavy)
        if verdict.action == "warn":
            book.announce_first("Warning", verdict.reason, verdict.message)
    prefer_the_largest(book)


def restore(book: Book, packed: bytes, heavy: tuple[HeavyKey, ...]) -> None:
    """Take what an older master had journalled."""
    sizes = partition_sizes.unpack(packed)
    if sizes and len(sizes) == book.tasks["reduce"].count:
        book.sizes.of = array("Q", sizes)
        book.sizes.told = _told(sizes, heavy)


def _told(sizes: Iterable[int], heavy: Iterable[HeavyKey]) -> SkewStatus:
    ordered = sorted(sizes)
    median = ordered[(len(ordered) - 1) // 2]
    matter = [key for key in heavy if policies.is_heavy(key.size, median)]
    return SkewStatus(largest=ordered[-1], median=median, heavy=tuple(matter[:HEAVY_TOLD]))
