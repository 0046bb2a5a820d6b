"""Kubernetes Events of a job: what `kubectl describe` lists at its end.

Pure. Neighbours: `publish.py` (sends them), `core.events.Announce`.
"""

from __future__ import annotations

from typing import Any, Final

from mapreduce import words
from mapreduce_operator.core.events import Announce
from mapreduce_operator.kube.resource import Owner
from mapreduce_operator.kube.status import timestamp

MESSAGE_LIMIT: Final = 1024


def manifest(owner: Owner, announcement: Announce, wall: float, nonce: str) -> dict[str, Any]:
    """Return the Event; `nonce` makes its name unique."""
    now = timestamp(wall)
    message = announcement.message
    if len(message) > MESSAGE_LIMIT:
        message = message[: MESSAGE_LIMIT - 2] + " …"
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
        "message": message,
        "source": {"component": words.MANAGED_BY},
        "reportingComponent": words.MANAGED_BY,
        "reportingInstance": words.MANAGED_BY,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
