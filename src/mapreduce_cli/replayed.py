"""One map of a job that is over, run once more in this process: what it reads, how it runs, and how that compares.

Neighbours: `cluster/replay.py` (the command), `mapreduce.kept_job` and `past_attempts.py` (what a history keeps),
`mapreduce_worker.engine` (does the work, as in every other mode).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from mapreduce import boundaries, kept_job, paths
from mapreduce.api import Job
from mapreduce.errors import InputError
from mapreduce.ids import AttemptId, TaskId
from mapreduce.kept_job import KeptJob
from mapreduce.plan import FileRange, ListedFile, PlanHeader, Split
from mapreduce.protocol import ErrorInfo, MapOutput
from mapreduce_cli import past_attempts
from mapreduce_cli.past_attempts import Ending
from mapreduce_operator.core import policies
from mapreduce_worker.engine import failure, map_part, map_task, program, ranges
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.options import PROCESS_SHARE, TaskOptions, of_job
from mapreduce_worker.engine.part import PartResult

_FINISHED = "Finished"


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a history keeps of one map; `recorded` is how its last attempt that counts ended, if any did."""

    job: KeptJob
    header: PlanHeader
    split: Split
    recorded: Ending | None

    @property
    def task(self) -> TaskId:
        """The task."""
        return TaskId(0, "map", self.split.index)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended here: with what it made, or with an error, and whence that was raised."""

    made: MapOutput | PartResult | None = None
    error: ErrorInfo | None = None
    cause: BaseException | None = None


def read(events: Path, index: int) -> Replay:
    """Return what the files beside a history keep of a map; raises `InputError`, `CorruptionError`."""
    folder = events.parent
    job, plan = (folder / Path(name).name for name in (paths.JOB, paths.PLAN))
    if not (job.is_file() and plan.is_file()):
        raise InputError(f"{folder} has no plan and no job: it ended before it had a plan, or an older version ran it")
    with job.open("rb") as file:
        kept = kept_job.read_job(file)
    with plan.open("rb") as file:
        try:
            header, split = kept_job.read_plan(file, index)
        except LookupError as error:
            raise InputError(f"there is no map-{index}: {error}") from error
    with events.open("rb") as file:
        ends = past_attempts.endings(file, f"map-{index}")
    failed = [ending for ending in ends if ending.event == past_attempts.FAILED]
    return Replay(job=kept, header=header, split=split, recorded=next(reversed(failed or ends), None))


# --- the input -------------------------------------------------------------------------------------


def changed(root: Path, split: Split) -> list[str]:
    """Return what is other than it was planned, a line for each file; raises `InputUnreadable`."""
    found = []
    for file in {part.file.path: part.file for part in split.ranges}.values():
        try:
            ranges.opened(root, file).close()
        except failure.InputChanged as error:
            found.append(str(error).replace(" changed while the job ran: ", " has "))
    return found


def as_it_is_now(root: Path, split: Split) -> Split:
    """Return the split with its files as they are now: a range that went to a file's end does so again."""
    return Split(split.index, tuple(_now(root, part) for part in split.ranges))


def _now(root: Path, part: FileRange) -> FileRange:
    file = part.file
    try:
        status = os.stat(root / file.path)
    except OSError as error:
        raise InputError(f"{file.name} cannot be read: {error.strerror}: {root / file.path}") from error
    size = status.st_size
    end = size if part.end >= file.size else min(part.end, size)
    listed = ListedFile(file.path, file.name, size, f"mtime:{status.st_mtime_ns}")
    tail = part.tail if part.tail <= size else 0
    return FileRange(listed, min(part.start, end), end, part.header, part.exact, tail)


# --- the attempt -----------------------------------------------------------------------------------


def load(replay: Replay, scratch: Path) -> tuple[type[Job], TaskOptions]:
    """Write the program below `scratch`, import it, and return its job, with the options of the attempt."""
    spec, header = replay.job.spec, replay.header
    options = of_job(spec, header.flush_bytes, spec.limits.slot_memory // PROCESS_SHARE)
    samples = boundaries.samples(header.splits, spec.reducers, replay.split.index)
    return program.ready(spec.program, scratch, msgspec.structs.replace(options, samples=samples))


def run(replay: Replay, root: Path, scratch: Path) -> Outcome:
    """Run the map as an attempt would; what it makes goes to `scratch`. Signals come through."""
    try:
        job_class, options = load(replay, scratch)
        return Outcome(made=_map(replay, job_class, options, root, scratch))
    except Exception as error:  # noqa: BLE001 - the boundary of an attempt
        return Outcome(error=failure.describe(error), cause=error.__cause__ or error)


def _map(
    replay: Replay, job_class: type[Job], options: TaskOptions, root: Path, scratch: Path
) -> MapOutput | PartResult:
    spec = replay.job.spec

    def source(part: FileRange, _position: int) -> tuple[int, Iterator[Chunk]]:
        return ranges.read_range(root, part, spec.max_record_bytes, skips=spec.skip_bad_records > 0)

    attempt, split = AttemptId(replay.task, 1, 0), replay.split
    out = scratch / paths.map_output(attempt)
    if program.shape(job_class).has_reduce:
        return map_task.run_map(
            job_class, split, source, options=options, attempt=attempt, out=out, progress=_unwatched
        )
    return map_part.run_map(job_class, split, source, options=options, out=out, progress=_unwatched)


def _unwatched(_records: int, _size: int) -> None:
    """Nobody ends an attempt here that makes no progress: somebody may look at it in a debugger."""


def users_part(cause: BaseException) -> TracebackType | None:
    """Return the traceback from the first frame of the user's on; None where the engine itself found the fault."""
    found = cause.__traceback__
    while found is not None:
        name = found.tb_frame.f_code.co_filename
        if not (failure.is_ours(name) or name == __file__ or name.startswith("<frozen importlib")):
            return found
        found = found.tb_next
    return None


# --- the comparison --------------------------------------------------------------------------------


def is_same(outcome: Outcome, recorded: Ending) -> bool:
    """Tell whether the attempt ended here as it is recorded: with the same output, or with the same error there."""
    error = outcome.error
    if error is None:
        made = outcome.made
        return recorded.event == _FINISHED and made is not None and recorded.checksum == made.checksum
    known = policies.one_line(error)
    return recorded.reason == error.reason and bool(recorded.message) and known.startswith(recorded.message)


def compared(outcome: Outcome, recorded: Ending | None) -> str:
    """Return in words how this end compares with the recorded one."""
    if recorded is None:
        return "the history tells of no attempt of it that ended"
    name = recorded.attempt or recorded.task
    there = f"{name} finished" if recorded.event == _FINISHED else f"{name}: {recorded.reason}: {recorded.message}"
    if is_same(outcome, recorded):
        what = "the same output" if outcome.error is None else "the same error at the same place"
        return f"as in the job, where {name} had {what}"
    if outcome.error is None and recorded.event == _FINISHED:
        return f"otherwise than in the job: {name} made another output, so it depends on more than its input"
    return f"otherwise than in the job, where it was {there}"
