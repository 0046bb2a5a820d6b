"""The attempts of one job in columns, and what changed of them since when.

An attempt takes 44 bytes, and its task 4 more, so that a view of 200,000 tasks fits into 10 MB. A change has a number,
the revision; the newest changes are remembered by row, so that a reader who knows a revision gets what came after it.
Neighbour: `fold.py`, which writes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain, islice, pairwise
from typing import Final

from mapreduce_page import model

REMEMBERED: Final = 1 << 16
"""Changes after which a reader can be told what is new; one that knows less reads all."""
NOBODY: Final = (1 << 16) - 1
"""The worker's row where nobody is named, and the largest number that a column of two bytes holds."""
MOST_TASKS: Final = 250_000
"""Of one kind; `JobSpec.limits` allows fewer."""
_LARGEST: Final = (1 << 32) - 1
_LONGEST: Final = (1 << 31) - 1
_NO_ROW: Final = _LARGEST
_ROW_BITS: Final = 20
"""Of a cursor: see `Changes.cursor`."""


class Columns:
    """Attempts, one a row; numbers that do not fit are cut to the largest that does."""

    def __init__(self) -> None:
        self.kind = array("B")
        self.index = array("I")
        self.epoch = array("H")
        self.number = array("H")
        self.worker = array("H")
        self.slot = array("b")
        self.given = array("I")
        self.began = array("I")
        self.took = array("i")
        self.outcome = array("B")
        self.flags = array("B")
        self.records = array("I")
        self.size = array("f")
        self.cpu = array("I")
        self.peak = array("I")
        self.group = array("h")

    def __len__(self) -> int:
        return len(self.kind)

    def all(self) -> Iterable[array[int] | array[float]]:
        """Return every column."""
        return vars(self).values()

    @property
    def bytes_per_row(self) -> int:
        """What an attempt takes."""
        return sum(column.itemsize for column in self.all())

    def append(self, kind: int, index: int, epoch: int, number: int, at: int) -> int:
        """Add an attempt that is given at `at`; return its row."""
        self.kind.append(kind)
        self.index.append(index)
        self.epoch.append(min(epoch, NOBODY))
        self.number.append(min(number, NOBODY))
        self.worker.append(NOBODY)
        self.slot.append(model.UNKNOWN_SLOT)
        self.given.append(at)
        self.began.append(at)
        self.took.append(model.NEVER)
        self.outcome.append(model.RUNS)
        self.flags.append(0)
        self.records.append(0)
        self.size.append(0.0)
        self.cpu.append(0)
        self.peak.append(0)
        self.group.append(model.NEVER)
        return len(self.kind) - 1

    def end(self, row: int, outcome: int, at: int) -> None:
        """Note how and when an attempt ended."""
        self.outcome[row] = outcome
        self.took[row] = min(max(0, at - self.began[row]), _LONGEST)

    def made(self, row: int, records: int, size: int) -> None:
        """Note what an attempt has read or made."""
        self.records[row] = whole(records)
        self.size[row] = float(size)

    def cost(self, row: int, cpu: float, peak: int) -> None:
        """Note seconds of a processor and bytes of memory."""
        self.cpu[row] = whole(cpu * 1000)
        self.peak[row] = whole(peak >> 10)

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all other rows; those that stay move to the front, in this order."""
        for name, column in vars(self).items():
            setattr(self, name, array(column.typecode, [column[row] for row in rows]))

    def told(self, rows: Sequence[int]) -> model.Attempts:
        """Return some rows, in growing order, as a reader gets them."""
        worker = [self.worker[row] for row in rows]
        return model.Attempts(
            row=_differences(rows),
            kind=[self.kind[row] for row in rows],
            index=[self.index[row] for row in rows],
            epoch=[self.epoch[row] for row in rows],
            number=[self.number[row] for row in rows],
            worker=[-1 if one == NOBODY else one for one in worker],
            slot=[self.slot[row] for row in rows],
            given=[self.given[row] for row in rows],
            began=_differences([self.began[row] for row in rows]),
            took=[self.took[row] for row in rows],
            outcome=[self.outcome[row] for row in rows],
            flags=[self.flags[row] for row in rows],
            records=[self.records[row] for row in rows],
            size=[int(self.size[row]) for row in rows],
            cpu=[self.cpu[row] for row in rows],
            peak=[self.peak[row] for row in rows],
            group=[self.group[row] for row in rows],
        )


def whole(number: float) -> int:
    """Return a number as a column of four bytes holds it."""
    return int(min(max(number, 0), _LARGEST))


def _differences(numbers: Sequence[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(chain((0,), numbers))]


class Changes:
    """Which rows changed, in the order in which they did; the number of changes is the revision."""

    def __init__(self) -> None:
        self._first = 0
        """The revision before the first change that is remembered."""
        self._rows = array("I")

    @property
    def revision(self) -> int:
        """How many changes there have been."""
        return self._first + len(self._rows)

    def note(self, row: int = _NO_ROW) -> int:
        """Note that a row changed, or something else; return the revision."""
        self._rows.append(row)
        if len(self._rows) >= 2 * REMEMBERED:
            self._first += REMEMBERED
            del self._rows[:REMEMBERED]
        return self.revision

    def forget(self) -> None:
        """Let every reader read all again."""
        self._first = self.revision + 1
        del self._rows[:]

    def since(self, revision: int, most: int) -> tuple[list[int], int] | None:
        """Return the rows that changed after a revision, in growing order, `most` at most, and the revision up to
        which they are told; None if that is not remembered."""
        if not self._first <= revision <= self.revision:
            return None
        rows: set[int] = set()
        at = revision
        for row in islice(self._rows, revision - self._first, None):
            if len(rows) >= most:
                break
            at += 1
            if row != _NO_ROW:
                rows.add(row)
        return sorted(rows), at


def cursor(revision: int, row: int = 0) -> int:
    """Return what a reader sends the next time: it has read what was so at a revision, of the rows those before
    `row`, or all if that is 0. A number that a page can hold exactly."""
    return revision << _ROW_BITS | row


def read_cursor(sent: int) -> tuple[int, int]:
    """Return the revision and the row of a cursor."""
    return sent >> _ROW_BITS, sent & (1 << _ROW_BITS) - 1


class Newest:
    """For each task the row that counts: of its newest attempt, or of the last that finished."""

    def __init__(self) -> None:
        self._rows = [array("I") for _ in model.KINDS]

    def get(self, kind: int, index: int) -> int | None:
        """Return the row; None if the task has none, or is of another kind."""
        if kind >= len(self._rows) or index >= len(self._rows[kind]):
            return None
        row = self._rows[kind][index]
        return None if row == _NO_ROW else row

    def put(self, kind: int, index: int, row: int) -> None:
        """Note a row; of tasks that no job can have nothing is noted."""
        if kind >= len(self._rows) or index >= MOST_TASKS:
            return
        rows = self._rows[kind]
        if index >= len(rows):
            rows.extend([_NO_ROW] * (index + 1 - len(rows)))
        rows[index] = row

    def moved(self, places: dict[int, int]) -> None:
        """Follow rows that have moved; one that is not told is gone."""
        for rows in self._rows:
            for index, row in enumerate(rows):
                rows[index] = places.get(row, _NO_ROW)
