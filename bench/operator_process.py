"""The operator's process on the kind cluster, as its node sees it: memory, start, and kill -9.

Callers: `chaos.py`, `recovery.py`. There is no metrics server on the cluster, and a Pod's status has whole seconds.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import cluster

SELECTOR = "app.kubernetes.io/name=mapreduce-operator"
TICKS = 100
"""A second in /proc, on every Linux that containers run on."""


class Process(NamedTuple):
    """One process of the operator. started: Unix time in seconds. rss: resident bytes."""

    node: str
    pid: int
    started: float
    rss: int


def pods() -> list[Any]:
    """Return the operator's Pods that are not being deleted."""
    found = cluster.kubectl_json("-n", cluster.SYSTEM, "get", "pods", "-l", SELECTOR)["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"] and pod["spec"].get("nodeName")]


def look() -> Process | None:
    """Return the process that started last; None while there is none."""
    processes = [process for pod in pods() for process in _on(pod["spec"]["nodeName"])]
    return max(processes, key=lambda process: process.started, default=None)


def kill(process: Process) -> None:
    """End it as the kernel would."""
    _in_node(process.node, "kill", "-9", str(process.pid))


def delete() -> str:
    """Delete the operator's Pod; return its name."""
    names = [str(pod["metadata"]["name"]) for pod in pods()]
    if names:
        cluster.kubectl("-n", cluster.SYSTEM, "delete", "pod", *names, "--wait=false", "--ignore-not-found")
    return " ".join(names)


def restarts() -> int:
    """Return how often the kubelet has restarted it: each time it waits longer."""
    counts = [status["restartCount"] for pod in pods() for status in pod["status"].get("containerStatuses", [])]
    return max(counts, default=0)


def _on(node: str) -> list[Process]:
    found = []
    for pid in _in_node(node, "pgrep", "-f", "python -m mapreduce_operator").split():
        # The name of a program may hold spaces; what is behind its parenthesis does not.
        stat = _in_node(node, "cat", f"/proc/{pid}/stat").rpartition(")")[2].split()
        if len(stat) > 21:
            booted = time.time() - float(Path("/proc/uptime").read_text().split()[0])
            started = booted + int(stat[19]) / TICKS
            found.append(Process(node, int(pid), started, int(stat[21]) * 4096))
    return found


def _in_node(node: str, *words: str) -> str:
    """Run a command in a node; nothing if it fails: a process may end at any time."""
    return subprocess.run(["docker", "exec", node, *words], capture_output=True, text=True, check=False).stdout
