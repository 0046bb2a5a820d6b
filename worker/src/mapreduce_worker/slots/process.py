"""The slot process: it loads the program and runs one attempt after another in its only thread.

    python -m mapreduce_worker.slots.process FD PARENT STACKS

FD is the control pipe (a socket), PARENT the agent's process, STACKS the file for the fault handler.
User code may do to this process what it likes: block, leak, crash or exit; `slot.py`, on the other
side of the pipe, copes. The process ends when the agent does. Neighbours: `messages.py`,
`leftovers.py`, `forked.py`, `stacks.py`, `mapreduce_worker.engine`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from mapreduce import paths, protocol
from mapreduce.api import Job
from mapreduce.ids import AttemptId
from mapreduce_worker.core.events import (
    Broke,
    FetchedInput,
    Loaded,
    LoadInSlot,
    MapDone,
    MapInSlot,
    MapPartDone,
    Progressed,
    ReduceDone,
    ReduceInSlot,
    SegmentSpoiled,
)
from mapreduce_worker.engine import failure, map_part, map_task, program, ranges, reduce_task
from mapreduce_worker.engine.long_lines import Chunk, Gap
from mapreduce_worker.engine.map_output import SegmentCorrupt, SegmentFile
from mapreduce_worker.engine.map_task import Source
from mapreduce_worker.engine.part import PartResult
from mapreduce_worker.engine.sparse import At
from mapreduce_worker.slots import allocators, forked, group, memory, stacks
from mapreduce_worker.slots.leftovers import Surroundings
from mapreduce_worker.slots.messages import (
    CHANNEL_CLOSED,
    HEAD,
    FromSlot,
    Prepare,
    Ready,
    Task,
    Worn,
    frame,
    to_slot,
)

PROGRESS_SECONDS: Final = 0.5
LOADED: Final = 1
"""The first mark of an attempt: the program is imported."""
_PR_SET_PDEATHSIG: Final = 1


class Pipe:
    """The control pipe. A thread reads it, so that the agent's end is noticed in the midst of a task."""

    def __init__(self, fd: int) -> None:
        # The user's own child processes must not hold it open.
        os.set_inheritable(fd, False)
        self.fd = fd
        self._inbox: queue.SimpleQueue[Prepare | Task] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="control-pipe", daemon=True).start()

    def receive(self) -> Prepare | Task:
        """Wait for the next message."""
        return self._inbox.get()

    def send(self, message: FromSlot) -> None:
        """Send a message whole."""
        data = memoryview(frame(message))
        try:
            while data:
                data = data[os.write(self.fd, data) :]
        except OSError:
            os._exit(CHANNEL_CLOSED)

    def _read(self) -> None:
        try:
            with os.fdopen(os.dup(self.fd), "rb") as stream:
                while body := _body(stream):
                    self._inbox.put(to_slot(body))
        except OSError:
            os._exit(CHANNEL_CLOSED)
        os._exit(0)


def _body(stream: BinaryIO) -> bytes:
    head = stream.read(HEAD)
    return stream.read(int.from_bytes(head, "big")) if len(head) == HEAD else b""


