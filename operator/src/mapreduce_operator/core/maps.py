"""Map outputs: taken as the one that counts, lost, made again.

Neighbours: `outputs.py` (the columns), `reports.py` and `adoption.py` (outputs come),
`fleet.py` and `failures.py` (outputs go).
"""

from __future__ import annotations

from mapreduce import keys
from mapreduce.bad_records import BadRecord
from mapreduce.counters import CounterError
from mapreduce.keys import KeyType
from mapreduce.protocol import MapOutput
from mapreduce_operator.core import attempts, divide, left_records
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.states import TaskState
from mapreduce_operator.core.workers import Worker


def accepts(book: Book, output: MapOutput) -> bool:
    """Check a map output against the others; returns False where the job fails because of it."""
    index = output.attempt.task.index
    if not _same_key_type(book, output.key_type, output.key_at):
        return False
    known = book.outputs.checksum[index]
    if known and known != output.checksum and book.consumed:
        book.fail(
            "NonDeterministicMap",
            f"map-{index} ran again and gave another output, after a reduce had read the first one: "
            f"a mapper must give the same pairs for the same records",
        )
        return False
    return True


def _same_key_type(book: Book, key_type: KeyType, key_at: str) -> bool:
    if not key_type or key_type == book.key_type:
        return True
    if not book.key_type:
        book.key_type, book.key_at = key_type, key_at
        return True
    book.fail("MixedKeys", keys.mixture(book.key_type, book.key_at, key_type, key_at))
    return False


def keep(book: Book, output: MapOutput, worker: Worker) -> None:
    """Take a finished map output as the one that counts; its map has succeeded."""
    index = output.attempt.task.index
    table = book.tasks["map"]
    book.outputs.put(output, worker.number)
    divide.note(book, output)
    if not table.is_in(index, TaskState.SUCCEEDED):
        table.move(index, "succeeded")
        count(book, index, 1)
        book.finished += 1
    attempts.cancel_all(book, "map", index, "Cancelled")
    wake_reducers(book)


def note(book: Book, index: int, records: int, counters: dict[str, int], bad: tuple[BadRecord, ...] = ()) -> None:
    """Note what the attempt that counts of a map has read, counted and left out."""
    counts = book.tasks["map"].is_in(index, TaskState.SUCCEEDED)
    if counts:
        count(book, index, -1)
    book.records[index] = records
    book.counted.put(index, counters)
    left_records.note(book, index, bad)
    if counts:
        count(book, index, 1)


def lose(book: Book, indices: list[int], worker: Worker, reason: str) -> None:
    """Note that a worker no longer holds the outputs of these maps; run again what is needed."""
    for index in indices:
        attempt_id = book.outputs.attempt(index)
        book.record("Lost", attempt=attempt_id, worker=worker, reason=reason, message="its finished output is gone")
        book.outputs.lose(index)
        book.outputs.orphans.add(index)
        book.complaints.pop(attempt_id, None)
    if indices:
        run_orphans_again(book)
        wake_reducers(book)


def run_orphans_again(book: Book) -> None:
    """Let the maps whose output is gone wait again, if some reduce still has to read it."""
    if not book.outputs.orphans or not book.grace_over or not outputs_needed(book):
        return
    for index in sorted(book.outputs.orphans):
        run_again(book, index)


def run_again(book: Book, index: int) -> None:
    """Let a map whose output is gone wait again."""
    book.outputs.orphans.discard(index)
    book.tasks["map"].move(index, "output_lost")
    count(book, index, -1)


def conclude(book: Book) -> None:
    """Every part is staged: maps that were to run again need not, and what they counted before counts."""
    table = book.tasks["map"]
    for index in range(table.count):
        if table.is_in(index, TaskState.WAITING) or table.is_in(index, TaskState.RUNNING):
            attempts.cancel_all(book, "map", index, "Cancelled")
            table.move(index, "succeeded")
            count(book, index, 1)
            book.outputs.orphans.add(index)


def count(book: Book, index: int, sign: int) -> None:
    """Add a map's input to what is done, its counters to the sums and its bad records, or take them off."""
    book.done_records += sign * book.records[index]
    book.done_size += sign * book.split_sizes[index]
    add_counters(book, book.counted.get(index), f"map-{index}", sign)
    left_records.count(book, index, sign)


def add_counters(book: Book, counted: dict[str, int], task: str, sign: int = 1) -> None:
    """Add what a task has counted to the sums, or take it off; the job fails if they grow too many."""
    if not counted:
        return
    book.tally.add(counted, sign)
    if sign > 0:
        try:
            book.tally.check()
        except CounterError as error:
            book.fail("UserCodeFailed", f"{task}: {error}")


def outputs_needed(book: Book) -> bool:
    """Tell whether a reduce still has to read map outputs."""
    counts = book.tasks["reduce"].counts
    return counts[TaskState.WAITING] + counts[TaskState.RUNNING] > 0


def wake_reducers(book: Book) -> None:
    """Locations changed: every worker with a reduce attempt must know."""
    for live in book.tasks["reduce"].live.values():
        book.news.update(attempt.worker.number for attempt in live.values())
