"""Builders of Kubernetes objects for unit tests: the least that makes sense, and what a test changes."""

from __future__ import annotations

import copy
from typing import Any

from mapreduce.protocol import Role
from mapreduce_operator.core.events import StartWorker, WorkerSeen
from mapreduce_operator.kube import observe, resource
from mapreduce_operator.kube.choices import Resources
from mapreduce_operator.kube.pods import Platform
from mapreduce_operator.kube.resource import Defaults, ParsedJob

UID = "0f1e2d3c-aaaa-bbbb-cccc-000000000000"
PLATFORM = Platform(
    master="https://mapreduce-operator.system.svc:8443",
    ca="-----BEGIN CERTIFICATE-----\n",
    word=lambda uid, name: f"made for {uid}: {name}",
)
DEFAULTS = Defaults(
    worker_image="worker:1",
    worker=Resources({"cpu": "100m", "memory": "256Mi"}, {"memory": "1Gi", "ephemeral-storage": "20Gi"}),
    gateway=Resources({"cpu": "50m", "memory": "128Mi"}, {"memory": "1Gi", "ephemeral-storage": "4Gi"}),
)
SPEC: dict[str, Any] = {
    "program": {"inline": "import mapreduce as mr\n"},
    "input": {"paths": ["in/*.txt"], "volume": {"persistentVolumeClaim": {"claimName": "texts"}}},
    "output": {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "results"}}},
}


def body(name: str = "wordcount", metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a `MapReduceJob`; `spec` adds or replaces fields, None removes one."""
    fields = copy.deepcopy(SPEC) | spec
    return {
        "apiVersion": "mapreduce.dev/v1alpha1",
        "kind": "MapReduceJob",
        "metadata": {"name": name, "namespace": "team", "uid": UID, "generation": 1, "resourceVersion": "7"}
        | (metadata or {}),
        "spec": {field: value for field, value in fields.items() if value is not None},
    }


def parsed(**spec: Any) -> ParsedJob:
    """Return a job as the operator understands it."""
    return resource.parse(body(**spec), None, DEFAULTS)


def start(role: Role = "worker", **fields: Any) -> StartWorker:
    """Return the command to start one worker, or one gateway."""
    kind = role[0]
    defaults: dict[str, Any] = {
        "name": f"wordcount-0f1e2d3c-{kind}-0-1-0",
        "role": role,
        "index": 0,
        "incarnation": "1-0",
    }
    return StartWorker(**(defaults | fields))


def pod(**status: Any) -> dict[str, Any]:
    """Return a worker Pod as the API server has it, with this status."""
    return {
        "metadata": {
            "name": "wordcount-0f1e2d3c-w-0-1-0",
            "namespace": "team",
            "uid": "pod-1",
            "labels": {
                "app.kubernetes.io/managed-by": "mapreduce-operator",
                "mapreduce.dev/job": "wordcount",
                "mapreduce.dev/job-uid": UID,
                "mapreduce.dev/role": "worker",
                "mapreduce.dev/index": "0",
                "mapreduce.dev/incarnation": "1-0",
            },
            "annotations": {"mapreduce.dev/start": f"made for {UID}: wordcount-0f1e2d3c-w-0-1-0"},
            "ownerReferences": [{"kind": "MapReduceJob", "name": "wordcount", "uid": UID, "controller": True}],
        },
        "spec": {"nodeName": "node-1"},
        "status": {"phase": "Pending"} | status,
    }


def deleted(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the Pod, which somebody has deleted and which is not gone yet."""
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return pod


def worker_seen(pod: dict[str, Any], **options: Any) -> WorkerSeen:
    """Return what the core is told of a Pod that is a worker of ours."""
    found = observe.seen(pod, **options)
    assert found is not None
    return found.worker


def container(**state: Any) -> list[dict[str, Any]]:
    """Return container statuses with one container in this state."""
    return [{"name": "worker", "image": "worker:1", "state": state}]
