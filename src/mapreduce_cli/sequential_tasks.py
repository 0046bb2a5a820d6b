"""The tasks of a job in one process: plan, every map, every reduce, publish, in this order.

Neighbours: `sequential.py` (opens the output, and tidies up), `mapreduce_worker.engine` (does every task),
`sequential_history.py` (what is noted).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

import mapreduce
from mapreduce import bad_records, boundaries, counters, digests, keys, paths
from mapreduce.api import Job
from mapreduce.bad_records import BadRecord
from mapreduce.errors import MapReduceError
from mapreduce.history import PlanMade, PlanPage
from mapreduce.ids import AttemptId, Kind, TaskId
from mapreduce.keys import KeyType
from mapreduce.plan import FileRange, Split, make_plan
from mapreduce.protocol import PAGE_SPLITS, ErrorInfo, MapOutput, OutputSummary
from mapreduce.spec import JobSpec
from mapreduce_cli.failures import JobFailed
from mapreduce_cli.progress import Display, Snapshot
from mapreduce_cli.sequential_history import EPOCH, WORKER, History
from mapreduce_operator.core import policies
from mapreduce_worker.engine import cuts, map_output, map_part, map_task, program, ranges, reduce_task
from mapreduce_worker.engine import failure as engine_failure
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.options import PROCESS_SHARE, of_job
from mapreduce_worker.engine.part import PartResult
from mapreduce_worker.gateway.apart import require_apart
from mapreduce_worker.gateway.storage import Output, PartFacts, PartToStage
from mapreduce_worker.gateway.store import PosixStore

T = TypeVar("T")


class _TaskFailed(Exception):
    """An attempt ended without a result."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


