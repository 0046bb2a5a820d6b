"""A `JobStatus` → the status that stands in the resource, by the conventions of the API.

Pure. Neighbours: `publish.py` (sends it), the schema in `crds/`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from mapreduce_operator.core.events import Condition, JobStatus, PhaseCounts, TaskFailure

MAX_BYTES: Final = 20_000
FAILURES: Final = 5
_MESSAGE: Final = 2_000
_TRACEBACKS: Final = (2_000, 500, 0)
"""Characters of each traceback; shortened further where the status is too large."""

Json = dict[str, Any]


def timestamp(wall: float | None) -> str | None:
    """Return Unix seconds as the API writes time."""
    if wall is None:
        return None
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def patch(status: JobStatus, generation: int, previous: Mapping[str, Any]) -> Json:
    """Return the merge patch of the `status` subresource, at most 20 kB.

    `previous` is the status that stands there: a condition that says the same keeps its time.
    What the status does not have is null, so that it goes away.
    """
    for traceback in _TRACEBACKS:
        body = _render(status, generation, previous, traceback)
        if len(msgspec.json.encode(body)) <= MAX_BYTES:
            return {"status": body}
    return {"status": _render(status, generation, previous, 0) | {"lastFailures": None}}


def failed(reason: str, message: str, wall: float) -> JobStatus:
    """Return the status of a job that failed before its core could run."""
    condition = Condition(type="Failed", status="True", reason=reason, message=message, since=wall)
    return JobStatus(phase="Failed", conditions=(condition,), completion_wall=wall, message=message)


def is_final(status: JobStatus) -> bool:
    """Tell whether the job is over: such a status goes out at once."""
    return status.phase in ("Succeeded", "Failed")


def _render(status: JobStatus, generation: int, previous: Mapping[str, Any], traceback: int) -> Json:
    return {
        "observedGeneration": generation,
        "phase": status.phase,
        "message": _cut(status.message, _MESSAGE) or None,
        "startTime": timestamp(status.start_wall),
        "completionTime": timestamp(status.completion_wall),
        "retries": status.maps.retried + status.reduces.retried,
        "records": status.records,
        "bytes": status.size,
        "totalBytes": status.total_size,
        "map": _counts(status.maps),
        "reduce": _counts(status.reduces),
        "workers": {
            "desired": status.workers_desired,
            "ready": status.workers_ready,
            "summary": f"{status.workers_ready}/{status.workers_desired}",
        },
        "output": _output(status),
        "lastFailures": [_failure(failure, traceback) for failure in status.last_failures[:FAILURES]] or None,
        "conditions": [_condition(condition, generation, previous) for condition in status.conditions],
    }


def _counts(counts: PhaseCounts) -> Json:
    return {
        "total": counts.total,
        "active": counts.active,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "retried": counts.retried,
        "progress": f"{counts.succeeded}/{counts.total}",
    }


def _output(status: JobStatus) -> Json | None:
    output = status.output
    if output is None:
        return None
    return {
        "path": output.path,
        "files": output.files,
        "records": output.records,
        "bytes": output.size,
        "checksum": output.checksum,
    }


def _failure(failure: TaskFailure, traceback: int) -> Json:
    return {
        "task": failure.task,
        "worker": failure.worker,
        "reason": failure.reason,
        "message": _cut(failure.message, _MESSAGE // 4),
        "where": _cut(failure.where, _MESSAGE // 4),
        "traceback": _cut(failure.traceback, traceback),
        "time": timestamp(failure.wall),
    }


def _condition(condition: Condition, generation: int, previous: Mapping[str, Any]) -> Json:
    since = timestamp(condition.since)
    status: Literal["True", "False"] = condition.status
    for known in previous.get("conditions") or ():
        # After a restart of the operator the core counts anew; to people nothing changed.
        if known.get("type") == condition.type and known.get("status") == status:
            since = known.get("lastTransitionTime") or since
    return {
        "type": condition.type,
        "status": status,
        "reason": condition.reason,
        "message": _cut(condition.message, _MESSAGE),
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }


def _cut(text: str, limit: int) -> str:
    """Shorten in the middle: a message begins with what happened and often ends with where."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} … {text[-half:]}" if half else ""
