"""Every metric that operator, workers and gateways export: one table, by Prometheus' conventions.

What is not in the table cannot be put on a page (`metric_page.py`). No label grows with the tasks of a job, and none
is made of what user code says. `docs/metrics.md` is made of this table by `hack/metrics.py`.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

MetricKind = Literal["counter", "gauge", "histogram"]
Exporter = Literal["every", "operator", "worker", "gateway"]
EXPORTERS: Final[tuple[Exporter, ...]] = get_args(Exporter)


class Metric(msgspec.Struct, frozen=True):
    """who: the processes that export it."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    who: Exporter = "operator"


_Row = tuple[str, MetricKind, str, tuple[str, ...]]
_JOB: Final = ("namespace", "mrjob")

_EVERY: Final = (
    Metric("mapreduce_build_info", "gauge", "Always 1; the label says which version runs.", ("version",), "every"),
    Metric("process_cpu_seconds_total", "counter", "Processor time of this process, user and system.", (), "every"),
    Metric("process_resident_memory_bytes", "gauge", "Resident memory of this process.", (), "every"),
    Metric("process_start_time_seconds", "gauge", "When this process started, in Unix seconds.", (), "every"),
)
_PROCESS: Final = (
    Metric("mapreduce_epoch", "gauge", "The epoch of this operator, which grows with every start."),
    Metric("mapreduce_lease_age_seconds", "gauge", "Seconds since this operator last renewed its Lease."),
    Metric("mapreduce_list_age_seconds", "gauge", "Seconds since the last LIST of all jobs and Pods that succeeded."),
    Metric(
        "mapreduce_loop_lag_seconds",
        "histogram",
        "How much later than it asked for a loop was woken: master runs the jobs, watches hears the API server.",
        ("loop",),
    ),
    Metric(
        "mapreduce_api_requests_total",
        "counter",
        "Requests to the API server, without the watches; the code error stands for no answer at all.",
        ("method", "code"),
    ),
    Metric(
        "mapreduce_rpc_requests_total",
        "counter",
        "Requests of workers and gateways that were answered: register, program, exchange, or another path.",
        ("request", "code"),
    ),
    Metric("mapreduce_events_left_out_total", "counter", "Kubernetes Events that were not sent: too many of one job."),
)
_JOBS: Final = (
    Metric("mapreduce_jobs", "gauge", "Jobs that exist, by phase.", ("phase",)),
    Metric(
        "mapreduce_jobs_ended_total", "counter", "Jobs that ended while this process ran them, by result.", ("result",)
    ),
    Metric("mapreduce_job_defects_total", "counter", "Jobs that failed by a defect of the operator."),
    Metric("mapreduce_job_phase", "gauge", "1 for the phase in which a job is, and for no other.", (*_JOB, "phase")),
    Metric(
        "mapreduce_job_tasks",
        "gauge",
        "Tasks of a job, by kind (map, reduce) and state (waiting, active, succeeded, failed).",
        (*_JOB, "kind", "state"),
    ),
    Metric(
        "mapreduce_job_retries_total",
        "counter",
        "Attempts beyond the first of their task, backups aside.",
        (*_JOB, "kind"),
    ),
    Metric("mapreduce_job_backups_total", "counter", "Second attempts of tasks that were slow.", (*_JOB, "kind")),
    Metric(
        "mapreduce_job_charges_total",
        "counter",
        "Failures by who pays for them: user (the task's budget), disruption, segments.",
        (*_JOB, "budget"),
    ),
    Metric("mapreduce_job_input_records_total", "counter", "Input records of maps that have succeeded.", _JOB),
    Metric("mapreduce_job_input_bytes_total", "counter", "Input bytes of maps that have succeeded.", _JOB),
    Metric("mapreduce_job_input_size_bytes", "gauge", "Bytes of the whole input; 0 until it is planned.", _JOB),
    Metric("mapreduce_job_bad_records_total", "counter", "Bad records left out, as skipBadRecords allows.", _JOB),
    Metric("mapreduce_job_workers", "gauge", "Workers of a job: desired, and ready.", (*_JOB, "state")),
    Metric(
        "mapreduce_job_partition_bytes",
        "gauge",
        "Bytes of the largest and of the median partition, once every map has succeeded.",
        (*_JOB, "stat"),
    ),
    Metric("mapreduce_job_start_timestamp_seconds", "gauge", "When the job began, in Unix seconds.", _JOB),
    Metric(
        "mapreduce_job_progress_timestamp_seconds",
        "gauge",
        "When a task of the job last ended, or its phase changed, in Unix seconds.",
        _JOB,
    ),
)

_OF_WORKER: Final[tuple[_Row, ...]] = (
    ("slots", "gauge", "Slots of this worker, by state: busy or free.", ("state",)),
    (
        "attempts_total",
        "counter",
        "Attempts that ended in a slot, by kind and outcome: succeeded, failed, or killed with its process.",
        ("kind", "outcome"),
    ),
    ("records_total", "counter", "Input records of maps that succeeded here.", ()),
    ("read_bytes_total", "counter", "Bytes of input that were fetched from a gateway.", ()),
    ("fetched_bytes_total", "counter", "Bytes of map outputs that were fetched from workers.", ()),
    ("served_bytes_total", "counter", "Bytes of map outputs and parts that others have read here.", ()),
    ("fetch_failures_total", "counter", "Fetches that failed: of input, or of segments.", ("what",)),
    ("spills_total", "counter", "Runs that reduces here have written to disk, since they did not fit.", ()),
    ("cpu_seconds_total", "counter", "Processor time of the worker and of all that it started.", ()),
    ("memory_bytes", "gauge", "Memory of the worker and of all that it started, without pages of files.", ()),
    ("memory_limit_bytes", "gauge", "Memory that the Pod may use.", ()),
    ("scratch_bytes", "gauge", "Bytes on the scratch disk.", ()),
    ("scratch_limit_bytes", "gauge", "Bytes that may be on the scratch disk.", ()),
    ("master_silence_seconds", "gauge", "Seconds since the operator last answered.", ()),
)
_OF_GATEWAY: Final[tuple[_Row, ...]] = (
    ("served_bytes_total", "counter", "Bytes of input that workers have read here.", ()),
    ("staged_parts_total", "counter", "Parts that were staged.", ()),
    ("staged_bytes_total", "counter", "Bytes of the parts that were staged.", ()),
    ("journal_frames_total", "counter", "Frames that are durable in the journal.", ()),
    ("journal_sync_seconds", "histogram", "How long frames took to become durable.", ()),
    (
        "store_errors_total",
        "counter",
        "Operations of the store that failed: open, plan, stage, publish, clean, journal.",
        ("operation",),
    ),
    ("volume_free_bytes", "gauge", "Bytes that are free on the volume: input or output.", ("volume",)),
    ("volume_size_bytes", "gauge", "Bytes that the volume has in all.", ("volume",)),
)

TABLE: Final = (
    *_EVERY,
    *_PROCESS,
    *_JOBS,
    *(Metric(f"mapreduce_worker_{name}", kind, told, labels, "worker") for name, kind, told, labels in _OF_WORKER),
    *(Metric(f"mapreduce_gateway_{name}", kind, told, labels, "gateway") for name, kind, told, labels in _OF_GATEWAY),
)
BY_NAME: Final = {metric.name: metric for metric in TABLE}
