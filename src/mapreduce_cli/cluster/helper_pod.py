"""A small Pod that has a claim mounted, for as long as one command lasts: the other end of a copy.

It passes the `restricted` Pod Security Standard, goes to the node where the claim is in use (a
ReadWriteOnce volume can be mounted there only), and is deleted whatever happens; should the
command be killed, it ends by itself. Neighbours: `transfer.py` (runs in it), `session.py`.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

import mapreduce
from mapreduce import words
from mapreduce_cli import terminal
from mapreduce_cli.cluster import transfer, waiting
from mapreduce_cli.cluster.lookup import events_of
from mapreduce_cli.cluster.problems import Broken, NotFound, Problem, Refused
from mapreduce_cli.cluster.refs import Ref, job

if TYPE_CHECKING:
    from mapreduce_cli.cluster.api import Api
    from mapreduce_cli.cluster.session import Session

Json = dict[str, Any]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

ROOT: Final = "/data"
USER: Final = 65532
"""The user of workers and gateways: what one writes the other can read."""
APP: Final = "mapreduce-copy"
START_TIMEOUT: Final = 120.0
_PATIENCE: Final = 3.0
"""Seconds of waiting after which people are told what for."""

# Ends when nothing else has run in the Pod for two minutes: the command was killed. When it is told to
# end, what runs gets a moment to take its unfinished files away.
_IDLE: Final = """
import os, signal, sys, time
def others():
    return [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
def end(*_):
    until = time.monotonic() + 1.5
    while others() and time.monotonic() < until:
        time.sleep(0.05)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
alone = 0
while alone < 24:
    time.sleep(5)
    alone = 0 if others() else alone + 1
"""
# The program itself is the first that comes in: it would not fit in every proxy's longest URL.
_BOOT: Final = "import sys; exec(compile(sys.stdin.buffer.read(int(sys.argv[2])), 'transfer.py', 'exec'))"


def of_a_pod(command: FunctionT) -> FunctionT:
    """Give a command the options of such a Pod: `image` and `timeout`."""
    command = click.option(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=START_TIMEOUT,
        show_default=True,
        help="How long the Pod may take to start.",
    )(command)
    return click.option("--image", metavar="IMAGE", default="", help="The Pod's image.  [default: the worker image]")(
        command
    )


class PodPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where the Pod runs and what of: a claim, an image, what lets it in and where."""

    claim: str
    image: str
    read_only: bool
    node: str = ""
    tolerations: tuple[Json, ...] = ()
    pull_secrets: tuple[Json, ...] = ()


class HelperPod:
    """A running Pod; every `start` runs `transfer.py` in it once more."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name

    def start(self, **task: Any) -> Session:
        """Begin a transfer: `do` (send, output, receive), `path`, and `force` for receive."""
        session = self._api.execute(self._namespace, self._name, ["python3", *interpreter_words({"root": ROOT} | task)])
        session.write(program())
        return session


def program() -> bytes:
    """Return the source of the other end."""
    return inspect.getsource(transfer).encode()


def interpreter_words(task: Json) -> list[str]:
    """Return what the interpreter is called with; `program` must be the first that it reads."""
    return ["-c", _BOOT, json.dumps(task), str(len(program()))]


def manifest(plan: PodPlan, name: str) -> Json:
    """Return the Pod. Pure."""
    spec: Json = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 2,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "copy",
                "image": plan.image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "-c", _IDLE],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
                "volumeMounts": [{"name": "data", "mountPath": ROOT, "readOnly": plan.read_only}],
            }
        ],
        # Read-only is the mount: a claim attached read-only could not serve a job that writes to it.
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": plan.claim}}],
    }
    if plan.node:
        field = {"key": "metadata.name", "operator": "In", "values": [plan.node]}
        required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    if plan.tolerations:
        spec["tolerations"] = list(plan.tolerations)
    if plan.pull_secrets:
        spec["imagePullSecrets"] = list(plan.pull_secrets)
    labels = {words.LABEL_MANAGED_BY: words.MANAGED_BY_CLI, words.LABEL_NAME: APP}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def plan_for(api: Api, namespace: str, claim: str, *, image: str, read_only: bool) -> PodPlan:
    """Return where a Pod for this claim must run; raises `Refused` if there is no such claim.

    image: what the user named, or empty for that of a job here, or this version's own.
    """
    try:
        found = api.get(Ref("persistentvolumeclaims", namespace, claim))
    except NotFound as error:
        raise Refused(
            f"there is no claim {claim!r} in namespace {namespace!r}",
            hint="kubectl get pvc lists them",
            reason="ClaimNotFound",
        ) from error
    modes = (found.get("spec") or {}).get("accessModes") or ()
    holder = None if "ReadWriteMany" in modes else _holder(api, namespace, claim)
    spec = (holder or {}).get("spec") or {}
    return PodPlan(
        claim=claim,
        image=image or _image(api, namespace),
        read_only=read_only,
        node=str(spec.get("nodeName") or ""),
        tolerations=tuple(spec.get("tolerations") or ()),
        pull_secrets=tuple(spec.get("imagePullSecrets") or ()),
    )


def _holder(api: Api, namespace: str, claim: str) -> Json | None:
    """Return a Pod that has the claim mounted now."""
    for pod in api.list_all(Ref("pods", namespace)):
        volumes = (pod.get("spec") or {}).get("volumes") or ()
        named = {str((volume.get("persistentVolumeClaim") or {}).get("claimName")) for volume in volumes}
        live = (pod.get("status") or {}).get("phase") in ("Pending", "Running")
        if claim in named and live and pod["spec"].get("nodeName"):
            return pod
    return None


def _image(api: Api, namespace: str) -> str:
    """Return the image that the operator gave a job of this namespace: it knows the registry."""
    for known in api.list_all(job(namespace)):
        image = (known["metadata"].get("annotations") or {}).get(words.ANNOTATION_IMAGE)
        if image and not known["spec"].get("image"):
            return str(image)
    return f"mapreduce-worker:{mapreduce.__version__}"


@contextlib.contextmanager
def helper_pod(api: Api, namespace: str, plan: PodPlan, timeout: float = START_TIMEOUT) -> Iterator[HelperPod]:
    """Run a Pod for as long as the block lasts; raises `Problem` if it does not start."""
    _sweep(api, namespace)
    name = f"{APP}-{secrets.token_hex(4)}"
    made = api.create(Ref("pods", namespace), manifest(plan, name))
    try:
        _await_running(api, made, timeout)
        yield HelperPod(api, namespace, name)
    finally:
        _delete(api, Ref("pods", namespace, name))


def _sweep(api: Api, namespace: str) -> None:
    """Delete Pods of commands that were killed; they have ended by themselves."""
    selector = f"{words.LABEL_MANAGED_BY}={words.MANAGED_BY_CLI},{words.LABEL_NAME}={APP}"
    for pod in api.list_all(Ref("pods", namespace), labels=selector):
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            with contextlib.suppress(Problem):
                api.delete(Ref("pods", namespace, pod["metadata"]["name"]))


def _await_running(api: Api, made: Json, timeout: float) -> None:
    namespace, name = made["metadata"]["namespace"], made["metadata"]["name"]
    began, told = time.monotonic(), ""
    while True:
        pod = api.get(Ref("pods", namespace, name))
        phase = (pod.get("status") or {}).get("phase")
        if phase == "Running":
            return
        waited = time.monotonic() - began
        if phase in ("Succeeded", "Failed"):
            raise Broken(f"the Pod {name} ended at once: {_ending(pod)}")
        if waited > _PATIENCE:
            reason = waiting.why(pod, events_of(api, namespace, made["metadata"]["uid"]))
            if waited > timeout:
                said, todo = (reason.text, reason.todo) if reason else (f"Pod {name} is still {phase}", "")
                raise Broken(f"no Pod for the claim within {timeout:g} s: {said}", hint=todo)
            if reason and reason.text != told:
                terminal.note(f"waiting: {terminal.one_line(reason.text)}")
                told = reason.text
        time.sleep(0.2)


def _ending(pod: Json) -> str:
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended:
            return f"{ended.get('reason')}, exit code {ended.get('exitCode')}: {ended.get('message') or ''}".rstrip(
                ": "
            )
    return f"{status.get('reason') or status.get('phase')}: {status.get('message') or ''}".rstrip(": ")


def _delete(api: Api, ref: Ref) -> None:
    """Delete the Pod; a second Ctrl-C meanwhile changes nothing."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        api.delete(ref)
    except NotFound:
        return
    except Problem as problem:
        terminal.note(
            f"mapreduce: the Pod {ref.name} could not be deleted: {problem}; it ends by itself in two minutes"
        )
    finally:
        signal.signal(signal.SIGINT, before)
