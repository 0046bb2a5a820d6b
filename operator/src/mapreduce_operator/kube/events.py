"""Kubernetes Events of a job: what `kubectl describe` lists at its end.

Pure. Neighbours: `publish.py` (sends them), `core.events.Announce`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from mapreduce import paths, words
from mapreduce_operator.core.events import Announce, JobStatus
from mapreduce_operator.kube.resource import Owner
from mapreduce_operator.kube.status import timestamp

MESSAGE_LIMIT: Final = 1024
"""Characters of an Event's message; the API server takes no more."""
SAME: Final = 80
"""Characters by which the message of an end is known: it may be cut on its way."""


def manifest(owner: Owner, announcement: Announce, wall: float, nonce: str) -> dict[str, Any]:
    """Return the Event; `nonce` makes its name unique."""
    now = timestamp(wall)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{owner.prefix}.{nonce}", "namespace": owner.namespace},
        "involvedObject": {
            "apiVersion": f"{words.GROUP}/{words.VERSION}",
            "kind": words.KIND,
            "name": owner.name,
            "namespace": owner.namespace,
            "uid": owner.uid,
        },
        "type": announcement.kind,
        "reason": announcement.reason,
        "message": cut(announcement.message),
        "source": {"component": words.MANAGED_BY},
        "reportingComponent": words.MANAGED_BY,
        "reportingInstance": words.MANAGED_BY,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def advised(announcement: Announce, owner: Owner, status: JobStatus | None) -> Announce:
    """Return what is announced; of the job's end with where to look next, which is not cut off."""
    ends = [condition for condition in status.conditions if condition.status == "True"] if status is not None else []
    advice = ""
    for end in ends:
        if end.type == "Complete" and announcement.reason == end.reason:
            advice = f"; mapreduce cat {owner.name} prints it, and its history is in its folder {paths.HISTORY}"
        if (
            end.type == "Failed"
            and announcement.reason == end.reason
            and announcement.message[:SAME] == end.message[:SAME]
        ):
            advice = (
                f"; mapreduce explain {owner.name} says what to do, mapreduce logs {owner.name} what was printed; "
                "what it left on the output's claim, its history too, stays until the job is deleted"
            )
    return msgspec.structs.replace(
        announcement, message=cut(announcement.message, MESSAGE_LIMIT - len(advice)) + advice
    )


def stalled(owner: Owner, status: JobStatus) -> Announce:
    """Return what is told of a job that does not move."""
    why = status.message or "nothing is known that it waits for, so its tasks may be very large"
    message = f"no task has ended for 15 minutes: {why}; mapreduce explain {owner.name} says more"
    return Announce(kind="Warning", reason="Stalled", message=message)


def cut(message: str, limit: int = MESSAGE_LIMIT) -> str:
    """Return as much of a message as an Event takes."""
    return message if len(message) <= limit else message[: limit - 2] + " …"
