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

_PROGRESS: Final = ("startTime", "retries", "records", "bytes", "totalBytes", "map", "reduce", "output", "lastFailures")
"""Fields that tell what a job did since it started."""

Json = dict[str, Any]


def timestamp(wall: float | None) -> str | None:
    """Return Unix seconds as the API writes time."""
    if wall is None:
        return None
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def patch(status: JobStatus, generation: int, previous: Mapping[str, Any]) -> Json:
    """Return the merge patch of the `status` subresource, at most 20 kB.

    `previous` is the status that stands there: a condition that says the same keeps its time.
    What the status does not have is null, so that it goes away; but one that knows of no start,
    where one stands, comes of an operator that restarted, and does not take away what was done.
    """
    for traceback in _TRACEBACKS:
        body = _render(status, generation, previous, traceback)
        if len(msgspec.json.encode(body)) <= MAX_BYTES:
            return {"status": body}
    return {"status": _render(status, generation, previous, 0) | {"lastFailures": None}}


def failed(reason: str, message: str, wall: float, last: JobStatus | None = None) -> JobStatus:
    """Return the status of a job whose core cannot run, or not any more.

    `last`: what the job had done by then, if anybody knows.
    """
    last = last or JobStatus(phase="Failed")
    others = (known for known in last.conditions if known.type not in ("Complete", "Failed"))
    condition = Condition(type="Failed", status="True", reason=reason, message=message, since=wall)
    return msgspec.structs.replace(
        last, phase="Failed", conditions=(*others, condition), completion_wall=wall, message=message
    )


def is_final(status: JobStatus) -> bool:
    """Tell whether the job is over: such a status goes out at once."""
    return status.phase in ("Succeeded", "Failed")


def _render(status: JobStatus, generation: int, previous: Mapping[str, Any], traceback: int) -> Json:
    fields = _fields(status, generation, previous, traceback)
    if status.start_wall is None and previous.get("startTime"):
        return {name: value for name, value in fields.items() if name not in _PROGRESS}
    return fields


def _fields(status: JobStatus, generation: int, previous: Mapping[str, Any], traceback: int) -> Json:
    return {
        "observedGeneration": generation,
        "phase": status.phase,
        "message": _cut(_message(status), _MESSAGE) or None,
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


def _message(status: JobStatus) -> str:
    """Return why the job waits, or why it failed: the core says that in the condition alone."""
    failures = (known.message for known in status.conditions if known.type == "Failed" and known.status == "True")
    return status.message or next(failures, "")


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
