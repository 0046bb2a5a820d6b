"""Counts in how many schedules each fault hit in each phase, and how fast schedules are played.

Neighbours: `tests/simulation` (adds every schedule, prints the table), `matrix.py` (what one fault alone does).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.simulated.faults import catalogue
from tests.support.simulated.faults.fault import PHASES
from tests.support.simulated.world import World


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

    def speed(self) -> str:
        """Return one line on how much was played how fast."""
        rate = self.schedules / self.seconds if self.seconds else 0.0
        return f"simulation: {self.schedules} schedules, {rate:.1f} schedules per second of one core"

    def table(self) -> Iterator[str]:
        """Yield the lines of the table: in how many schedules each fault hit, by phase; - where it cannot exist."""
        yield f"{'schedules in which the fault hit':<46}" + "".join(f"{phase:>9}" for phase in PHASES)
        for fault in catalogue.ALL:
            cells = (str(self.hits[fault.name, phase]) if phase in fault.phases else "-" for phase in PHASES)
            yield f"{fault.name:<46}" + "".join(f"{cell:>9}" for cell in cells)

    def never(self) -> list[str]:
        """Return the cells that no schedule hit."""
        return [f"{fault.name} in {phase}" for fault, phase in catalogue.CELLS if not self.hits[fault.name, phase]]
