"""All slots of one worker: started together, measured together, ended together.

Neighbours: `slot.py` (one slot), `mapreduce_worker.agent` (the owner).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mapreduce.ids import AttemptId
from mapreduce_worker.core.events import Crashed, Event
from mapreduce_worker.newborn import Linked
from mapreduce_worker.slots import group
from mapreduce_worker.slots.messages import Prepare, Task
from mapreduce_worker.slots.slot import Slot, SlotConfig

MEASURE_SECONDS: Final = 0.2


class SlotPool:
    """`count` slots. Use it as an async context manager: they start at once and end with it.

    `post` is called with every event, in the event loop's thread. `ends_strays`: this process has no
    children but slots, and adopts orphans: what a slot that ended left behind is ended too.
    """

    def __init__(
        self,
        count: int,
        scratch: Path,
        post: Callable[[Event], None],
        *,
        ends_strays: bool = False,
        warm: Sequence[Linked] = (),
        sharing: int = 1,
    ) -> None:
        """`warm`: the first processes of the first slots, forked already; see `warm.py`. sharing: see `settings.py`."""
        environment = slot_environment(os.environ, count, sharing)
        self._config = SlotConfig(scratch=scratch, environment=environment, post=post)
        firsts = [*warm, *[None] * (count - len(warm))]
        self._slots = [Slot(number, self._config, first) for number, first in enumerate(firsts)]
        self._tasks: list[asyncio.Task[None]] = []
        self._ends_strays = ends_strays

    async def __aenter__(self) -> Self:
        (self._config.scratch / "slots").mkdir(parents=True, exist_ok=True)
        self._tasks = [asyncio.create_task(slot.serve(), name="slot") for slot in self._slots]
        self._tasks.append(asyncio.create_task(self._measure(), name="slots-memory"))
        for task in self._tasks:
            task.add_done_callback(self._done)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def pids(self) -> tuple[int, ...]:
        """The slot processes that run."""
        return tuple(slot.pid for slot in self._slots if slot.pid)

    def prepare(self, prepare: Prepare, limit: int) -> None:
        """Set what tasks need, and the memory limit of a slot in bytes (0: none)."""
        self._config.limit = limit
        if prepare != self._config.prepare:
            self._config.prepare = prepare

    def run(self, slot: int, task: Task) -> None:
        """Run a task in a slot that has none; its end is posted."""
        self._slots[slot].run(task)
        if self._slots[slot].alone:
            for other in self._slots:
                other.refresh()

    def kill(self, slot: int, attempt: AttemptId, *, ask: bool = False) -> None:
        """Kill the slot's process if it has this attempt; a new one takes its place. See `Slot.kill`."""
        self._slots[slot].kill(attempt, ask=ask)

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(MEASURE_SECONDS)
            for slot in self._slots:
                slot.measure(self._limit(slot))
            if self._ends_strays and not any(slot.starting for slot in self._slots):
                group.end_strays(frozenset(self.pids))

    def _limit(self, slot: Slot) -> int:
        """Return the bytes that a slot may use: its share, or what the others leave of the whole."""
        share = self._config.limit
        if not share or not slot.alone:
            return share
        others = sum(other.rss for other in self._slots if other is not slot)
        return max(share, share * len(self._slots) - others)

    def _done(self, task: asyncio.Task[None]) -> None:
        """A slot that nobody serves would keep its attempt for ever."""
        if not task.cancelled() and (error := task.exception()):
            self._config.post(Crashed(f"{task.get_name()}: {type(error).__name__} {error}"))


def slot_environment(inherited: Mapping[str, str], slots: int, sharing: int = 1) -> dict[str, str]:
    """Return the environment of a slot process: nothing of the worker's own settings is in it.

    The hash seed is fixed, since user code iterates over sets; a slot uses its share of the cores, of which each of
    the `sharing` workers has as much.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith("MAPREDUCE_")}
    threads = max(1, _cores() // (slots * sharing))
    return kept | {
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "POLARS_MAX_THREADS": str(threads),
    }


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
