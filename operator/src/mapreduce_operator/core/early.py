"""Reduces that begin before the last map has ended: in slots that would idle they fetch what is there, and wait.

They never keep anything from running. A map that waits for a slot takes that of a reduce which waits (`scheduling.py`);
so does a backup of a slow map, and while one waits for its slot no reduce begins. What a reduce loses by that, or with
its worker, is what it had fetched; no budget pays for it. Once every map has succeeded they are reduces like any other,
and their time counts from then. Where keys have a total order nobody knows what to gather before that.
Neighbours: `speculation.py` (asks for room), `attempts.py` (`put_off`), `failures.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mapreduce_operator.core import divide, maps, scheduling, skew
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.states import JobState, TaskState
from mapreduce_operator.core.tasks import Attempt

MOST: Final = 100
"""Reduces that gather at the same time while maps run: each has to be told where all outputs are."""


def advance(book: Book) -> None:
    """Give reduces to slots that would idle, while maps run and none waits."""
    if book.state is not JobState.MAPPING or book.map_only:
        return
    table = book.tasks["reduce"]
    for attempt in _gathering(book):
        if attempt.worker.surplus:
            # Else it would keep a worker that is too many.
            scheduling.preempt(book, attempt)
    room = MOST - len(table.live)
    if room <= 0 or not table.counts[TaskState.WAITING] or not _may_begin(book):
        return
    if not table.live:
        skew.prefer_the_largest(book)
    scheduling.give_out(book, "reduce", room)


def _may_begin(book: Book) -> bool:
    """Tell whether a reduce could gather something now, and nothing else could use its slot."""
    counts = book.tasks["map"].counts
    none_waits = not counts[TaskState.WAITING] and counts[TaskState.RUNNING] > 0
    known = bool(book.key_type) and divide.is_known(book)
    return none_waits and known and not book.backups_coming and book.failure is None and book.grace_over


def make_room(book: Book, slow: Iterable[Attempt]) -> None:
    """Preempt a reduce elsewhere for each slow map that has found no slot for a backup, if one is there to preempt."""
    book.backups_coming = 0
    if book.state is not JobState.MAPPING:
        return
    freed = [
        worker
        for worker in book.registry.alive("worker")
        if worker.takes_work
        for attempt in worker.attempts.values()
        if attempt.cancel
    ]
    for attempt in slow:
        worker = next((worker for worker in freed if worker is not attempt.worker), None)
        if worker is None:
            victims = (one for one in scheduling.waiting_reduces(book) if one.worker is not attempt.worker)
            # Who began last has fetched the least.
            victim = max(victims, key=lambda one: (one.began, one.id), default=None)
            if victim is None:
                continue
            scheduling.preempt(book, victim)
        else:
            freed.remove(worker)
        book.backups_coming += 1


def conclude(book: Book) -> None:
    """Every map has succeeded: from now on nobody gathers early."""
    for attempt in _gathering(book):
        attempt.early = False
        attempt.began = attempt.moved_at = book.now
    book.tasks["reduce"].paused.clear()
    book.backups_coming = 0
    maps.wake_reducers(book)


def _gathering(book: Book) -> list[Attempt]:
    """Return the reduce attempts that were given out while maps ran."""
    return [attempt for live in book.tasks["reduce"].live.values() for attempt in live.values() if attempt.early]
