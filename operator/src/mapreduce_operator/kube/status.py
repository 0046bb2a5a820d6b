"""A `JobStatus` → the status that stands in the resource, by the conventions of the API.

Pure. Neighbours: `publish.py` (sends it), `core.suspension`, the schema in `crds/`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mapreduce import words
from mapreduce_operator.core import suspension
from mapreduce_operator.core.events import Condition, JobStatus, PhaseCounts, SkewStatus, TaskFailure

MAX_BYTES: Final = 20_000
_MESSAGE: Final = 2_000
_LEAST: Final = 500
"""Characters of a message where the whole status was refused."""
_TRACEBACKS: Final = (2_000, 500, 0)
"""Characters of each traceback; shortened further where the status is too large."""

_PROGRESS: Final = (
    "startTime",
    "retries",
    "charged",
    "records",
    "bytes",
    "totalBytes",
    "map",
    "reduce",
    "counters",
    "skew",
    "output",
    "lastFailures",
    "failedTasks",
    "badRecords",
)
"""Fields that tell what a job did since it started."""

Json = dict[str, Any]


def timestamp(wall: float | None) -> str | None:
    """Return Unix seconds as the API writes time."""
    if wall is None:
        return None
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Frame(msgspec.Struct, frozen=True):
    """What is written beside the status itself."""

    generation: int
    previous: Mapping[str, Any]
    selector: str
    wall: float


def patch(
    status: JobStatus, generation: int, previous: Mapping[str, Any], *, selector: str = "", wall: float = 0.0
) -> Json:
    """Return the merge patch of the `status` subresource, at most 20 kB; `wall` is now, in Unix seconds.

    `selector` picks the job's worker Pods. `previous` is the status that stands there: a condition
    that says the same keeps its time. What the status does not have is null, so that it goes away;
    but one that knows of no start, where one stands, comes of an operator that restarted, and does
    not take away what was done.
    """
    frame = _Frame(generation, previous, selector, wall)
    bodies = [_render(status, frame, traceback) for traceback in _TRACEBACKS]
    for body in bodies:
        if _fits(body):
            return {"status": body}
    # Counters are in the manifest too; the last failures are nowhere else that is as near.
    without = bodies[-1] | {"counters": None}
    return {"status": without if _fits(without) else without | {"lastFailures": None}}


def least(
    status: JobStatus, generation: int, previous: Mapping[str, Any], *, selector: str = "", wall: float = 0.0
) -> Json:
    """Return a patch with so little of the status that no API server refuses it: where `patch` is refused.

    The phase, the conditions with words that are known, short messages; whatever else stands there stays.
    """
    conditions = _conditions(status, _Frame(generation, previous, selector, wall))
    for condition in conditions:
        condition["message"] = _cut(condition["message"], _LEAST)
        if condition["reason"] not in words.REASONS:
            condition["reason"] = "InternalError"
    return {
        "status": {
            "observedGeneration": generation,
            "phase": status.phase,
            "message": _cut(f"the API server refused the whole status; {_message(status)}", _LEAST),
            "completionTime": timestamp(status.completion_wall),
            "conditions": conditions,
        }
    }


def _fits(body: Json) -> bool:
    return len(msgspec.json.encode(body)) <= MAX_BYTES


def slimmed(status: JobStatus) -> JobStatus:
    """Return the status without the middle of texts that nobody is shown: it is kept for as long as the job exists."""
    failures = (
        msgspec.structs.replace(
            failure,
            message=_slim(failure.message),
            where=_slim(failure.where),
            traceback=_slim(failure.traceback),
            output=_slim(failure.output),
        )
        for failure in status.last_failures
    )
    conditions = (
        msgspec.structs.replace(condition, message=_slim(condition.message)) for condition in status.conditions
    )
    return msgspec.structs.replace(
        status, message=_slim(status.message), conditions=tuple(conditions), last_failures=tuple(failures)
    )


def _slim(text: str) -> str:
    limit = _TRACEBACKS[0]
    return text if len(text) <= 2 * limit else text[:limit] + text[-limit:]


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


def _render(status: JobStatus, frame: _Frame, traceback: int) -> Json:
    fields = _fields(status, frame, traceback)
    if status.start_wall is None and frame.previous.get("startTime"):
        return {name: value for name, value in fields.items() if name not in _PROGRESS}
    return fields


def _fields(status: JobStatus, frame: _Frame, traceback: int) -> Json:
    return {
        "observedGeneration": frame.generation,
        "phase": status.phase,
        "message": _cut(_message(status), _MESSAGE) or None,
        "startTime": timestamp(status.start_wall),
        "completionTime": timestamp(status.completion_wall),
        "retries": status.maps.retried + status.reduces.retried,
        "charged": msgspec.to_builtins(status.charges),
        "records": status.records,
        "bytes": status.size,
        "totalBytes": status.total_size,
        "map": _counts(status.maps),
        "reduce": _counts(status.reduces),
        "workers": {
            "desired": status.workers_desired,
            "ready": status.workers_ready,
            "summary": f"{status.workers_ready}/{status.workers_desired}",
        }
        | ({"selector": frame.selector} if frame.selector else {}),
        "counters": _counters(status, frame.previous),
        "output": _output(status),
        "lastFailures": [_failure(failure, traceback) for failure in status.last_failures] or None,
        "failedTasks": list(status.failed_tasks) or None,
        "badRecords": status.bad_records or None,
        "conditions": _conditions(status, frame),
    } | ({"skew": _skew(status.skew)} if status.skew is not None else {})


def _skew(skew: SkewStatus) -> Json:
    keys = [{"key": key.key, "partition": key.partition, "bytes": key.size} for key in skew.heavy]
    return {"largestBytes": skew.largest, "medianBytes": skew.median, "heavyKeys": keys or None}


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
        "speculative": counts.speculative,
        "progress": f"{counts.succeeded}/{counts.total}",
    }


def _counters(status: JobStatus, previous: Mapping[str, Any]) -> Json | None:
    """In a merge patch a name that is gone must be null, or it would stay."""
    gone = dict.fromkeys(previous.get("counters") or ())
    least, most = -(1 << 63), (1 << 63) - 1
    return gone | {name: min(most, max(least, count)) for name, count in status.counters.items()} or None


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
    # In a list a null would stay.
    more = {"output": failure.output[-traceback // 2 :] if traceback else "", "peakMemory": failure.peak_memory}
    return {
        "task": failure.task,
        "worker": failure.worker,
        "reason": failure.reason,
        "message": _cut(failure.message, _MESSAGE // 4),
        "where": _cut(failure.where, _MESSAGE // 4),
        "traceback": _cut(failure.traceback, traceback),
        "time": timestamp(failure.wall),
    } | {name: value for name, value in more.items() if value}


def _conditions(status: JobStatus, frame: _Frame) -> list[Json]:
    stands = {known.get("type"): known for known in frame.previous.get("conditions") or ()}
    told = suspension.turned(status, stands, frame.wall)
    return [_condition(condition, frame.generation, stands.get(condition.type) or {}) for condition in told]


def _condition(condition: Condition, generation: int, stands: Mapping[str, Any]) -> Json:
    since = timestamp(condition.since)
    if stands.get("status") == condition.status:
        # After a restart of the operator the core counts anew; to people nothing changed.
        since = stands.get("lastTransitionTime") or since
    return {
        "type": condition.type,
        "status": condition.status,
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
