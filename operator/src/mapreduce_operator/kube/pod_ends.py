"""How a Pod ended, or why it is about to: one word of `mapreduce.words`, and what Kubernetes said.

Pure. The word alone decides nothing: memory that ran out is charged to what ran, everything else
here is a disruption, which is for the core to say. What is told first is what came first: a Pod
that was evicted has a container that was killed. Neighbours: `observe.py` (the whole Pod).
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any, Final

Status = Mapping[str, Any]

DISRUPTIONS: Final[Mapping[str, str]] = {
    "PreemptionByScheduler": "PodPreempted",
    "DeletionByTaintManager": "NodeLost",
    "DeletionByPodGC": "NodeLost",
    "EvictionByEvictionAPI": "NodeDrained",
    "TerminationByKubelet": "PodEvicted",
}
"""By the reason of a Pod's condition `DisruptionTarget`."""
OF_THE_POD: Final[Mapping[str, str]] = {
    "Evicted": "PodEvicted",
    "Preempting": "PodPreempted",
    "NodeLost": "NodeLost",
    "NodeShutdown": "NodeLost",
    "Shutdown": "NodeLost",
    "Terminated": "NodeLost",
    "NodeAffinity": "PodRejected",
    "UnexpectedAdmissionError": "PodRejected",
}
"""By the reason in a Pod's status."""
NO_ROOM: Final = "OutOf"
"""With this begins the reason of a Pod that its node refused: OutOfcpu, OutOfmemory, OutOfpods."""
OF_THE_CONTAINER: Final[Mapping[str, str]] = {
    "OOMKilled": "PodOutOfMemory",
    "ContainerCannotRun": "ContainerNotCreated",
    "StartError": "ContainerNotCreated",
    "ContainerStatusUnknown": "NodeLost",
}
"""By the reason of a container that has ended."""
_SIGNALLED: Final = 128


def terminated(status: Status) -> Mapping[str, Any]:
    """Return the only container's end, which the Pod's phase tells a moment later, or nothing."""
    for container in status.get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated")
        if ended:
            return dict(ended)
    return {}


def out_of_memory(status: Status) -> bool:
    """Tell whether the kernel ended the whole container because its memory ran out."""
    return bool(terminated(status).get("reason") == "OOMKilled")


def gone(status: Status, *, deleted: bool) -> tuple[str, str]:
    """Return why a Pod ended; `deleted`: it has a deletion timestamp, or is not in the API any more."""
    ended = terminated(status)
    if out_of_memory(status):
        return "PodOutOfMemory", _told(status, ended)
    why = _disruption(status) or _of_the_pod(status, ended)
    if why is not None:
        return why
    if deleted:
        return "PodDeleted", _told(status, ended) or "the Pod was deleted"
    word = OF_THE_CONTAINER.get(str(ended.get("reason") or ""))
    if word is None:
        word = "WorkerKilled" if _signal(ended) else "WorkerExited"
    return word, _told(status, ended) or "the Pod ended, and Kubernetes does not tell why"


def ending(status: Status) -> tuple[str, str]:
    """Return why a Pod that still runs was told to stop."""
    return _disruption(status) or _of_the_pod(status, {}) or ("PodDeleted", "the Pod is being deleted")


def _disruption(status: Status) -> tuple[str, str] | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            reason = str(condition.get("reason") or "")
            message = str(condition.get("message") or "")
            # A node that shuts down says the same as one that is short of something, but for the Pod's own reason.
            word = OF_THE_POD.get(str(status.get("reason") or "")) or DISRUPTIONS.get(reason, "PodDisrupted")
            return word, _joined(reason, message, _last_words(status))
    return None


def _of_the_pod(status: Status, ended: Mapping[str, Any]) -> tuple[str, str] | None:
    reason = str(status.get("reason") or "")
    word = OF_THE_POD.get(reason) or ("PodRejected" if reason.startswith(NO_ROOM) else None)
    return (word, _told(status, ended)) if word is not None else None


def _told(status: Status, ended: Mapping[str, Any]) -> str:
    """Everything that Kubernetes says of an end, in one line."""
    reason = str(status.get("reason") or ended.get("reason") or "")
    return _joined(reason, _exit(ended), str(status.get("message") or ended.get("message") or ""))


def _last_words(status: Status) -> str:
    """What the Pod itself says, beside its condition."""
    return _joined(str(status.get("reason") or ""), str(status.get("message") or ""))


def _exit(ended: Mapping[str, Any]) -> str:
    code = ended.get("exitCode")
    if code is None:
        return ""
    name = _signal(ended)
    return f"exit code {code}, killed by {name}" if name else f"exit code {code}"


def _signal(ended: Mapping[str, Any]) -> str:
    """The name of the signal that ended the container, or nothing."""
    code, number = ended.get("exitCode"), ended.get("signal")
    if not number and isinstance(code, int) and code > _SIGNALLED:
        number = code - _SIGNALLED
    try:
        return signal.Signals(int(number or 0)).name
    except (TypeError, ValueError):
        return ""


def _joined(*parts: str) -> str:
    return "; ".join(dict.fromkeys(part for part in parts if part))
