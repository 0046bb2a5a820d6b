"""A real kube-apiserver with etcd and no nodes: Pods stay as the test leaves them.

The programs are those that `hack/cluster/programs.sh` compiles. Everything is on loopback ports
and below one temporary folder; nothing outlives `close`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import yaml

ROOT = pathlib.Path(__file__).parents[2]
STATE = pathlib.Path(os.environ.get("CLUSTER_STATE", "/var/lib/mapreduce-cluster"))
PATH = f"{os.environ['PATH']}{os.pathsep}{STATE / 'bin'}"
SYSTEM = "mapreduce-system"
OPERATOR_USER = f"system:serviceaccount:{SYSTEM}:mapreduce-operator"
ISSUER = "https://kubernetes.default.svc"

KINDS = {
    kind: f"/{group}/namespaces/{{namespace}}/{plural}"
    for kind, group, plural in (
        ("configmaps", "api/v1", "configmaps"),
        ("deployments", "apis/apps/v1", "deployments"),
        ("events", "api/v1", "events"),
        ("leases", "apis/coordination.k8s.io/v1", "leases"),
        ("mrjobs", "apis/mapreduce.dev/v1alpha1", "mapreducejobs"),
        ("networkpolicies", "apis/networking.k8s.io/v1", "networkpolicies"),
        ("pods", "api/v1", "pods"),
        ("secrets", "api/v1", "secrets"),
    )
}
"""Where each kind is served, by its plural."""
_words_of_get = argparse.ArgumentParser(prog="get", exit_on_error=False)
_words_of_get.add_argument("-n", dest="namespace", required=True)
_words_of_get.add_argument("-l", dest="selector")
_words_of_get.add_argument("--field-selector", dest="fields")
_words_of_get.add_argument("kind")
_words_of_get.add_argument("name", nargs="?")
_any_certificate = ssl.create_default_context()
_any_certificate.check_hostname = False
_any_certificate.verify_mode = ssl.CERT_NONE

Result = TypeVar("Result")

PATIENCE = 60.0
"""Seconds after which what should have happened is a failure, on a machine that does much else too."""
PORTS = range(10_000, 30_000)
"""Below those that a system gives to connections of its own accord: one of these stays free until it is bound."""
_numbers = random.Random(f"{os.getpid()} {time.monotonic_ns()}")
_keepers: list[socket.socket] = []


def eventually(what: str, check: Callable[[], Result], timeout: float = PATIENCE, interval: float = 0.05) -> Result:
    """Return the first true value of `check`; fail with `what` when none came in time."""
    deadline = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(interval)


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that is kept for who asked until this process ends.

    A bound socket that does not listen keeps it: another `bind` is refused, but that of a server, which
    sets `SO_REUSEADDR` as this one does afterwards, is not.
    """
    while True:
        port = _numbers.choice(PORTS)
        keeper = socket.socket()
        try:
            keeper.bind(("127.0.0.1", port))
        except OSError:
            keeper.close()
            continue
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _keepers.append(keeper)
        return port


def program(name: str) -> str:
    """Return the path of a compiled program."""
    found = shutil.which(name, path=PATH)
    assert found, f"{name} is missing: hack/cluster/programs.sh {name}"
    return found


