"""Where map outputs are, and what one reduce attempt still has to fetch from where.

Pure book-keeping of the worker's core; neighbours: `worker.py`, which owns one `LocationTable`
and a `Gathering` for each reduce attempt that waits for segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from mapreduce.boundaries import ALL, KeyRange
from mapreduce.digests import consumed
from mapreduce.ids import AttemptId, TaskId
from mapreduce.protocol import COMPLAINT_CHARACTERS, Holder, Locations, ReadSegments, SegmentsLost
from mapreduce_worker.core.events import FetchedSegment, SegmentsArrived, SegmentSpoiled

MAPS_A_REQUEST = 1000
FETCHES_IN_FLIGHT = 4
"""Requests that one reduce attempt has under way, each to another holder."""
RETRY = 1.0
"""Seconds before segments that a holder neither gave nor lacked are asked for again."""


LEFT_OUT = -2
"""The holder of a map that is left out: it has no output."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A finished map output: the attempt that made it, the number of its holder, its checksum."""

    attempt: AttemptId
    holder: int
    checksum: str


class LocationTable:
    """The places of all map outputs that the master told of in this session."""

    def __init__(self) -> None:
        self.version = 0
        self._holders: dict[int, Holder] = {}
        self._places: dict[int, dict[int, Place]] = {}

    def apply(self, delta: Locations) -> tuple[int, ...]:
        """Take the changes; return the indices of the maps whose place changed."""
        self.version = max(self.version, delta.version)
        self._holders |= {holder.number: holder for holder in delta.holders}
        places = self._places.setdefault(delta.step, {})
        changed = []
        for outputs in delta.outputs:
            for position, index in enumerate(range(outputs.first, outputs.last + 1)):
                if outputs.holder < 0 and outputs.holder != LEFT_OUT:
                    places.pop(index, None)
                else:
                    attempt = AttemptId(TaskId(delta.step, "map", index), outputs.epoch, outputs.number)
                    checksum = outputs.checksums[position] if position < len(outputs.checksums) else ""
                    places[index] = Place(attempt, outputs.holder, checksum)
                changed.append(index)
        return tuple(changed)

    def place(self, step: int, index: int) -> Place | None:
        """Return where the output of a map is, or None."""
        return self._places.get(step, {}).get(index)

    def known(self, step: int) -> tuple[int, ...]:
        """Return the indices of the maps of a step whose output has a place."""
        return tuple(self._places.get(step, {}))

    def holder(self, number: int) -> Holder | None:
        """Return a holder by its number, or None if the master has not told of it."""
        return self._holders.get(number)


class _Fetch(msgspec.Struct, frozen=True):
    """A request under way; `stale` if it was begun in an older session, whose numbers of holders
    mean nothing any more."""

    holder: Holder
    wanted: dict[AttemptId, Place]
    stale: bool = False


