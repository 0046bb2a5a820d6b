"""Manifests of what is made for a job: worker Pods, gateway Pods, the ConfigMap of the CA.

Pure. Every Pod passes the `restricted` Pod Security Standard, whatever the user chose: the
choices are an allow-list (`choices.py`) and nothing else of the resource comes here.
Neighbours: `restricted.py` (that standard), `drivers.kubernetes` (creates the Pods).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Final

import msgspec

from mapreduce import words
from mapreduce.protocol import Role
from mapreduce_operator.core.events import StartWorker
from mapreduce_operator.kube import choices, quantity, restricted
from mapreduce_operator.kube.choices import Resources
from mapreduce_operator.kube.observe import PodSeen
from mapreduce_operator.kube.resource import Owner, ParsedJob

DATA_PORT: Final = 8444
GRACE_SECONDS: Final = 10
TOKEN_SECONDS: Final = 3600
NAMES: Final[dict[Role, str]] = {"worker": "mapreduce-worker", "gateway": "mapreduce-gateway"}
CA_KEY: Final = "ca.crt"

_SCRATCH: Final = "/scratch"
_TEMPORARY: Final = "/tmp"  # noqa: S108 - a mount point of the Pod's own, not a shared directory
_INPUT: Final = "/mnt/input"
_OUTPUT: Final = "/mnt/output"
_TOKEN: Final = "/var/run/mapreduce/token"
_CA: Final = "/var/run/mapreduce/ca"

Json = dict[str, Any]


class Platform(msgspec.Struct, frozen=True):
    """What all Pods of this operator share.

    master: URL of the operator's RPC. ca: its CA certificate in PEM. word: from a job's uid and the
    name of a Pod of it, what only an operator can write onto that Pod. pull_policy: of the images. metrics: whether
    Pods serve their metrics; scrapers: peers of a NetworkPolicy that may read them. log_format: text, or json.
    """

    master: str
    ca: str
    word: Callable[[str, str], str]
    pull_policy: str = "IfNotPresent"
    metrics: bool = False
    scrapers: tuple[Json, ...] = ()
    log_format: str = "text"

    def made(self, seen: PodSeen) -> bool:
        """Tell whether an operator made this Pod: labels and owner can be written by whoever may create Pods."""
        return hmac.compare_digest(seen.word.encode(), self.word(seen.job_uid, seen.worker.name).encode())


def selector(job_uid: str = "") -> str:
    """Return the label selector of all Pods that operators made, or of one job's."""
    made = f"{words.LABEL_MANAGED_BY}={words.MANAGED_BY},{words.LABEL_ROLE}"
    return f"{made},{words.LABEL_JOB_UID}={job_uid}" if job_uid else made


def worker_selector(job_uid: str) -> str:
    """Return the label selector of one job's workers."""
    return f"{words.LABEL_JOB_UID}={job_uid},{words.LABEL_ROLE}=worker"


def labels(owner: Owner) -> dict[str, str]:
    """Return the labels of everything that is made for a job."""
    return {
        words.LABEL_JOB: owner.name,
        words.LABEL_JOB_UID: owner.uid,
        words.LABEL_MANAGED_BY: words.MANAGED_BY,
    }


def owner_references(owner: Owner) -> list[Json]:
    """Return the reference that makes the garbage collector delete an object with its job.

    `controller`: without one a drain of a node refuses the Pod.
    """
    return [
        {
            "apiVersion": f"{words.GROUP}/{words.VERSION}",
            "kind": words.KIND,
            "name": owner.name,
            "uid": owner.uid,
            "controller": True,
        }
    ]


def ca_name(owner: Owner, platform: Platform) -> str:
    """Return the name of the job's ConfigMap with the CA certificate.

    It changes with the certificate: what is never changed in place needs no right to change it.
    """
    return f"{owner.prefix}-ca-{hashlib.sha256(platform.ca.encode()).hexdigest()[:8]}"


