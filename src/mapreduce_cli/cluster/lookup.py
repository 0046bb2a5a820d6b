"""Reading a job, its Pods and its Events from the cluster. Neighbours: `jobs.py` (what they say)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mapreduce_cli.cluster import jobs
from mapreduce_cli.cluster.problems import NotFound
from mapreduce_cli.cluster.refs import Ref, job

if TYPE_CHECKING:
    from mapreduce_cli.cluster.api import Api, JsonObject


def find_job(api: Api, namespace: str, name: str) -> JsonObject:
    """Return the job; raises `NotFound` with the job's name."""
    try:
        return api.get(job(namespace, name))
    except NotFound as error:
        if f'"{name}"' not in error.message:
            # The kind itself is unknown: the operator is not installed.
            raise
        raise jobs.unknown(name, namespace) from error


def pods_of(api: Api, found: JsonObject, role: str = "") -> list[JsonObject]:
    """Return the job's Pods in order of their names."""
    namespace = found["metadata"]["namespace"]
    pods = api.list_all(Ref("pods", namespace), labels=jobs.selector(found, role))
    return sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))


def events_of(api: Api, namespace: str, uid: str) -> list[JsonObject]:
    """Return the Events about the object with this uid, oldest first."""
    events = api.list_all(Ref("events", namespace), fields=f"involvedObject.uid={uid}")
    return sorted(events, key=_last_seen)


def _last_seen(event: JsonObject) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
