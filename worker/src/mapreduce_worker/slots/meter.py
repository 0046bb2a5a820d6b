"""What one task costs while it has a slot: processor time and memory, of the slot's process and all below it.

Neighbours: `slot.py`, which owns one and looks often; `memory.py`, `mapreduce_worker.resources` (where it looks).
"""

from __future__ import annotations

from mapreduce.protocol import Spent
from mapreduce_worker import resources
from mapreduce_worker.slots import group, memory

PRINTED_BYTES = 1024
"""Of what a task that succeeded has printed."""


class Meter:
    """Of one slot. `rss`: bytes held now; `peak`: the most that were seen during the task."""

    def __init__(self) -> None:
        self.rss = 0
        self.peak = 0
        self._cpu = self._cpu_before = 0.0

    def begin(self, pid: int) -> None:
        """A task begins: what was used before is not its."""
        self._cpu = 0.0
        self.look(pid)
        self.peak, self._cpu_before = self.rss, self._cpu

    def look(self, pid: int) -> None:
        """Note what the process holds, and has used, now."""
        found = (pid, *group.descendants(pid))
        self.rss = memory.held(found)
        self.peak = max(self.peak, self.rss)
        # What ended and nobody waited for is not counted any more.
        self._cpu = max(self._cpu, sum(map(resources.cpu_of, found)))

    def spent(self, printed: str = "") -> Spent:
        """Return what the task has cost, with the end of what it printed."""
        seconds = max(0.0, self._cpu - self._cpu_before)
        end = printed.encode()[-PRINTED_BYTES:].decode(errors="ignore")
        return Spent(cpu_ms=round(seconds * 1000), peak_memory=self.peak, printed=end)
