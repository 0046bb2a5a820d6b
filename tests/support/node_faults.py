"""Faults of nodes and of the network on the kind cluster, each undone when its block ends.

A node is a container, so that its kernel's rules and its processes are within reach of the engine. Callers:
`tests/matrix`. Neighbours: `cluster.py` (kubectl), `cluster_jobs.py` (what runs meanwhile).
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from tests.support import cluster

CONTROL_PLANE = "mapreduce-control-plane"
_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_ASIDE = "/etc/kubernetes/kube-apiserver.yaml"


def in_node(node: str, *words: str) -> str:
    """Run a command in a node's container; return what it printed."""
    return subprocess.run(["docker", "exec", node, *words], capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def paused(node: str) -> Iterator[None]:
    """Stop every process of a node, as if it were lost; afterwards it goes on, and is Ready again."""
    subprocess.run(["docker", "pause", node], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["docker", "unpause", node], check=True, capture_output=True)
        cluster.kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=120s", timeout=150)


@contextlib.contextmanager
def cut(address: str, *others: str) -> Iterator[None]:
    """Drop every packet between one Pod's address and others', on every node."""
    rules = [rule for other in others for rule in (("-s", address, "-d", other), ("-s", other, "-d", address))]
    nodes = cluster.nodes()
    try:
        for node in nodes:
            for rule in rules:
                in_node(node, "iptables", "-I", "FORWARD", *rule, "-j", "DROP")
        yield
    finally:
        for node in nodes:
            for rule in rules:
                with contextlib.suppress(subprocess.CalledProcessError):
                    in_node(node, "iptables", "-D", "FORWARD", *rule, "-j", "DROP")


@contextlib.contextmanager
def api_server_away() -> Iterator[None]:
    """Stop the API server by taking its static Pod away; afterwards it is ready again."""
    in_node(CONTROL_PLANE, "mv", _MANIFEST, _ASIDE)
    try:
        cluster.eventually("the API server ends", lambda: not _api_server_answers(), timeout=60)
        yield
    finally:
        in_node(CONTROL_PLANE, "mv", _ASIDE, _MANIFEST)
        cluster.eventually("the API server is back", _api_server_answers, timeout=180)


def _api_server_answers() -> bool:
    return cluster.kubectl("get", "--raw=/readyz", "--request-timeout=3s", check=False).strip() == b"ok"


def kill_container(pod: dict[str, Any]) -> None:
    """Kill a Pod's only container from its node, with everything in it."""
    (status,) = pod["status"]["containerStatuses"]
    identity = status["containerID"].removeprefix("containerd://")
    in_node(pod["spec"]["nodeName"], "ctr", "-n", "k8s.io", "tasks", "kill", "-a", "-s", "SIGKILL", identity)


def on_wall(seconds: float) -> None:
    """Let a fault last, whatever happens meanwhile."""
    until = time.monotonic() + seconds
    cluster.eventually("it lasted", lambda: time.monotonic() > until, timeout=seconds + 1, interval=0.5)
