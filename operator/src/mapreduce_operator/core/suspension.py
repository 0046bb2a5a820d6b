"""What is said of a job that is suspended, or was: the same whether it has a core or not.

A job that is suspended before it has begun has no core; its shell publishes what is made here.
Neighbours: `status.py` (a job with a core), `wishes.py` (suspends and resumes it).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from mapreduce_operator.core.events import Announce, Condition, JobStatus

SUSPENDED: Final = "Suspended"
RESUMED: Final = "Resumed"
SHORT: Final = "the job is suspended"
MESSAGE: Final = f"{SHORT}: no Pod of it runs, until spec.suspend is false"
_OVER: Final = "the job is not suspended any more"


def begun(wall: float) -> Condition:
    """Return the condition of a job that is suspended; `wall` is since when, in Unix seconds."""
    return Condition(type="Suspended", status="True", reason=SUSPENDED, message=MESSAGE, since=wall)


def over(wall: float) -> Condition:
    """Return the condition of a job that was suspended and is not any more, since `wall`."""
    return Condition(type="Suspended", status="False", reason=RESUMED, message=_OVER, since=wall)


def without_core(wall: float) -> tuple[JobStatus, Announce]:
    """Return the status of a job that is suspended and has no core, and what is announced once."""
    status = JobStatus(phase="Suspended", conditions=(begun(wall),), message=MESSAGE)
    return status, Announce(kind="Normal", reason=SUSPENDED, message=MESSAGE)


def turned(status: JobStatus, shown: Collection[str], wall: float) -> tuple[Condition, ...]:
    """Return the conditions to show of a status where conditions of the types `shown` stand already.

    A core knows of no suspension before its time; what stands there must turn, not vanish.
    """
    if "Suspended" not in shown or any(known.type == "Suspended" for known in status.conditions):
        return status.conditions
    return (*status.conditions, over(wall))
