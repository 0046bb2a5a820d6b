"""The operator as the chart starts it, as a process of this machine, and Pods moved by hand."""

from __future__ import annotations

import os
import pathlib
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

from mapreduce import __version__, protocol
from mapreduce.protocol import MapOutput, Refusal, Register, Registered
from tests.support.apiserver import PATIENCE, SYSTEM, ApiServer, eventually, free_port, render_chart
from tests.support.detour import Detour


class OperatorProcess:
    """One operator; `start` it again after `kill` or `stop` and it has the next epoch.

    api: its way to the API server. service: the way of workers to it; a twin, another process of the
    same chart, shares it, as Pods share a Service.
    """

    def __init__(self, server: ApiServer, *settings: str, twin_of: OperatorProcess | None = None) -> None:
        self.folder = server.folder
        self.port, self.health, self.metrics = free_port(), free_port(), free_port()
        self.documents = render_chart(*settings)
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.folder / f"operator-{self.port}.log"
        self._tls: pathlib.Path = self._write_certificate() if twin_of is None else twin_of._tls
        self.api = Detour(server.port)
        self.service: Detour = Detour(self.port) if twin_of is None else twin_of.service

    def install(self) -> None:
        """Apply the chart's rights, which the operator's user has, and nothing that needs a node."""
        kinds = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
        self._server.apply(*(document for document in self.documents if document["kind"] in kinds))

    def start(self, pod_uid: str = "operator-pod") -> None:
        """Start the process in a Pod of this uid, and wait until it is ready."""
        environment = (
            os.environ
            | self._chart_environment()
            | {
                "KUBECONFIG": str(self._kubeconfig()),
                "MAPREDUCE_NAMESPACE": SYSTEM,
                "MAPREDUCE_POD_UID": pod_uid,
                "MAPREDUCE_TLS": str(self._tls),
                "MAPREDUCE_MASTER_URL": f"https://127.0.0.1:{self.service.port}",
                "MAPREDUCE_BIND": "127.0.0.1",
                "MAPREDUCE_RPC_PORT": str(self.port),
                "MAPREDUCE_HEALTH_PORT": str(self.health),
                "MAPREDUCE_METRICS_PORT": str(self.metrics),
            }
        )
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mapreduce_operator"], env=environment, stdout=log, stderr=log
            )
        eventually("the operator is ready", self._is_ready)

    def freeze(self) -> None:
        """Let it do nothing more, as where its node is out of processor time."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def health_text(self) -> str:
        """Return what the kubelet would be told of its liveness; raises `OSError` where it is not alive."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/healthz", timeout=PATIENCE) as answer:
            return bytes(answer.read()).decode()

    def metrics_text(self) -> str:
        """Return what a scraper would be told."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=PATIENCE) as answer:
            return bytes(answer.read()).decode()

    def log(self) -> str:
        """Return what the operator has said."""
        return self._log.read_text()

    def kill(self) -> None:
        """Kill it with -9, as the kernel would."""
        self._end(signal.SIGKILL)

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit status."""
        assert self._process is not None
        return self._process.wait(timeout=PATIENCE)

    def stop(self) -> int:
        """Ask it to end; return its exit status."""
        return self._end(signal.SIGTERM)

    def register(self, token: str, register: Register) -> Registered | tuple[int, Refusal]:
        """Register as a worker does, again while the answer is to try again; return it, or status and refusal.

        An operator that has just become ready knows every job, but has not begun to run each of them.
        """
        until = time.monotonic() + PATIENCE
        while True:
            answer = self.register_once(token, register)
            away = isinstance(answer, tuple) and answer[0] == HTTPStatus.SERVICE_UNAVAILABLE
            if not away or time.monotonic() >= until:
                return answer
            time.sleep(0.2)

    def register_once(self, token: str, register: Register) -> Registered | tuple[int, Refusal]:
        """The same, without trying again."""
        context = ssl.create_default_context(cafile=str(self._tls / "ca.crt"))
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{protocol.REGISTER}",
            data=protocol.encode(register),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/msgpack"},
        )
        try:
            with urllib.request.urlopen(request, context=context, timeout=PATIENCE) as answer:  # noqa: S310 - a constant scheme
                return protocol.decode(answer.read(), Registered)
        except urllib.error.HTTPError as error:
            return error.code, protocol.decode(error.read(), Refusal)

    def _end(self, number: int) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=PATIENCE)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the operator ended:\n{self.log()}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _kubeconfig(self) -> pathlib.Path:
        """Write the operator's kubeconfig with its own way to the API server."""
        written = self.folder / f"operator-{self.port}.kubeconfig"
        plain = self._server.kubeconfig("operator").read_text()
        written.write_text(plain.replace(self._server.url, f"https://127.0.0.1:{self.api.port}"))
        return written

    def _chart_environment(self) -> dict[str, str]:
        deployment = next(document for document in self.documents if document["kind"] == "Deployment")
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        return {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}

    def _write_certificate(self) -> pathlib.Path:
        """Like the chart's, but for the loopback address: there is no Service."""
        folder = self.folder / f"tls-{self.port}"
        folder.mkdir()
        for words in (
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.crt",
            "req -new -newkey rsa:2048 -nodes -subj /CN=operator -keyout tls.key -out tls.csr",
            "x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -days 2 -extfile names -out tls.crt",
        ):
            (folder / "names").write_text("subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n")
            subprocess.run(["openssl", *words.split(" ")], cwd=folder, check=True, capture_output=True)
        return folder


