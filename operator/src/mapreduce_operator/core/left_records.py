"""Bad records: what maps left out, counted over exactly the maps that count, and held against the job's limit.

A lost output takes its records back until its map has run again, so that none counts twice. Neighbours:
`maps.py` (whose outputs come and go), `phases.py` (lets them be judged), `answers.py` (hands them to the
gateway that publishes), `mapreduce.bad_records`.
"""

from __future__ import annotations

from collections.abc import Iterable

from mapreduce.bad_records import BadRecord
from mapreduce_operator.core import policies
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.states import TaskState


def note(book: Book, index: int, found: tuple[BadRecord, ...]) -> None:
    """Note what the attempt that counts of a map has left out, instead of what was noted before."""
    book.bad.pop(index, None)
    if found:
        book.bad[index] = found


def count(book: Book, index: int, sign: int) -> None:
    """Add the records that a map left out, or take them off; `judge` holds them against the limit."""
    found = book.bad.get(index)
    if not found:
        return
    book.bad_count += sign * len(found)
    if sign > 0:
        book.first_bad = book.first_bad or found[0]
        book.newest_bad = found[-1]


def judge(book: Book) -> None:
    """Let the job fail if its bad records are too many, and tell of the first."""
    first, newest = book.first_bad, book.newest_bad
    if first is None or newest is None:
        return
    book.newest_bad = None
    verdict = policies.bad_records(book.bad_count, book.spec.skip_bad_records, newest)
    if verdict is not None:
        book.fail(verdict.reason, verdict.message)
    else:
        told = f"bad records are left out; the first that was noticed is at {first.where}: {first.message}"
        book.announce_first("Warning", "BadRecordsSkipped", told)


def in_order(book: Book) -> tuple[BadRecord, ...]:
    """Return those of the maps that have succeeded, in the order of the input."""
    table = book.tasks["map"]
    succeeded: Iterable[int] = (index for index in sorted(book.bad) if table.is_in(index, TaskState.SUCCEEDED))
    return tuple(record for index in succeeded for record in book.bad[index])
