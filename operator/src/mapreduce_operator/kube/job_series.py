"""The metrics of one job, made of its newest status when somebody asks.

They go ten minutes after the job's end, and with its resource. Neighbours: `publish.py` (has one of these a job),
`metrics.py` (asks).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mapreduce.metric_page import Counter
from mapreduce_operator.core.events import JobStatus, PhaseCounts

KEPT_SECONDS: Final = 600.0
"""Seconds after its end for which a job has metrics of its own: some scrapes, and the pause before an alert fires."""
STALLED_SECONDS: Final = 900.0
"""Seconds without a task that ends, after which people are told."""
MOVING: Final = ("Planning", "Mapping", "Reducing", "Publishing")
OVER: Final = ("Succeeded", "Failed")

Values = dict[tuple[str, tuple[str, ...]], float]
"""By the metric's name, and the labels behind namespace and mrjob."""


class JobSeries:
    """What a scraper is told of one job. `phase`: the one that its resource tells at first sight."""

    def __init__(self, namespace: str, name: str, phase: str, ended: Counter) -> None:
        self.job = (namespace, name)
        self.phase = phase or "Pending"
        self._ended = ended
        self._ended_at = 0.0
        self._status: JobStatus | None = None
        self._done: tuple[object, ...] = ()
        self._moved_at = self._told_at = 0.0
        self._counted: Values = {}

    def saw(self, status: JobStatus, wall: float) -> None:
        """Take in a status that people are shown."""
        maps, reduces = status.maps, status.reduces
        done = (status.phase, maps.succeeded, maps.failed, reduces.succeeded, reduces.failed, status.records)
        if done != self._done:
            self._done, self._moved_at = done, wall
        if status.phase in OVER and not self._ended_at:
            self._ended_at = wall
            if self.phase not in OVER:
                self._ended.add(status.phase)
        self.phase, self._status = status.phase, status

    def stalls(self, wall: float) -> bool:
        """Tell, once each time, that the job has not moved for `STALLED_SECONDS` though it is meant to."""
        if self.phase not in MOVING or self._told_at == self._moved_at or wall - self._moved_at < STALLED_SECONDS:
            return False
        self._told_at = self._moved_at
        return True

    def is_told(self, wall: float) -> bool:
        """Tell whether the job has metrics of its own now."""
        return self._status is not None and (not self._ended_at or wall - self._ended_at < KEPT_SECONDS)

    def own(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Yield what cannot be summed over jobs."""
        status = self._status
        if status is None:
            return
        yield "mapreduce_job_phase", (status.phase,), 1
        yield "mapreduce_job_progress_timestamp_seconds", (), self._moved_at
        if status.start_wall is not None:
            yield "mapreduce_job_start_timestamp_seconds", (), status.start_wall
        if status.skew is not None:
            yield "mapreduce_job_partition_bytes", ("largest",), status.skew.largest
            yield "mapreduce_job_partition_bytes", ("median",), status.skew.median

    def sizes(self) -> Values:
        """Return what may be summed, and goes up and down."""
        status = self._status
        if status is None:
            return {}
        found: Values = {
            ("mapreduce_job_input_size_bytes", ()): status.total_size,
            ("mapreduce_job_workers", ("desired",)): status.workers_desired,
            ("mapreduce_job_workers", ("ready",)): status.workers_ready,
        }
        for kind, counts in _kinds(status):
            over = counts.active + counts.succeeded + counts.failed
            found["mapreduce_job_tasks", (kind, "waiting")] = counts.total - over
            found["mapreduce_job_tasks", (kind, "active")] = counts.active
            found["mapreduce_job_tasks", (kind, "succeeded")] = counts.succeeded
            found["mapreduce_job_tasks", (kind, "failed")] = counts.failed
        return found

    def counted(self) -> Values:
        """Return what may be summed, and only grows: an output that is lost takes back what was told of it before."""
        status = self._status
        if status is None:
            return {}
        now: Values = {
            ("mapreduce_job_input_records_total", ()): status.records,
            ("mapreduce_job_input_bytes_total", ()): status.size,
            ("mapreduce_job_bad_records_total", ()): status.bad_records,
            ("mapreduce_job_charges_total", ("user",)): status.charges.user,
            ("mapreduce_job_charges_total", ("disruption",)): status.charges.disruption,
            ("mapreduce_job_charges_total", ("segments",)): status.charges.segments,
        }
        for kind, counts in _kinds(status):
            now["mapreduce_job_retries_total", (kind,)] = counts.retried
            now["mapreduce_job_backups_total", (kind,)] = counts.speculative
        self._counted = {key: max(value, self._counted.get(key, 0.0)) for key, value in now.items()}
        return self._counted


def _kinds(status: JobStatus) -> tuple[tuple[str, PhaseCounts], ...]:
    return ("map", status.maps), ("reduce", status.reduces)