class Team:
    """One namespace that enforces `restricted`, with two claims and the default account."""

    def __init__(self, server: ApiServer, name: str) -> None:
        self.server = server
        self.name = name
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        server.create("/api/v1/namespaces", namespace)
        server.create(f"/api/v1/namespaces/{name}/serviceaccounts", account)
        for claim in ("texts", "results"):
            server.create(f"/api/v1/namespaces/{name}/persistentvolumeclaims", self.claim(claim))

    def claim(self, name: str) -> dict[str, Any]:
        """Return a claim's manifest."""
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": self.name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }

    def submit(self, name: str = "wordcount", **spec: Any) -> None:
        """Apply a job; `spec` replaces fields of its spec."""
        self.server.apply(job(self.name, name, **spec))

    def job(self, name: str = "wordcount") -> Any:
        """Return a job as it is."""
        return self.server.get("-n", self.name, "mrjob", name)

    def status(self, name: str = "wordcount") -> dict[str, Any]:
        """Return a job's status."""
        return dict(self.job(name).get("status") or {})

    def condition(self, kind: str, name: str = "wordcount") -> dict[str, Any]:
        """Return one condition, or nothing."""
        found = [one for one in self.status(name).get("conditions", []) if one["type"] == kind]
        return dict(found[0]) if found else {}

    def pods(self, role: str = "") -> list[Any]:
        """Return the Pods that an operator made."""
        selector = "mapreduce.dev/role" + (f"={role}" if role else "")
        return list(self.server.get("-n", self.name, "pods", "-l", selector)["items"])

    def move_pod(self, name: str, **status: Any) -> None:
        """Do as a kubelet would: write a Pod's status."""
        self.server.call("PATCH", f"/api/v1/namespaces/{self.name}/pods/{name}/status", {"status": status})

    def run_pod(self, name: str, ip: str = "127.0.0.1") -> None:
        """Let a Pod run."""
        self.move_pod(name, phase="Running", podIP=ip, podIPs=[{"ip": ip}])

    def token(self, pod: Any, audience: str = "mapreduce.dev") -> str:
        """Mint what the kubelet would project into a Pod."""
        reference = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"],
        }
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": 3600, "boundObjectRef": reference},
        }
        path = f"/api/v1/namespaces/{self.name}/serviceaccounts/default/token"
        return str(self.server.create(path, body)["status"]["token"])


def job(namespace: str, name: str = "wordcount", **spec: Any) -> dict[str, Any]:
    """Return a job with the fewest fields; `spec` adds or replaces some."""
    fields = {
        "program": {"inline": "import mapreduce as mr\n"},
        "input": {"paths": ["in"], "volume": {"persistentVolumeClaim": {"claimName": "texts"}}},
        "output": {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "results"}}},
    }
    return {
        "apiVersion": "mapreduce.dev/v1alpha1",
        "kind": "MapReduceJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": fields | spec,
    }


def registration(role: protocol.Role = "worker", held: tuple[MapOutput, ...] = ()) -> Register:
    """Return what a worker of this version says when it registers."""
    return Register(
        version=protocol.VERSION, engine=__version__, role=role, boot="boot", slots=1, data_port=8444, held=held
    )
