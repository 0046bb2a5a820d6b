"""Rows to one row a key: accumulators of equal keys are merged by their reducer, in the order of their rows.

By Polars where it is exact (`native`), else one after the other; what comes out is the same. Callers: `sorter` where
spilled runs meet, `reduce_task` where runs are merged to fewer, `fold_reduce` where all rows of a partition meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NoReturn

from mapreduce import keys
from mapreduce.api import Job
from mapreduce.errors import UserError
from mapreduce.reducers import Reducer
from mapreduce_worker.engine import blocks, native
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.columns import Columns

ROW_MEMORY: Final = 400
"""About what a key and its accumulator of a few numbers take in Python's memory, in bytes, while they are folded."""
KEY_COPIES: Final = 6
"""How often the bytes of a key are there at once, while its rows are folded and sorted in Python."""
NATIVE_MEMORY: Final = 64
"""What a row takes besides its bytes while Polars folds it: a place in a hash table, and in what comes out."""

Blame = Callable[[bytes, BaseException], NoReturn]
"""Raises what a reducer has raised at an encoded key."""


def in_map(job: Job) -> Reducer | None:
    """Return what folds the values of each key in a map attempt, if anything does."""
    if job.sort_values:
        return None
    if job.combine is None:
        return job.reduce if isinstance(job.reduce, Reducer) and job.reduce.folds else None
    return job.combine.combiner() if isinstance(job.combine, Reducer) else None


def told(key: Any, error: BaseException) -> BaseException:
    """Return what a reducer has raised at a key as its user reads it, wherever the values met.

    A `TypeError` is about values that the reducer does not take: the user's code has yielded them.
    """
    if not isinstance(error, TypeError):
        return error
    fault = UserError(f"key {keys.short(key)}: {error}")
    fault.__cause__ = error
    return fault


def fold(rows: Rows, reducer: Reducer, blame: Blame) -> Rows:
    """Return one row a key, in key order."""
    found = _natively(rows, reducer)
    return _by_python(rows, reducer, blame) if found is None else found


def _natively(rows: Rows, reducer: Reducer) -> Rows | None:
    frame = native.folded(rows.frame, reducer) if isinstance(rows, Columns) else None
    return None if frame is None else Columns(frame)


def _by_python(rows: Rows, reducer: Reducer, blame: Blame) -> Rows:
    accs: dict[bytes, Any] = {}
    numbers = rows.values if type(reducer) in native.SUMS and not rows.packed else []
    if numbers and type(numbers[0]) is int:
        get = accs.get
        for key, number in zip(rows.keys, numbers, strict=True):
            accs[key] = get(key, 0) + number
    else:
        _merge(rows, reducer, accs, blame)
    encoded = sorted(accs)
    return blocks.of_objects(encoded, [_canonical(reducer, key, accs[key], blame) for key in encoded])


def _merge(rows: Rows, reducer: Reducer, accs: dict[bytes, Any], blame: Blame) -> None:
    merge = reducer.merge
    for key, acc in zip(rows.keys, rows.unpacked(), strict=True):
        if key not in accs:
            accs[key] = acc
            continue
        try:
            accs[key] = merge(accs[key], acc)
        except BaseException as error:  # noqa: BLE001 - a reducer may be the user's own
            blame(key, error)


def _canonical(reducer: Reducer, key: bytes, acc: Any, blame: Blame) -> Any:
    if type(acc) is int:
        return acc
    try:
        return reducer.canonical(acc)
    except BaseException as error:  # noqa: BLE001 - a reducer may be the user's own
        blame(key, error)


def folded(rows: Iterable[Rows], reducer: Reducer, blame: Blame) -> Iterator[Rows]:
    """Merge the accumulators of rows with equal keys; `rows` are in key order."""
    rest: list[Rows] = []
    for piece in rows:
        if not piece.count:
            continue
        found = fold(blocks.joined([*rest, piece]), reducer, blame)
        # Not kept while somebody else works.
        del piece
        last = found.count - 1
        if last:
            yield found.cut(0, last)
        # The next piece may begin with the same key.
        rest = [found.cut(last, last + 1)]
    yield from rest


class Folding:
    """Rows in any order, folded whenever they take much memory."""

    def __init__(self, reducer: Reducer, limit: int, blame: Blame) -> None:
        """Hold rows that take up to `limit` bytes."""
        self._reducer = reducer
        self._limit = limit
        self._blame = blame
        self._held: list[Rows] = []
        self._size = 0

    def add(self, rows: Rows) -> bool:
        """Take rows; tell whether more may come. If not, what is held must be merged: folding it gains too little."""
        self._held.append(rows)
        self._size += self._weigh(rows)
        if self._size <= self._limit:
            return True
        found = self._folded()
        if found is None:
            return False
        self._held, self._size = [found], self._weigh(found)
        return self._size <= self._limit // 2

    def _folded(self) -> Rows | None:
        """Return all that is held, folded; None if it is too much for Python, and not for Polars."""
        rows = blocks.joined(self._held)
        found = _natively(rows, self._reducer)
        if found is None and (self._reducer.few_numbers or rows.count < blocks.NATIVE_ROWS):
            return _by_python(rows, self._reducer, self._blame)
        return found

    def take(self) -> Rows:
        """Return what is held, in key order, but not folded; hold nothing any more."""
        held, self._held, self._size = self._held, [], 0
        return blocks.sorted_rows(blocks.joined(held))

    def finish(self) -> Iterator[Rows]:
        """Yield what is held, folded and in key order."""
        if not self._held:
            return
        found = self._folded()
        if found is None:
            yield from folded(blocks.cut([self.take()]), self._reducer, self._blame)
        else:
            yield found

    def _weigh(self, rows: Rows) -> int:
        """Return about how many bytes rows take while they are folded."""
        if isinstance(rows, Columns) and (not rows.packed or native.has_few_lists(rows, self._reducer)):
            return rows.size() + NATIVE_MEMORY * rows.count
        return KEY_COPIES * rows.size() + ROW_MEMORY * rows.count
