"""A pool of real slot processes with a program in it, for tests that give it tasks one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from mapreduce import paths
from mapreduce.ids import AttemptId, TaskId
from mapreduce.plan import FileRange, ListedFile, Split
from mapreduce.program import Program
from mapreduce.protocol import Spent
from mapreduce_worker.core.events import (
    Event,
    FetchedSegment,
    LoadInSlot,
    MapInSlot,
    Measured,
    Progressed,
    ReduceInSlot,
    SlotAwaited,
)
from mapreduce_worker.engine import map_output
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.slots.messages import Prepare, Task
from mapreduce_worker.slots.pool import SlotPool

T = TypeVar("T")
MIB = 1 << 20
PATIENCE = 50.0


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 2 * PATIENCE))


def attempt(index: int, kind: str = "map") -> AttemptId:
    return AttemptId(TaskId(0, kind, index), 1, 0)  # type: ignore[arg-type]  # a str that is a kind


class Bench:
    """One pool; `events` collects what it posts, but for measurements and progress."""

    def __init__(self, folder: Path, source: str, *, slots: int = 1, limit: int = 0) -> None:
        self.folder = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.progress: list[Progressed] = []
        self.spent: dict[AttemptId, Spent] = {}
        """What attempts have cost."""
        self.pool = SlotPool(slots, self.scratch, self._post)
        options = TaskOptions(partitions=2, flush_bytes=MIB, memory=64 * MIB)
        self.prepare(Program("job.py", source.encode()), options, limit)

    def prepare(self, program: Program, options: TaskOptions, limit: int = 0) -> None:
        """Give the pool's slots another program, or other options."""
        prepare = Prepare(program=program, options=options, scratch=str(self.scratch), root_input=str(self.folder))
        self.pool.prepare(prepare, limit)

    def _post(self, event: Event) -> None:
        if isinstance(event, Progressed):
            self.progress.append(event)
        elif isinstance(event, Measured):
            self.spent[event.attempt] = event.spent
        elif isinstance(event, SlotAwaited):
            return
        else:
            self.events.put_nowait(event)

    async def do(self, task: Task, slot: int = 0) -> Event:
        """Run a task and return its end."""
        self.pool.run(slot, task)
        return await self.next()

    async def next(self) -> Event:
        return await asyncio.wait_for(self.events.get(), PATIENCE)

    async def until_running(self, name: str = "entered") -> None:
        """Wait until user code has made the file `name`."""
        while not (self.folder / name).exists():
            await asyncio.sleep(0.02)

    def load(self, index: int = 0) -> LoadInSlot:
        return LoadInSlot(0, attempt(index, "load"))

    def reduce(self, index: int, *maps: int) -> ReduceInSlot:
        """Return the task of reducing partition 0 of map outputs that were made here."""
        segments = []
        for number in maps:
            path = self.scratch / paths.map_output(attempt(number))
            place = map_output.read_index(path).segments[0]
            segments.append(
                FetchedSegment(attempt(number), str(path), place.offset, place.length, place.rows, place.crc)
            )
        reducing = attempt(index, "reduce")
        return ReduceInSlot(slot=0, attempt=reducing, partition=0, key_type="str", segments=tuple(segments))

    def map(self, index: int, text: str, slot: int = 0) -> MapInSlot:
        """Return the task of mapping a new file with this text."""
        path = self.folder / f"input-{index}.txt"
        path.write_text(text)
        listed = ListedFile(path.name, path.name, path.stat().st_size, f"mtime:{path.stat().st_mtime_ns}")
        split = Split(index, (FileRange(listed, 0, listed.size),))
        return MapInSlot(slot=slot, attempt=attempt(index), split=split, input=None)