def ca_config_map(owner: Owner, platform: Platform) -> Json:
    """Return the ConfigMap by which a job's Pods know the operator's certificate."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": ca_name(owner, platform),
            "namespace": owner.namespace,
            "labels": labels(owner),
            "ownerReferences": owner_references(owner),
        },
        "data": {CA_KEY: platform.ca},
    }


def network_policy(owner: Owner, platform: Platform) -> Json:
    """Return the policy that lets only Pods of the same job reach a job's Pods, and scrapers their metrics."""
    same_job = {"matchLabels": {words.LABEL_JOB_UID: owner.uid}}
    rules: list[Json] = [{"from": [{"podSelector": same_job}], "ports": [{"port": DATA_PORT, "protocol": "TCP"}]}]
    if platform.metrics and platform.scrapers:
        # A rule without peers would let in everybody.
        scrape = {"from": list(platform.scrapers), "ports": [{"port": words.METRICS_PORT, "protocol": "TCP"}]}
        rules.append(scrape)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": owner.prefix,
            "namespace": owner.namespace,
            "labels": labels(owner),
            "ownerReferences": owner_references(owner),
        },
        "spec": {
            "podSelector": same_job,
            "policyTypes": ["Ingress"],
            "ingress": rules,
        },
    }


def pod(job: ParsedJob, command: StartWorker, platform: Platform) -> Json:
    """Return the manifest of the Pod that `command` asks for."""
    worker = command.role == "worker"
    fields = choices.EVERY_POD + (choices.WORKERS_ONLY if worker else ())
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": command.name,
            "namespace": job.owner.namespace,
            "labels": job.workers.labels | labels(job.owner) | _own_labels(command),
            # Annotations reach into runtimes and sidecars: none of the user's where the claims are.
            "annotations": (dict(job.workers.annotations) if worker else {})
            | {words.ANNOTATION_START: platform.word(job.owner.uid, command.name)},
            "ownerReferences": owner_references(job.owner),
        },
        "spec": choices.pod_fields(job.workers, fields)
        | {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "automountServiceAccountToken": False,
            # Also the default; named, so that no admission plugin has to fill it in.
            "serviceAccountName": "default",
            "enableServiceLinks": False,
            "securityContext": restricted.pod(),
            "containers": [_container(job, command, platform)],
            "volumes": _volumes(job, command, platform),
        },
    }


def _own_labels(command: StartWorker) -> dict[str, str]:
    return {
        words.LABEL_NAME: NAMES[command.role],
        words.LABEL_ROLE: command.role,
        words.LABEL_INDEX: str(command.index),
        words.LABEL_INCARNATION: command.incarnation,
    }


def _container(job: ParsedJob, command: StartWorker, platform: Platform) -> Json:
    return {
        "name": command.role,
        # A gateway has the claims: code of the user's, and so an image of theirs, stays out of it.
        "image": job.spec.worker_image if command.role == "worker" else job.gateway_image,
        "imagePullPolicy": platform.pull_policy,
        "env": _environment(job, command, platform),
        "ports": _ports(platform),
        "resources": msgspec.to_builtins(_resources(job, command)),
        "securityContext": restricted.container(),
        "volumeMounts": _mounts(job, command),
    }


def _ports(platform: Platform) -> list[Json]:
    ports = {"data": DATA_PORT} | ({"metrics": words.METRICS_PORT} if platform.metrics else {})
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()]


def _resources(job: ParsedJob, command: StartWorker) -> Resources:
    return job.worker_resources if command.role == "worker" else job.gateway_resources


