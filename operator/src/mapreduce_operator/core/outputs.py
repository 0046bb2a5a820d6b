"""Where the output of each map is, and who must still be told.

Per map: the holder, the attempt that made it, its checksum. Changes are kept in a log whose
length is the version of the locations; a worker that has seen version v needs the maps in the
log from v on. Neighbours: `maps.py` (outputs come and go), `answers.py` (deltas).
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Final

from mapreduce.digests import consumed
from mapreduce.ids import AttemptId, TaskId
from mapreduce.protocol import Holder, Locations, MapOutput, OutputsAt
from mapreduce_operator.core.workers import Registry

NOBODY: Final = -1
LEFT_OUT: Final = -2
"""The holder of a map that is left out: it has no output, and nobody waits for one."""
KEPT_PAGES: Final = 64
PAGE_MAPS: Final = 50_000
"""Changes in one answer."""


class MapOutputs:
    """The finished map outputs of one step, in columns."""

    def __init__(self, count: int, step: int = 0) -> None:
        self.step = step
        self.count = count
        self.holder = array("i", [NOBODY]) * count
        self.epoch = array("I", bytes(4 * count))
        self.number = array("I", bytes(4 * count))
        self.checksum = [""] * count
        """Kept when an output is lost: what runs again must be the same."""
        self._held: Counter[int] = Counter()
        """How many outputs each holder has."""
        self.orphans: set[int] = set()
        """Maps that count as succeeded, though nobody holds their output."""
        self._log = array("I")
        self._digest = ""
        self._pages: tuple[int, dict[int, Locations]] = (0, {})
        """Pages of the version that was told last, by the version that a worker had seen."""

    @property
    def version(self) -> int:
        """The number of changes so far."""
        return len(self._log)

    def put(self, output: MapOutput, holder: int) -> None:
        """Note that a worker holds an output."""
        index = output.attempt.task.index
        self._held[self.holder[index]] -= 1
        self._held[holder] += 1
        self.holder[index] = holder
        self.epoch[index] = output.attempt.epoch
        self.number[index] = output.attempt.number
        self.remember(index, output.checksum)
        self.orphans.discard(index)
        self._log.append(index)

    def remember(self, index: int, checksum: str) -> None:
        """Note the checksum of a map's rows."""
        if self.checksum[index] != checksum:
            self.checksum[index] = checksum
            self._digest = ""

    def lose(self, index: int) -> None:
        """Note that nobody holds the output of a map any more."""
        self._held[self.holder[index]] -= 1
        self.holder[index] = NOBODY
        self._log.append(index)

    def holds(self, holder: int) -> bool:
        """Tell whether a worker holds the output of any map."""
        return self._held[holder] > 0

    def leave_out(self, index: int) -> None:
        """Note that a map will have no output, and that nobody should wait for it."""
        self.holder[index] = LEFT_OUT
        self.checksum[index] = ""
        self._digest = ""
        self.orphans.discard(index)
        self._log.append(index)

    def held_by(self, holder: int) -> list[int]:
        """Return the maps whose output a worker holds."""
        return [index for index, number in enumerate(self.holder) if number == holder]

    def attempt(self, index: int) -> AttemptId:
        """Return the attempt that made the output of a map."""
        return AttemptId(TaskId(self.step, "map", index), self.epoch[index], self.number[index])

    def is_current(self, attempt: AttemptId, holder: int) -> bool:
        """Tell whether this attempt's output at this holder is the one that counts."""
        index = attempt.task.index
        return (
            0 <= index < self.count
            and self.holder[index] == holder
            and self.epoch[index] == attempt.epoch
            and self.number[index] == attempt.number
        )

    def digest(self) -> str:
        """Return what a reduce that read every output consumed; see `digests.consumed`."""
        if not self._digest:
            self._digest = consumed(enumerate(self.checksum))
        return self._digest

    def all_known(self) -> bool:
        """Tell whether the checksum of every map is known that is not left out."""
        return all(known or holder == LEFT_OUT for known, holder in zip(self.checksum, self.holder, strict=True))

    # --- telling --------------------------------------------------------------------------

    def since(self, seen: int, registry: Registry) -> Locations:
        """Return the next page of changes after version `seen`."""
        if self._pages[0] != self.version:
            self._pages = (self.version, {})
        page = self._pages[1].get(seen)
        if page is None:
            if len(self._pages[1]) >= KEPT_PAGES:
                self._pages[1].clear()
            page = self._pages[1][seen] = self._page(seen, registry)
        return page

    def _page(self, seen: int, registry: Registry) -> Locations:
        through = min(self.version, seen + PAGE_MAPS)
        places = tuple(self._intervals(sorted(set(self._log[seen:through]))))
        numbers = sorted({place.holder for place in places if place.holder >= 0})
        holders = tuple(_holder(number, registry) for number in numbers)
        return Locations(version=through, step=self.step, holders=holders, outputs=places)

    def _intervals(self, changed: Iterable[int]) -> Iterable[OutputsAt]:
        run: list[int] = []
        for index in changed:
            if run and (index != run[-1] + 1 or self._place(index) != self._place(run[0])):
                yield self._interval(run)
                run = []
            run.append(index)
        if run:
            yield self._interval(run)

    def _place(self, index: int) -> tuple[int, int, int]:
        return self.holder[index], self.epoch[index], self.number[index]

    def _interval(self, run: list[int]) -> OutputsAt:
        holder, epoch, number = self._place(run[0])
        checksums = () if holder < 0 else tuple(self.checksum[index] for index in run)
        return OutputsAt(first=run[0], last=run[-1], epoch=epoch, number=number, holder=holder, checksums=checksums)


def _holder(number: int, registry: Registry) -> Holder:
    worker = registry.by_number(number)
    return Holder(number=number, worker=worker.name, address=worker.address, directory=worker.directory)
