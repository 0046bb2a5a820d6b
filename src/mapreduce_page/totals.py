"""What is done of each phase: sums over the tasks that count, how fast they grow, and what is left.

A map counts once it has finished, until what it made is lost; a reduce once its part is durable.
Neighbours: `fold.py` (events), `pace.py` (rates), `estimate.py` (time left), `model.py` (`Phase`, `Rate`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

import msgspec

from mapreduce.history import HistoryEvent
from mapreduce.plan import PlanHeader, Split
from mapreduce.spec import JobSpec
from mapreduce_page import bounds, model
from mapreduce_page.columns import MOST_TASKS
from mapreduce_page.estimate import Estimator
from mapreduce_page.pace import Done, Durations, Pace

MAP: Final = 0
REDUCE: Final = 1
POINTS: Final = 600
"""Of the series of sums; when there are more, every second goes."""
_APART: Final = 250
"""Milliseconds between two points, at first."""
COUNTERS: Final = 16 << 20
"""Bytes of counters that are kept by task; beyond, sums of counters are not told."""
_ENTRY: Final = 200
"""What it takes to keep some."""
_LARGEST: Final = (1 << 63) - 1


class Series:
    """Sums at moments that are evenly apart, at most `POINTS`."""

    def __init__(self) -> None:
        self._points: list[tuple[int, int, int, int]] = []
        self._apart = _APART

    def note(self, at: int, records: int, size: int, done: int) -> None:
        """Take the sums as they are now; the last point is always the newest."""
        points = self._points
        if len(points) > 1 and at - points[-2][0] < self._apart:
            points.pop()
        points.append((at, records, size, done))
        if len(points) > POINTS:
            del points[1::2]
            self._apart *= 2

    def told(self) -> model.Rate:
        """Return the points by columns."""
        at, records, size, done = ([point[column] for point in self._points] for column in range(4))
        return model.Rate(at=at, records=records, size=size, done=done)


class _Sums:
    """Of the tasks of one kind."""

    def __init__(self) -> None:
        self.total = 0
        self.counted = bytearray()
        """Of each task, whether it counts."""
        self.done = self.failed = self.retried = self.backups = self.records = self.size = 0
        self.began: int | None = None
        self.pace = Pace()
        self.rest = Estimator()
        """Of input bytes, where they are known, else of tasks."""
        self.durations = Durations()

    def counts(self, index: int) -> bool:
        return index < len(self.counted) and self.counted[index] == 1

    def count(self, index: int, sign: int, records: int, size: int) -> None:
        if index >= len(self.counted):
            self.counted.extend(bytes(index + 1 - len(self.counted)))
        self.counted[index] = sign > 0
        self.done += sign
        self.records += sign * records
        self.size += sign * size


class Totals:
    """What is done of one job."""

    def __init__(self, spec: JobSpec) -> None:
        self._reducers = spec.reducers
        self._kinds = (_Sums(), _Sums())
        self._splits = array("Q")
        self._input = 0
        self._made: dict[int, HistoryEvent] = {}
        """What reduces have made whose part is not durable yet."""
        self._counters: dict[tuple[int, int], bytes] = {}
        self._counters_size = 0
        self._bad: dict[int, int] = {}
        self._series = Series()
        self.changes = 0
        """How often the series changed."""
        self.known = False
        """Whether the plan is made."""
        self.publishing = False
        self.map_only = False

    # --- the plan ---------------------------------------------------------------------------

    def plan(self, splits: Iterable[Split]) -> None:
        """Take a page of the plan."""
        self._splits.extend(min(max(0, split.size), _LARGEST) for split in splits)

    def planned(self, header: PlanHeader) -> None:
        """Take what the plan is in short; pages of a plan that was not finished do not count."""
        self._kinds[MAP].total, self._reducers = header.splits, header.partitions
        self._input = header.size
        del self._splits[: max(0, len(self._splits) - header.splits)]

    def begin(self, at: int) -> None:
        """The plan is known: the maps begin."""
        self.known = True
        self._begin(MAP, at)
        self._series.note(at, 0, 0, 0)
        self._turn(at)

    # --- attempts and tasks -----------------------------------------------------------------

    def gave(self, kind: int, *, again: bool, backup: bool) -> None:
        """Note that an attempt was given to a worker."""
        if kind < len(self._kinds):
            self._kinds[kind].retried += again
            self._kinds[kind].backups += backup

    def took(self, kind: int, milliseconds: int) -> None:
        """Note how long an attempt took that has finished."""
        if kind < len(self._kinds):
            self._kinds[kind].durations.add(milliseconds)

    def finished(self, kind: int, index: int, event: HistoryEvent, at: int) -> None:
        """A map counts from now on; a reduce once its part is durable."""
        if index >= MOST_TASKS:
            return
        if kind == REDUCE:
            self._made[index] = event
        elif not self._kinds[MAP].counts(index):
            self._bad |= {index: len(event.bad)} if event.bad else {}
            self._keep_counters(MAP, index, event.counters)
            self._count(MAP, index, 1, event.records, at)

    def staged(self, index: int, at: int, event: HistoryEvent | None = None) -> None:
        """A part is durable: its reduce counts; `event` may tell what is in it."""
        made = self._made.pop(index, None) or event
        if index >= MOST_TASKS or self._kinds[REDUCE].counts(index) or self.map_only:
            return
        sums = self._kinds[REDUCE]
        self._keep_counters(REDUCE, index, made.counters if made else {})
        sums.count(index, 1, made.rows if made else 0, made.size if made else 0)
        self._noted(REDUCE, at)

    def lost(self, kind: int, index: int, records: int, at: int) -> None:
        """What a finished task had made is gone."""
        if kind == REDUCE:
            self._made.pop(index, None)
        elif kind == MAP and self._kinds[MAP].counts(index):
            self._bad.pop(index, None)
            if packed := self._counters.pop((MAP, index), b""):
                self._counters_size -= len(packed) + _ENTRY
            self._count(MAP, index, -1, records, at)

    def left_out(self, kind: int, at: int) -> None:
        """The job goes on without a task."""
        if kind < len(self._kinds):
            self._kinds[kind].failed += 1
            self._turn(at)

    def _count(self, kind: int, index: int, sign: int, records: int, at: int) -> None:
        size = self._splits[index] if index < len(self._splits) else 0
        self._kinds[kind].count(index, sign, records, size)
        self._noted(kind, at)

    def _noted(self, kind: int, at: int) -> None:
        maps = self._kinds[MAP]
        self._note_pace(kind, at)
        self._series.note(at, maps.records, maps.size, maps.done + self._kinds[REDUCE].done)
        self.changes += 1
        self._turn(at)

    def _turn(self, at: int) -> None:
        """Let the reduces begin once no map is left."""
        if self.phase == "Reducing":
            self._begin(REDUCE, at)

    def _begin(self, kind: int, at: int) -> None:
        sums = self._kinds[kind]
        if sums.began is None:
            sums.began = at
            self._note_pace(kind, at)

    def _note_pace(self, kind: int, at: int) -> None:
        sums = self._kinds[kind]
        sums.pace.note(Done(at / 1000, sums.done, sums.records, sums.size))
        sums.rest.note(at / 1000, sums.size if self._total_size(kind) else sums.done)

    def _total_size(self, kind: int) -> int:
        return self._input if kind == MAP else 0

    def _keep_counters(self, kind: int, index: int, counters: dict[str, int]) -> None:
        if counters and self._counters_size < COUNTERS:
            packed = msgspec.msgpack.encode(counters)
            self._counters[kind, index] = packed
            self._counters_size += len(packed) + _ENTRY

    # --- what is told -----------------------------------------------------------------------

    @property
    def phase(self) -> str:
        """A word of `words.PHASES`, by what is done."""
        maps = self._kinds[MAP]
        if not self.known:
            return "Planning"
        if self.publishing:
            return "Publishing"
        over = maps.done + maps.failed >= maps.total
        return "Reducing" if over and not self.map_only else "Mapping"

    @property
    def counters(self) -> dict[str, int]:
        """The sums over the tasks that count; empty where they are too many to be kept."""
        sums: dict[str, int] = {}
        if self._counters_size >= COUNTERS:
            return sums
        for packed in self._counters.values():
            for name, value in msgspec.msgpack.decode(packed, type=dict[str, int]).items():
                sums[name] = sums.get(name, 0) + value
        return bounds.numbers(sums)

    @property
    def bad_records(self) -> int:
        """How many records the maps that count have left out."""
        return sum(self._bad.values())

    def rate(self) -> model.Rate:
        """Return the series of sums."""
        return self._series.told()

    def phases(self, active: tuple[int, int], now: int) -> list[model.Phase]:
        """Return the phases, of which so many tasks run."""
        maps = self._phase(MAP, active[MAP], now)
        return [maps] if self.map_only else [maps, self._phase(REDUCE, active[REDUCE], now)]

    def _phase(self, kind: int, active: int, now: int) -> model.Phase:
        sums = self._kinds[kind]
        total, total_size = sums.total if kind == MAP else self._reducers, self._total_size(kind)
        over = self.known and sums.done + sums.failed >= total
        rates = sums.pace.overall() if over else sums.pace.now(now / 1000)
        left = 0.0 if over else sums.rest.left(now / 1000, total_size or total - sums.failed)
        return model.Phase(
            kind="map" if kind == MAP else "reduce",
            total=total,
            done=sums.done,
            active=active,
            failed=sums.failed,
            retried=sums.retried,
            backups=sums.backups,
            records=sums.records,
            size=sums.size,
            total_size=total_size,
            records_s=round(rates.records, 1),
            size_s=round(rates.size, 1),
            left_s=-1.0 if left is None else round(left, 1),
            median=sums.durations.quantile(0.5),
            p95=sums.durations.quantile(0.95),
            max=sums.durations.longest,
        )
