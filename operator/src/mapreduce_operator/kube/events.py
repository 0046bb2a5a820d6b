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
"""Characters of an Event's message; the API server takes no more."""


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


def cut(message: str) -> str:
    """Return as much of a message as an Event takes."""
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 2] + " …"