class SequentialRun:
    """One run: the output is open."""

    def __init__(
        self, spec: JobSpec, root: Path, store: PosixStore, output: Output, scratch: Path, show: Display
    ) -> None:
        """Begin the history; nothing else happens yet."""
        self._spec = spec
        self._root = root
        self._store = store
        self._output = output
        self._scratch = scratch
        self._show = show
        limits = spec.limits
        self._cut = cuts.finder(root, spec.format, spec.max_record_bytes, skips=spec.skip_bad_records > 0)
        self._options = of_job(spec, limits.flush_bytes, limits.slot_memory // PROCESS_SHARE)
        self._counters: dict[str, int] = {}
        self._left_out: list[TaskId] = []
        self._bad: list[BadRecord] = []
        self._consumed = ""
        self._history = History(output)
        self._began = 0.0
        self._snapshot = Snapshot(phase="Planning")
        self._key_type: KeyType = ""
        self._key_at = ""

    def run(self) -> OutputSummary:
        """Plan, map, reduce, publish; raises `UsageError` or `JobFailed`."""
        self._history.note("EpochOpened")
        self._history.note("WorkerReady", worker=WORKER, number=0, slots=1)
        job_class, self._options = program.ready(self._spec.program, self._scratch, self._options)
        splits = self._plan()
        if not program.shape(job_class).has_reduce:
            for split in splits:
                self._or_leave_out(_attempt("map", split.index), partial(self._map_part, job_class, split))
            return self._publish("map", len(splits))
        outputs: dict[int, tuple[Path, MapOutput]] = {}
        for split in splits:
            attempt = _attempt("map", split.index)
            made = self._or_leave_out(attempt, partial(self._map, job_class, split))
            if made is not None:
                outputs[split.index] = made
        checksums = [
            (split.index, outputs[split.index][1].checksum if split.index in outputs else "") for split in splits
        ]
        self._consumed = digests.consumed(checksums)
        chosen = self._divide([made for _, made in outputs.values()])
        self._draw(reduces=(0, self._spec.reducers))
        for partition in range(self._spec.reducers):
            wanted = boundaries.range_of(chosen, partition) if self._spec.order == "total" else boundaries.ALL
            segments = [
                map_output.segment_file(path, map_output.read_index(path), partition, wanted)
                for path, _ in outputs.values()
            ]
            attempt = _attempt("reduce", partition)
            self._or_leave_out(attempt, partial(self._reduce, job_class, partition, segments))
        return self._publish("reduce", self._spec.reducers)

    def _divide(self, outputs: list[MapOutput]) -> tuple[bytes, ...]:
        """Choose the ranges of keys that the reduces read, where keys have a total order."""
        if self._spec.order != "total":
            return ()
        chosen = boundaries.choose([(made.rows, made.sample) for made in outputs], self._spec.reducers)
        self._history.note("Divided", boundaries=chosen)
        return chosen

    def _or_leave_out(self, attempt: AttemptId, work: Callable[[], T]) -> T | None:
        """Do a task; where it fails, and the job may do without it, note that and return None.

        One attempt is enough: in one process another would fail alike.
        """
        try:
            return work()
        except _TaskFailed as failed:
            info = failed.info
            if info.kind != "user" or not policies.leaves_out(len(self._left_out), self._spec.limits):
                raise JobFailed(info.reason, info.message, where=info.where, traceback=info.traceback) from failed
            self._left_out.append(attempt.task)
            where = f" (at {info.where})" if info.where else ""
            message = f"{attempt.task} failed: {info.message}{where}"
            self._history.note("Charged", attempt, reason=info.reason, message=info.message, budget="user")
            self._history.note("LeftOut", task=attempt.task, reason=info.reason, message=message)
            self._show.say(f"LeftOut: {message}")
            return None

    def _plan(self) -> list[Split]:
        self._draw(phase="Planning")
        listing = ranges.list_files(self._root, self._spec.inputs)
        require_apart(self._root, self._root, self._spec, listing)
        header, splits = make_plan(listing, self._spec, mapreduce.__version__, self._cut)
        pages = [tuple(splits[at : at + PAGE_SPLITS]) for at in range(0, len(splits), PAGE_SPLITS)]
        for number, page in enumerate(pages):
            self._history.append(PlanPage(number, page))
        self._history.append(PlanMade(header, len(pages)))
        self._history.note("Planned", rows=len(splits), size=header.size)
        self._header = header
        self._draw(phase="Mapping", maps=(0, len(splits)), total_size=header.size)
        return splits

    def _map(self, job_class: type[Job], split: Split) -> tuple[Path, MapOutput]:
        attempt = _attempt("map", split.index)
        samples = boundaries.samples(self._header.splits, self._spec.reducers, split.index)
        out = self._scratch / paths.map_output(attempt)
        before = self._snapshot
        work = partial(
            map_task.run_map,
            job_class,
            split,
            self._source,
            options=msgspec.structs.replace(self._options, samples=samples),
            attempt=attempt,
            out=out,
            progress=self._map_progress(before),
        )
        made = self._attempted(attempt, work)
        self._check_key_type(attempt, made)
        self._note_finished(attempt, made)
        self._end_map(before, made.records, split)
        return out, made

    def _map_part(self, job_class: type[Job], split: Split) -> None:
        attempt = _attempt("map", split.index)
        out = self._scratch / paths.reduce_output(attempt)
        before = self._snapshot
        work = partial(
            map_part.run_map,
            job_class,
            split,
            self._source,
            options=self._options,
            out=out,
            progress=self._map_progress(before),
        )
        made = self._attempted(attempt, work)
        self._note_finished(attempt, made)
        self._stage(split.index, attempt, made, out)
        self._end_map(before, made.records, split)

    def _attempted(self, attempt: AttemptId, work: Callable[[], T]) -> T:
        """Let the engine work, and note how that began and, if it failed, how it ended."""
        self._history.note("Assigned", attempt)
        self._history.note("Started", attempt, slot=0)
        self._began = time.process_time()
        try:
            return work()
        except Exception as error:  # the boundary of an attempt
            raise self._failed(attempt, error) from error

    def _cpu(self) -> float:
        """Return the seconds of processor time that the attempt has taken."""
        return round(time.process_time() - self._began, 2)

    def _map_progress(self, before: Snapshot) -> Callable[[int, int], None]:
        return lambda records, size: self._draw(records=before.records + records, size=before.size + size)

    def _end_map(self, before: Snapshot, records: int, split: Split) -> None:
        maps = (before.maps[0] + 1, before.maps[1])
        self._draw(maps=maps, records=before.records + records, size=before.size + split.size)

    def _note_finished(self, attempt: AttemptId, made: MapOutput | PartResult) -> None:
        """Note what an attempt made, and add what it counted; the sum may be refused too."""
        try:
            self._counters = counters.add((self._counters, made.counters))
        except counters.CounterError as error:
            info = self._failed(attempt, error).info
            raise JobFailed(info.reason, info.message) from error
        self._history.note(
            "Finished",
            attempt,
            checksum=made.checksum,
            rows=made.rows,
            size=made.size,
            records=made.records,
            counters=made.counters,
            bad=made.bad,
            spills=made.spills,
            cpu=self._cpu(),
        )
        self._leave_out_records(made.bad)

    def _leave_out_records(self, found: tuple[BadRecord, ...]) -> None:
        self._bad += found
        if found and len(self._bad) > self._spec.skip_bad_records:
            message = bad_records.too_many(self._spec.skip_bad_records, found[-1])
            raise JobFailed("TooManyBadRecords", message)

    def _source(self, part: FileRange, _position: int) -> tuple[int, Iterator[Chunk]]:
        skips = self._spec.skip_bad_records > 0
        return ranges.read_range(self._root, part, self._spec.max_record_bytes, skips=skips)

    def _check_key_type(self, attempt: AttemptId, made: MapOutput) -> None:
        if made.key_type in ("", self._key_type):
            return
        if self._key_type:
            message = keys.mixture(self._key_type, self._key_at, made.key_type, made.key_at)
            self._history.note("Failed", attempt, reason="MixedKeys", message=message)
            raise JobFailed("MixedKeys", message)
        self._key_type, self._key_at = made.key_type, made.key_at

    def _reduce(self, job_class: type[Job], partition: int, segments: list[map_output.SegmentFile]) -> None:
        attempt = _attempt("reduce", partition)
        out = self._scratch / paths.reduce_output(attempt)
        self._draw(phase="Reducing")
        work = partial(
            reduce_task.run_reduce,
            job_class,
            segments,
            options=self._options,
            key_type=self._key_type,
            partition=partition,
            attempt=attempt,
            out=out,
            scratch=self._scratch,
            progress=lambda _records, _size: self._draw(),
        )
        part = self._attempted(attempt, work)
        self._note_finished(attempt, part)
        self._history.note("Consumed", attempt, checksum=self._consumed)
        self._stage(partition, attempt, part, out)
        self._draw(reduces=(self._snapshot.reduces[0] + 1, self._snapshot.reduces[1]))

    def _stage(self, partition: int, source: AttemptId, made: PartResult, out: Path) -> None:
        """Hand a part over to the output."""
        stage = PartToStage(
            attempt=_attempt("stage", partition),
            partition=partition,
            source=source,
            facts=PartFacts(made.checksum, made.rows, made.size),
            records=made.records,
            counters=made.counters,
            bad=made.bad,
        )
        temporary = self._output.incoming(stage)
        self._store.adopt(out, temporary)
        self._output.stage(stage, temporary, time.time())
        out.unlink()

    def _publish(self, producers: Kind, parts: int) -> OutputSummary:
        self._draw(phase="Publishing")
        manifest = {
            "job": {"name": self._spec.name, "namespace": self._spec.namespace, "uid": self._spec.uid},
            "plan": self._header,
            "epoch": EPOCH,
            "key_type": self._key_type,
            "counters": self._counters,
            "left_out": [str(task) for task in sorted(self._left_out)],
        }
        content = msgspec.json.encode(manifest)
        left_out = [task.index for task in self._left_out if task.kind == producers]
        summary = self._output.publish(
            _attempt("publish", 0), content, time.time(), parts=parts, left_out=left_out, bad=tuple(self._bad)
        )
        self._draw(phase="Succeeded")
        return summary

    def _failed(self, attempt: AttemptId, error: Exception) -> _TaskFailed:
        """Say what the engine says of an exception, and note it."""
        info = engine_failure.describe(error)
        with suppress(MapReduceError):
            # Where the journal cannot be written any more, the failure itself matters more.
            self._history.failed(attempt, info, self._cpu())
        return _TaskFailed(info)

    def _draw(self, **changes: object) -> None:
        self._snapshot = msgspec.structs.replace(self._snapshot, **changes)
        self._show.show(self._snapshot)


def _attempt(kind: Kind, index: int) -> AttemptId:
    return AttemptId(TaskId(0, kind, index), EPOCH, 0)