class Runner:
    """Runs tasks with the engine; the program is loaded once."""

    def __init__(self, pipe: Pipe, prepare: Prepare) -> None:
        self._pipe = pipe
        self._prepare = prepare
        self._options = prepare.options
        self._scratch = Path(prepare.scratch)
        self._job_class: type[Job] | None = None
        self._surroundings = Surroundings()
        forked.guard(pipe.fd, self._scratch)

    def run(self, task: Task) -> tuple[FromSlot, ...]:
        """Run one task and return its end, whatever happens in user code, behind what it left over."""
        try:
            end = self._run(task)
            self._surroundings.check()
        except BaseException as error:  # noqa: BLE001 - the task boundary: user code may raise anything
            end = Broke(task.attempt, failure.describe(error))
        # User code may have closed or replaced them.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
            sys.stderr.flush()
        left = self._surroundings.restore()
        return (Worn(task.attempt, left), end) if left else (end,)

    def _run(self, task: Task) -> FromSlot:
        work = self._scratch / "work" / str(task.attempt)
        work.mkdir(parents=True, exist_ok=True)
        if self._job_class is None:
            folder = self._scratch / "program"
            self._job_class, self._options = program.ready(self._prepare.program, folder, self._prepare.options)
            # What importing the program began belongs to the program, not to this task.
            self._surroundings = Surroundings()
            self._pipe.send(Progressed(task.attempt, 0, 0, LOADED))
        if isinstance(task, LoadInSlot):
            return Loaded(task.attempt, program.shape(self._job_class))
        if isinstance(task, MapInSlot):
            return self._map(self._job_class, task)
        return self._reduce(self._job_class, task, work)

    def _map(self, job_class: type[Job], task: MapInSlot) -> FromSlot:
        if task.makes_part:
            return self._map_part(job_class, task)
        output = map_task.run_map(
            job_class,
            task.split,
            self._source(task.input),
            options=msgspec.structs.replace(self._options, samples=task.samples),
            attempt=task.attempt,
            out=self._scratch / paths.map_output(task.attempt),
            progress=self._progress(task.attempt),
        )
        return MapDone(task.attempt, output, output.records)

    def _map_part(self, job_class: type[Job], task: MapInSlot) -> FromSlot:
        made = map_part.run_map(
            job_class,
            task.split,
            self._source(task.input),
            options=self._options,
            out=self._scratch / paths.reduce_output(task.attempt),
            progress=self._progress(task.attempt),
        )
        return MapPartDone(
            attempt=task.attempt,
            checksum=made.checksum,
            rows=made.rows,
            size=made.size,
            records=made.records,
            counters=made.counters,
            bad=made.bad,
        )

    def _reduce(self, job_class: type[Job], task: ReduceInSlot, work: Path) -> FromSlot:
        segments = [
            SegmentFile(Path(place.path), place.offset, place.length, place.rows, place.crc, task.range)
            for place in task.segments
        ]
        try:
            result = self._run_reduce(job_class, task, segments, work)
        except SegmentCorrupt as error:
            source = _source_of(task, error.path, error.offset)
            if source is None:
                raise
            return SegmentSpoiled(task.attempt, source, str(error))
        return ReduceDone(
            attempt=task.attempt,
            checksum=result.checksum,
            rows=result.rows,
            size=result.size,
            counters=result.counters,
            spills=result.spills,
        )

    def _run_reduce(
        self, job_class: type[Job], task: ReduceInSlot, segments: list[SegmentFile], work: Path
    ) -> PartResult:
        return reduce_task.run_reduce(
            job_class,
            segments,
            options=self._options,
            key_type=task.key_type,
            partition=task.partition,
            attempt=task.attempt,
            out=self._scratch / paths.reduce_output(task.attempt),
            scratch=work,
            progress=self._progress(task.attempt),
        )

    def _source(self, fetched: FetchedInput | None) -> Source:
        if fetched is None:
            root = Path(self._prepare.root_input)
            limit, skips = self._options.max_record_bytes, self._options.skip_bad_records > 0
            return lambda part, position: ranges.read_range(root, part, limit, skips=skips)
        return lambda part, position: fetched_range(fetched, position)

    def _progress(self, attempt: AttemptId) -> Callable[[int, int], None]:
        due = time.monotonic() + PROGRESS_SECONDS
        marks = LOADED

        def progress(records: int, size: int) -> None:
            nonlocal due, marks
            now = time.monotonic()
            if now >= due:
                due = now + PROGRESS_SECONDS
                marks += 1
                self._pipe.send(Progressed(attempt, records, size, marks))

        return progress


def _source_of(task: ReduceInSlot, path: Path, offset: int) -> AttemptId | None:
    """Return the map attempt whose segment is there; None for a file of the engine's own."""
    for place in task.segments:
        if place.offset == offset and Path(place.path) == path:
            return place.source
    return None


def fetched_range(fetched: FetchedInput, position: int) -> tuple[int, Iterator[Chunk]]:
    """Return what `engine.ranges.read_range` would, from the scratch file."""
    place = fetched.ranges[position]

    def chunks() -> Iterator[Chunk]:
        with Path(fetched.path).open("rb") as file:
            file.seek(place.at)
            end = place.at + place.length
            while file.tell() < end:
                length = int.from_bytes(file.read(4), "big")
                if length == protocol.GAP_FOLLOWS:
                    yield Gap(int.from_bytes(file.read(protocol.GAP_BYTES), "big"))
                elif length == protocol.AT_FOLLOWS:
                    yield At(int.from_bytes(file.read(protocol.GAP_BYTES), "big"))
                else:
                    yield file.read(length)

    return place.offset, chunks()


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process with its parent; the pipe does it where that is not possible."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def main(arguments: list[str]) -> None:
    """Serve the control pipe until it closes."""
    fd, parent = int(arguments[0]), int(arguments[1])
    _die_with(parent)
    group.adopt_orphans()
    memory.offer_to_the_killer()
    stacks.listen(Path(arguments[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe = Pipe(fd)
    pipe.send(Ready())
    runner: Runner | None = None
    while True:
        message = pipe.receive()
        if isinstance(message, Prepare):
            allocators.keep_freed(message.options.memory)
            runner = Runner(pipe, message)
        elif runner is not None:
            for told in runner.run(message):
                pipe.send(told)


if __name__ == "__main__":
    main(sys.argv[1:])
