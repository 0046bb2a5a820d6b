"""A `MapReduceJob` as the API has it, read for people. Pure.

Neighbours: `get.py`, `describe.py`, `explain.py`, `waiting.py` and others, which ask it.
"""

from __future__ import annotations

import datetime
from typing import Any

from mapreduce import words
from mapreduce_cli import terminal
from mapreduce_cli.cluster.problems import NotFound
from mapreduce_cli.progress import Snapshot

Json = dict[str, Any]

HEADER = ("NAME", "PHASE", "MAPS", "REDUCES", "WORKERS", "RETRIES", "AGE")


def name(job: Json) -> str:
    """Return its name."""
    return str(job["metadata"]["name"])


def uid(job: Json) -> str:
    """Return its uid."""
    return str(job["metadata"].get("uid") or "")


def status(job: Json) -> Json:
    """Return its status, which may be empty."""
    found: Json = job.get("status") or {}
    return found


def phase(job: Json) -> str:
    """Return its phase; `Waiting` as long as no operator has taken it up."""
    if job["metadata"].get("deletionTimestamp"):
        return "Deleting"
    return str(status(job).get("phase") or "Waiting")


def condition(job: Json, kind: str) -> Json | None:
    """Return the condition of this type if it holds."""
    for known in status(job).get("conditions") or ():
        if known.get("type") == kind and known.get("status") == "True":
            return dict(known)
    return None


def is_over(job: Json) -> bool:
    """Tell whether the job is complete or failed."""
    return condition(job, "Complete") is not None or condition(job, "Failed") is not None


def row(job: Json, now: float) -> list[str]:
    """Return the job's row of the table."""
    known = status(job)
    return [
        name(job),
        phase(job),
        str((known.get("map") or {}).get("progress") or ""),
        str((known.get("reduce") or {}).get("progress") or ""),
        str((known.get("workers") or {}).get("summary") or ""),
        str(known.get("retries", "")),
        terminal.age(str(job["metadata"].get("creationTimestamp") or ""), now),
    ]


def snapshot(job: Json) -> Snapshot:
    """Return how far it is, for the progress display."""
    known = status(job)
    maps, reduces = known.get("map") or {}, known.get("reduce") or {}
    return Snapshot(
        phase=phase(job),
        maps=(int(maps.get("succeeded") or 0), int(maps.get("total") or 0)),
        reduces=(int(reduces.get("succeeded") or 0), int(reduces.get("total") or 0)),
        records=int(known.get("records") or 0),
        size=int(known.get("bytes") or 0),
        total_size=int(known.get("totalBytes") or 0),
        retries=int(known.get("retries") or 0),
        message=terminal.one_line(str(known.get("message") or "")),
    )


def seconds(job: Json) -> float:
    """Return how long it took from its creation to its end; 0 where that is not known."""
    try:
        began, ended = job["metadata"]["creationTimestamp"], status(job)["completionTime"]
        return (datetime.datetime.fromisoformat(ended) - datetime.datetime.fromisoformat(began)).total_seconds()
    except (KeyError, ValueError, TypeError):
        return 0.0


def left_out(job: Json) -> str:
    """Return how many tasks failed for good and are not in the output, and the first of them; or nothing."""
    named = [str(task) for task in status(job).get("failedTasks") or ()]
    if not named:
        return ""
    count = max(len(named), sum(int((status(job).get(side) or {}).get("failed") or 0) for side in ("map", "reduce")))
    more = "…" if count > len(named) else ""
    return f"{count} {'task' if count == 1 else 'tasks'} ({', '.join(named)}{more})"


def bad_records(job: Json) -> str:
    """Return how many records are left out because they are bad, and how many may be; or nothing."""
    count = int(status(job).get("badRecords") or 0)
    most = (job.get("spec") or {}).get("skipBadRecords")
    return f"{count} of at most {most}" if count else ""


def claims(job: Json) -> list[str]:
    """Return the claims that the job names, the output's first."""
    spec = job.get("spec") or {}
    named = [
        ((spec.get(side) or {}).get("volume") or {}).get("persistentVolumeClaim") or {} for side in ("output", "input")
    ]
    return list(dict.fromkeys(str(claim["claimName"]) for claim in named if claim.get("claimName")))


def selector(job: Json, role: str = "") -> str:
    """Return the label selector of the job's Pods."""
    return f"{words.LABEL_JOB_UID}={uid(job)}" + (f",{words.LABEL_ROLE}={role}" if role else "")


def unknown(job_name: str, namespace: str) -> NotFound:
    """Return the problem that there is no job of this name."""
    return NotFound(
        f"there is no job {job_name!r} in namespace {namespace!r}",
        hint="mapreduce get -A lists the jobs of all namespaces",
    )
