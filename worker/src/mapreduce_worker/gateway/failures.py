"""How a storage operation's error is told to the master: which budget, which reason.

Neighbours: `shell.py` calls `describe` at the border of each operation; `engine.failure` knows the
errors of the input.
"""

from __future__ import annotations

import traceback
from typing import Literal

from mapreduce.errors import CorruptionError, InputError, SystemFault
from mapreduce.protocol import ErrorInfo
from mapreduce_worker.engine import failure
from mapreduce_worker.gateway.planner import PlanTooLarge
from mapreduce_worker.gateway.publishing import Abandoned
from mapreduce_worker.gateway.reservation import OutputInside, OutputReserved
from mapreduce_worker.gateway.standing import OutputExists
from mapreduce_worker.gateway.storage import OutputImpossible
from mapreduce_worker.gateway.store import PathRefused, StoreError


class PartUnreadable(SystemFault):
    """A part could not be fetched from the worker that holds it, or is not what that worker promised."""


_TABLE: tuple[tuple[type[BaseException], Literal["disruption", "refused"], str], ...] = (
    (OutputExists, "refused", "OutputExists"),
    (OutputReserved, "refused", "OutputReserved"),
    (OutputImpossible, "refused", "InvalidSpec"),
    (OutputInside, "refused", "InvalidSpec"),
    (PlanTooLarge, "refused", "PlanTooLarge"),
    (PathRefused, "refused", "InvalidSpec"),
    (PartUnreadable, "disruption", "SegmentUnreadable"),
    (StoreError, "disruption", "StorageFailed"),
    (OSError, "disruption", "StorageFailed"),
    # What stands on the volume is damaged, and stays so: the journal, a manifest.
    (CorruptionError, "refused", "StorageFailed"),
    (Abandoned, "disruption", "Cancelled"),
)


def describe(error: BaseException) -> ErrorInfo:
    """Return the failure as the user reads it."""
    if isinstance(error, (InputError, failure.UserTaskError)):
        return failure.describe(error)
    for kind, budget, reason in _TABLE:
        if isinstance(error, kind):
            return ErrorInfo(kind=budget, reason=reason, message=str(error))
    text = "".join(traceback.format_exception(error))
    return ErrorInfo(
        kind="disruption", reason="InternalError", message=f"{type(error).__name__}: {error}", traceback=text
    )
