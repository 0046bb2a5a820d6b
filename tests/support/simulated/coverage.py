"""Counts in how many schedules each fault hit in each phase, and how fast schedules are played.

Neighbours: `tests/simulation` (adds every schedule of every process, prints the table), `matrix.py` (what one fault
alone does).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from tests.support.simulated.faults import catalogue
from tests.support.simulated.faults.fault import PHASES
from tests.support.simulated.world import World

SEEDS: Final = int(os.environ.get("SEEDS", "300"))
"""How many schedules of all faults are played."""


class Hits(msgspec.Struct, frozen=True):
    """What a process played: `seeds` of all faults, `schedules` with the others; processor time in seconds; in how many
    schedules each fault hit, by phase."""

    seeds: int
    schedules: int
    seconds: float
    hits: tuple[tuple[str, str, int], ...]


class Coverage:
    """Sums over schedules."""

    def __init__(self) -> None:
        self.schedules = 0
        self.seconds = 0.0
        self.hits: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def playing(self, world: World) -> Iterator[None]:
        """Count a schedule, and the processor time that it takes."""
        begin = time.process_time()
        try:
            yield
        finally:
            self.seconds += time.process_time() - begin
            self.schedules += 1
            self.hits.update(world.hits.keys())

    def add(self, other: Hits) -> None:
        """Count what another process played."""
        self.schedules += other.schedules
        self.seconds += other.seconds
        self.hits.update({(fault, phase): count for fault, phase, count in other.hits})

    def told(self) -> Hits:
        """Return the sums."""
        hits = tuple((fault, phase, count) for (fault, phase), count in sorted(self.hits.items()))
        return Hits(SEEDS, self.schedules, self.seconds, hits)

    def speed(self, elapsed: float) -> str:
        """Return one line on how much was played how fast; `elapsed`: seconds of all processes together."""
        fast = self.schedules / elapsed if elapsed else 0.0
        rate = self.schedules / self.seconds if self.seconds else 0.0
        played = f"simulation: {self.schedules} schedules in {elapsed:.0f} s, {fast:.1f} schedules per second"
        return f"{played}; {rate:.1f} per second of one core"

    def table(self) -> Iterator[str]:
        """Yield the lines of the table: in how many schedules each fault hit, by phase; - where it cannot exist."""
        yield f"{'schedules in which the fault hit':<46}" + "".join(f"{phase:>9}" for phase in PHASES)
        for fault in catalogue.ALL:
            cells = (str(self.hits[fault.name, phase]) if phase in fault.phases else "-" for phase in PHASES)
            yield f"{fault.name:<46}" + "".join(f"{cell:>9}" for cell in cells)