class ApiServer:
    """etcd and kube-apiserver as two processes."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start()

    def kubeconfig(self, user: str) -> pathlib.Path:
        """Return a kubeconfig file: `admin`, or `operator` with the chart's rights."""
        return self.folder / f"{user}.kubeconfig"

    def kubectl(self, *words: str, stdin: bytes | None = None, check: bool = True) -> str:
        """Run kubectl as the admin; return its output, or raise with what it said."""
        done = subprocess.run(
            [program("kubectl"), *words],
            input=stdin,
            capture_output=True,
            env=os.environ | {"KUBECONFIG": str(self.kubeconfig("admin"))},
            timeout=60,
            check=False,
        )
        said = done.stdout.decode() + ("" if check else done.stderr.decode())
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}: exit {done.returncode}\n{done.stderr.decode()}")
        return said

    def get(self, *words: str) -> Any:
        """Return what `kubectl get -n NAMESPACE KIND [NAME] [-l SELECTOR]` finds.

        Asked directly: tests wait in loops, and each kubectl is a process of a tenth of a second.
        """
        parsed = _words_of_get.parse_args(words)
        place = KINDS[parsed.kind if parsed.kind in KINDS else f"{parsed.kind}s"].format(namespace=parsed.namespace)
        selectors = {"labelSelector": parsed.selector, "fieldSelector": parsed.fields}
        query = urllib.parse.urlencode({name: value for name, value in selectors.items() if value})
        return self.call("GET", f"{place}/{parsed.name or ''}".rstrip("/") + f"?{query}")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request as the admin; return the answer, or raise with what the server said. PATCH merges."""
        try:
            return self.request(method, path, body)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Do as `call`, for who looks at the status of a refusal; raises `urllib.error.HTTPError`."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(  # noqa: S310 - a constant scheme
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer admin", "Content-Type": kind},
        )
        with urllib.request.urlopen(request, context=_any_certificate, timeout=60) as answer:  # noqa: S310 - see above
            return json.loads(answer.read())

    def apply(self, *documents: Any, check: bool = True) -> str:
        """Apply manifests as a user would."""
        return self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents).encode(), check=check)

    def create(self, path: str, body: Any) -> Any:
        """POST an object to a path of the API."""
        return self.call("POST", path, body)

    def close(self) -> None:
        """End both processes."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def _start(self) -> None:
        peer, client = free_port(), free_port()
        subprocess.run(
            ["openssl", "genrsa", "-out", str(self.folder / "accounts.key"), "2048"], check=True, capture_output=True
        )
        (self.folder / "tokens.csv").write_text(f'admin,admin,1,"system:masters"\noperator,{OPERATOR_USER},2\n')
        for user in ("admin", "operator"):
            self._write_kubeconfig(user)
        self._run(
            "etcd",
            "--unsafe-no-fsync",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
        )
        key = self.folder / "accounts.key"
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{client}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            # Without a controller nobody makes the accounts that this plug-in insists on.
            "--disable-admission-plugins=ServiceAccount",
        )
        eventually("the API server is ready", self._is_ready, interval=0.1)

    def _is_ready(self) -> bool:
        for process in self._processes:
            assert process.poll() is None, f"{process.args!r} ended: see {self.folder}"
        return self.kubectl("get", "--raw", "/readyz", check=False) == "ok"

    def _run(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes.append(subprocess.Popen([program(name), *words], stdout=log, stderr=log))

    def _write_kubeconfig(self, user: str) -> None:
        cluster = {"server": self.url, "insecure-skip-tls-verify": True}
        self.kubeconfig(user).write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "test", "cluster": cluster}],
                    "users": [{"name": user, "user": {"token": user}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
                    "current-context": "test",
                }
            )
        )


@contextlib.contextmanager
def serving(folder: pathlib.Path) -> Iterator[ApiServer]:
    """Run a server that has the CRD by plain `kubectl apply`, and the operator's namespace."""
    made = ApiServer(folder)
    try:
        made.kubectl("apply", "-f", str(ROOT / "crds"))
        made.kubectl("create", "namespace", SYSTEM)
        eventually("the resource is served", lambda: "mapreducejobs" in made.kubectl("api-resources", "--no-headers"))
        yield made
    finally:
        made.close()


def render_chart(*settings: str) -> list[dict[str, Any]]:
    """Return the chart's manifests, rendered with `--set` of each setting."""
    words: Sequence[str] = [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        [
            program("helm"),
            "template",
            "mapreduce",
            str(ROOT / "helm/mapreduce-operator"),
            "--namespace",
            SYSTEM,
            *words,
        ],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [document for document in yaml.safe_load_all(done.stdout) if document]