class Gathering:
    """The segments of one partition: which are here, which are asked for, which are to be asked for."""

    def __init__(self, step: int, partition: int, maps: int, wanted: KeyRange = ALL) -> None:
        self.step = step
        self.partition = partition
        self._range = wanted
        self._maps = maps
        self._here: dict[int, tuple[FetchedSegment, str]] = {}
        self._left_out: set[int] = set()
        self._todo: dict[int, dict[int, Place]] = {}
        self._fetches: dict[int, _Fetch] = {}
        self._complained: set[tuple[AttemptId, int]] = set()
        self._spoiled: set[AttemptId] = set()
        self._retry_at = 0.0

    @property
    def complete(self) -> bool:
        """Whether every segment is here."""
        return len(self._here) + len(self._left_out) == self._maps

    @property
    def idle(self) -> bool:
        """Whether no fetch is under way."""
        return not self._fetches

    def segments(self) -> tuple[FetchedSegment, ...]:
        """Return the segments that hold rows, in map-index order."""
        ordered = (self._here[index][0] for index in sorted(self._here))
        return tuple(segment for segment in ordered if segment.rows)

    def digest(self) -> str:
        """Return the digest over the map outputs that were fetched; a map that is left out has an empty checksum."""
        checksums = {index: checksum for index, (_, checksum) in self._here.items()} | dict.fromkeys(self._left_out, "")
        return consumed(sorted(checksums.items()))

    def look_again(self) -> None:
        """Forget places and complaints: a new session tells all places again."""
        self._todo.clear()
        self._complained.clear()
        self._fetches = {name: _Fetch(fetch.holder, fetch.wanted, stale=True) for name, fetch in self._fetches.items()}

    def placed(self, table: LocationTable, indices: Iterable[int]) -> None:
        """Note that the places of some maps changed, or were first told."""
        for index in indices:
            if not 0 <= index < self._maps:
                continue
            for waiting in self._todo.values():
                waiting.pop(index, None)
            place = table.place(self.step, index)
            self._left_out.discard(index)
            if place is not None and place.holder == LEFT_OUT:
                self._here.pop(index, None)
                self._left_out.add(index)
            elif place is not None and self._wants(index, place):
                self._todo.setdefault(place.holder, {})[index] = place

    def begin(self, table: LocationTable, numbers: Iterator[int], now: float) -> list[tuple[int, Holder, ReadSegments]]:
        """Return the fetches to begin now, as (fetch, holder, request); `numbers` names them.

        One a holder, a few in all. The holder to begin with depends on the partition, so that
        the reducers of a job do not all begin with the same one.
        """
        if now < self._retry_at:
            return []
        busy = {fetch.holder.number for fetch in self._fetches.values() if not fetch.stale}
        ready = sorted(number for number, maps in self._todo.items() if maps and number not in busy)
        start = self.partition % len(ready) if ready else 0
        begun = []
        for number in ready[start:] + ready[:start]:
            holder = table.holder(number)
            if holder is None or len(self._fetches) >= FETCHES_IN_FLIGHT:
                continue
            waiting = self._todo[number]
            chosen = [waiting.pop(index) for index in sorted(waiting)[:MAPS_A_REQUEST]]
            name = next(numbers)
            self._fetches[name] = _Fetch(holder, {place.attempt: place for place in chosen})
            maps = tuple(place.attempt for place in chosen)
            wanted = ReadSegments(step=self.step, partition=self.partition, maps=maps, range=self._range)
            begun.append((name, holder, wanted))
        return begun

    def fetched(self, table: LocationTable, result: SegmentsArrived, now: float) -> SegmentsLost | None:
        """Take the result of a fetch; return the complaint to report, if there is one.

        No complaint is made of a map whose output is elsewhere by now: it is fetched from there.
        """
        fetch = self._fetches.pop(result.fetch, None)
        if fetch is None:
            return None
        for segment in result.arrived:
            self._keep(table, segment, fetch.wanted.get(segment.source))
        complaints = () if fetch.stale else tuple(self._complaints(table, fetch, result.lost))
        told = {segment.source for segment in result.arrived} | {attempt for attempt, _ in result.lost}
        if not told.issuperset(fetch.wanted):
            self._retry_at = now + RETRY
        self.placed(table, [attempt.task.index for attempt in fetch.wanted])
        if not complaints:
            return None
        return SegmentsLost(attempt=result.attempt, holder=fetch.holder.worker, maps=complaints)

    def spoiled(self, table: LocationTable, result: SegmentSpoiled) -> SegmentsLost | None:
        """Drop a segment that cannot be read; it is fetched once more, then complained about."""
        index = result.source.task.index
        here = self._here.get(index)
        if here is None or here[0].source != result.source:
            return None
        del self._here[index]
        place = table.place(self.step, index)
        complaint = None
        if result.source in self._spoiled and place is not None and place.attempt == result.source:
            self._complained.add((place.attempt, place.holder))
            holder = table.holder(place.holder)
            if holder is not None:
                maps = ((result.source, result.message[:COMPLAINT_CHARACTERS]),)
                complaint = SegmentsLost(attempt=result.attempt, holder=holder.worker, maps=maps)
        self._spoiled.add(result.source)
        self.placed(table, [index])
        return complaint

    def _keep(self, table: LocationTable, segment: FetchedSegment, place: Place | None) -> None:
        index = segment.source.task.index
        if (
            place is not None
            and index not in self._left_out
            and (index not in self._here or table.place(self.step, index) == place)
        ):
            self._here[index] = (segment, place.checksum)

    def _complaints(
        self, table: LocationTable, fetch: _Fetch, lost: Iterable[tuple[AttemptId, str]]
    ) -> Iterator[tuple[AttemptId, str]]:
        for attempt, reason in lost:
            if attempt not in fetch.wanted:
                continue
            self._complained.add((attempt, fetch.holder.number))
            if table.place(self.step, attempt.task.index) == fetch.wanted[attempt]:
                yield attempt, reason[:COMPLAINT_CHARACTERS]

    def _wants(self, index: int, place: Place) -> bool:
        """Tell whether the output at `place` is to be fetched.

        A map that ran again with another checksum is not deterministic: what was fetched of its
        older output is dropped, since the other reducers read the newer.
        """
        if (place.attempt, place.holder) in self._complained:
            return False
        here = self._here.get(index)
        if here is not None and here[1] == place.checksum:
            return False
        self._here.pop(index, None)
        return True
