"""A Pod as the API server has it → what the core is told of a worker.

Pure. Neighbours: `handlers.py` (watch), `reconcile.py` (LIST), `pod_ends.py` (why one is gone),
`core.events.WorkerSeen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from mapreduce import words
from mapreduce_operator.core.events import WorkerSeen
from mapreduce_operator.kube import pod_ends

IMAGE_REASONS: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
_STARTING: Final = frozenset({"ContainerCreating", "PodInitializing"})

Pod = Mapping[str, Any]
_State = Literal["pending", "running", "ending", "gone"]


class PodSeen(msgspec.Struct, frozen=True):
    """One Pod of a job: `ip` is empty until it has one; `word` tells who made it (`pods.Platform.made`)."""

    job_uid: str
    namespace: str
    ip: str
    worker: WorkerSeen
    word: str = ""


def seen(pod: Pod, *, deleted: bool = False) -> PodSeen | None:
    """Return what a Pod says, or None if no operator made it; `deleted`: it is gone from the API."""
    metadata = pod.get("metadata") or {}
    labels = metadata.get("labels") or {}
    role, uid = labels.get(words.LABEL_ROLE), labels.get(words.LABEL_JOB_UID)
    index = str(labels.get(words.LABEL_INDEX) or "")
    # isascii: int() would take digits of other scripts, and fail on some that isdigit() knows.
    if labels.get(words.LABEL_MANAGED_BY) != words.MANAGED_BY or not uid or not (index.isascii() and index.isdigit()):
        return None
    if role not in ("worker", "gateway") or not _owned_by(metadata, str(uid)):
        return None
    status = pod.get("status") or {}
    state = _state(metadata, status, deleted)
    reason, message = _why(metadata, status, state)
    worker = WorkerSeen(
        name=str(metadata.get("name") or ""),
        uid=str(metadata.get("uid") or ""),
        role=role,
        index=int(index),
        incarnation=str(labels.get(words.LABEL_INCARNATION) or ""),
        state=state,
        node=str((pod.get("spec") or {}).get("nodeName") or ""),
        reason=reason,
        message=message,
        oom=state == "gone" and pod_ends.out_of_memory(status),
    )
    return PodSeen(
        job_uid=str(uid),
        namespace=str(metadata.get("namespace") or ""),
        ip=str(status.get("podIP") or ""),
        worker=worker,
        word=str((metadata.get("annotations") or {}).get(words.ANNOTATION_START) or ""),
    )


def _owned_by(metadata: Mapping[str, Any], job_uid: str) -> bool:
    return any(
        owner.get("controller") and owner.get("uid") == job_uid and owner.get("kind") == words.KIND
        for owner in metadata.get("ownerReferences") or ()
    )


def _state(metadata: Mapping[str, Any], status: Mapping[str, Any], deleted: bool) -> _State:
    if deleted or status.get("phase") in ("Failed", "Succeeded") or pod_ends.terminated(status):
        return "gone"
    if metadata.get("deletionTimestamp"):
        return "ending"
    # Unknown: its node is silent. Whether the worker is lost is for its lease to say.
    return "running" if status.get("phase") in ("Running", "Unknown") else "pending"


def _why(metadata: Mapping[str, Any], status: Mapping[str, Any], state: _State) -> tuple[str, str]:
    """Return the reason, a word of `mapreduce.words`, and a message, where the Pod tells one."""
    match state:
        case "gone":
            # One that did not end by itself was deleted: it was in the API until then.
            ended = status.get("phase") in ("Failed", "Succeeded") or bool(pod_ends.terminated(status))
            return pod_ends.gone(status, deleted=bool(metadata.get("deletionTimestamp")) or not ended)
        case "ending":
            return pod_ends.ending(status)
        case "running":
            return "", ""
    return _waiting(status) or _unschedulable(status) or ("", "")


def _waiting(status: Mapping[str, Any]) -> tuple[str, str] | None:
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason")
        if not reason or reason in _STARTING:
            continue
        said = f"{reason}: {waiting.get('message') or 'no details'}"
        if reason in IMAGE_REASONS:
            return "ImageUnavailable", f"image {container.get('image')!r}: {said}"
        return "ContainerNotCreated", said
    return None


def _unschedulable(status: Mapping[str, Any]) -> tuple[str, str] | None:
    for condition in status.get("conditions") or ():
        unfit = condition.get("type") == "PodScheduled" and condition.get("status") == "False"
        if unfit and condition.get("reason") == "Unschedulable":
            return "Unschedulable", str(condition.get("message") or "no node can take the Pod")
    return None