def _environment(job: ParsedJob, command: StartWorker, platform: Platform) -> list[Json]:
    settings = {
        "MAPREDUCE_MASTER": platform.master,
        "MAPREDUCE_ROLE": command.role,
        "MAPREDUCE_CA": f"{_CA}/{CA_KEY}",
        "MAPREDUCE_TOKEN_FILE": f"{_TOKEN}/token",
        "MAPREDUCE_SCRATCH": _SCRATCH,
        # The Pod's own network; what may reach it is for tickets and NetworkPolicy to say.
        "MAPREDUCE_DATA_HOST": "0.0.0.0",  # noqa: S104 - see above
        "MAPREDUCE_DATA_PORT": str(DATA_PORT),
        "MAPREDUCE_GRACE": str(GRACE_SECONDS),
        "MAPREDUCE_SLOT_MEMORY": str(job.spec.limits.slot_memory),
        # Equal input must give equal bytes on every worker, in an image of the user's too.
        "PYTHONHASHSEED": "0",
        "HOME": _TEMPORARY,
    }
    if platform.log_format != "text":
        settings["MAPREDUCE_LOG_FORMAT"] = platform.log_format
        # What every record of this process says.
        settings |= {
            "MAPREDUCE_LOG_JOB": job.owner.name,
            "MAPREDUCE_LOG_NAMESPACE": job.owner.namespace,
            "MAPREDUCE_LOG_WORKER": command.name,
        }
    if platform.metrics:
        settings["MAPREDUCE_METRICS_PORT"] = str(words.METRICS_PORT)
        if room := _room(_resources(job, command)):
            settings["MAPREDUCE_SCRATCH_LIMIT"] = room["sizeLimit"]
    if command.role == "worker":
        settings["MAPREDUCE_SLOTS"] = str(job.spec.slots)
    else:
        if command.serves_output:
            settings["MAPREDUCE_ROOT_OUTPUT"] = _OUTPUT
        if command.serves_input:
            settings["MAPREDUCE_ROOT_INPUT"] = _OUTPUT if _shares_claim(job, command) else _INPUT
            if job.input.config_map:
                # Each Pod that mounts it sees other times of modification.
                settings["MAPREDUCE_INPUT_IDENTITY"] = "content"
    chosen = {variable.name: variable.value for variable in job.workers.env} if command.role == "worker" else {}
    return [{"name": name, "value": value} for name, value in (chosen | settings).items()]


def _shares_claim(job: ParsedJob, command: StartWorker) -> bool:
    """Input and output on one claim, served by one gateway: it is mounted once."""
    return command.serves_output and job.input.claim == job.output.claim


def _mounts(job: ParsedJob, command: StartWorker) -> list[Json]:
    mounts: list[Json] = [
        {"name": "scratch", "mountPath": _SCRATCH},
        {"name": "tmp", "mountPath": _TEMPORARY},
        {"name": "token", "mountPath": _TOKEN, "readOnly": True},
        {"name": "ca", "mountPath": _CA, "readOnly": True},
    ]
    if command.serves_output:
        mounts.append({"name": "output", "mountPath": _OUTPUT})
    if command.serves_input and not _shares_claim(job, command):
        mounts.append({"name": "input", "mountPath": _INPUT, "readOnly": True})
    return mounts


def _volumes(job: ParsedJob, command: StartWorker, platform: Platform) -> list[Json]:
    room = _room(_resources(job, command))
    token = {"audience": words.AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}
    volumes: list[Json] = [
        {"name": "scratch", "emptyDir": room},
        {"name": "tmp", "emptyDir": room},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": "ca", "configMap": {"name": ca_name(job.owner, platform)}},
    ]
    if command.serves_output:
        volumes.append({"name": "output", "persistentVolumeClaim": {"claimName": job.output.claim}})
    if command.serves_input and not _shares_claim(job, command):
        source: Json = (
            {"configMap": {"name": job.input.config_map}}
            if job.input.config_map
            # Read-only is the mount: a claim that is attached read-only could not serve a job that writes to it.
            else {"persistentVolumeClaim": {"claimName": job.input.claim}}
        )
        volumes.append({"name": "input"} | source)
    return volumes


def _room(resources: Resources) -> Json:
    limit = resources.limits.get("ephemeral-storage")
    if limit is None:
        return {}
    return {"sizeLimit": str(quantity.whole(limit, "ephemeral-storage"))}
