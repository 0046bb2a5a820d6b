"""Why a Pod does not run, in plain words, from its status and the Events about it. Pure.

Neighbours: `explain.py` (a job's Pods), `helper_pod.py` (the Pod of a copy).
"""

from __future__ import annotations

from typing import Any

import msgspec

Json = dict[str, Any]


class Reason(msgspec.Struct, frozen=True):
    """What is waited for, and what to do about it (may be empty)."""

    text: str
    todo: str = ""


def why(pod: Json, events: list[Json]) -> Reason | None:
    """Return why this Pod does not run; None if it runs, or is about to."""
    status = pod.get("status") or {}
    name = str(pod["metadata"]["name"])
    if status.get("phase") not in ("Pending", None):
        return None
    return _unscheduled(name, status) or _image(name, status) or _mount(name, pod, events)


def _unscheduled(name: str, status: Json) -> Reason | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            message = str(condition.get("message") or "")
            return Reason(f"Pod {name} has no node: {message}", _todo_unscheduled(message))
    return None


def _todo_unscheduled(message: str) -> str:
    if "persistentvolumeclaim" in message and "not found" in message:
        return "create the claim"
    if "unbound" in message:
        return "the claim has no volume: see `kubectl describe pvc`; its storage class may not exist"
    if "volume node affinity" in message:
        return "the volume is on one node, and that node cannot take the Pod: free it, or choose another claim"
    if "Insufficient" in message:
        return "ask for less in spec.workers.resources, use fewer workers, or add nodes"
    if "taint" in message or "selector" in message or "affinity" in message:
        return "let spec.workers.tolerations, nodeSelector and affinity fit a node"
    return ""


def _image(name: str, status: Json) -> Reason | None:
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
        if reason in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"):
            return Reason(
                f"Pod {name} cannot get its image {container.get('image')}: {message or reason}",
                "check the image's name, that the nodes reach its registry, and imagePullSecrets",
            )
        if reason.startswith("Create"):
            return Reason(f"Pod {name} cannot start its container: {reason}: {message}")
    return None


def _mount(name: str, pod: Json, events: list[Json]) -> Reason | None:
    """Volumes that cannot be mounted are told of by Events alone."""
    uid = pod["metadata"].get("uid")
    for event in reversed(events):
        if (event.get("involvedObject") or {}).get("uid") != uid or event.get("type") != "Warning":
            continue
        if event.get("reason") in ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedScheduling"):
            return Reason(f"Pod {name} waits: {event['reason']}: {event.get('message')}", _todo_mount(event))
    return None


def _todo_mount(event: Json) -> str:
    message = str(event.get("message") or "")
    if "Multi-Attach" in message:
        return "the volume is attached to another node: wait until the Pods there that use it are gone"
    if "not found" in message and "configmap" in message:
        return "create the ConfigMap"
    return ""
