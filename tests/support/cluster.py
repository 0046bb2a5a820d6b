"""A kind cluster as the end-to-end tests use it: through kubectl, as a user would."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import yaml

ROOT = pathlib.Path(__file__).parents[2]
STATE = pathlib.Path(os.environ.get("CLUSTER_STATE", "/var/lib/mapreduce-cluster"))
KUBECONFIG = pathlib.Path(os.environ.get("KUBECONFIG", STATE / "kubeconfig"))
SYSTEM = "mapreduce-system"

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def chart_values() -> dict[str, Any]:
    """Return the chart's default values: images are read from there, never written twice."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "helm/mapreduce-operator/values.yaml").read_text())
    return values


def kubectl(*words: str, stdin: bytes | None = None, check: bool = True, timeout: float = 120) -> bytes:
    """Run kubectl against the test cluster; return its stdout, or raise with its stderr."""
    path = f"{STATE / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"KUBECONFIG": str(KUBECONFIG), "PATH": path}
    done = subprocess.run(
        ["kubectl", *words], input=stdin, capture_output=True, env=environment, timeout=timeout, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"kubectl {' '.join(words)}: exit {done.returncode}\n{done.stderr.decode()}")
    return done.stdout if check else done.stdout + done.stderr


def kubectl_json(*words: str) -> Any:
    """Run kubectl and decode its JSON."""
    return json.loads(kubectl(*words, "-o", "json"))


def eventually(what: str, check: Callable[[], Any], timeout: float = 60, interval: float = 0.2) -> Any:
    """Return the first true value of `check`; fail with `what` when none came in time."""
    deadline = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(interval)


class Namespace(msgspec.Struct, frozen=True):
    """One test's namespace, which enforces the `restricted` Pod Security Standard."""

    name: str

    def kubectl(self, *words: str, **options: Any) -> bytes:
        """Run kubectl in this namespace."""
        return kubectl("-n", self.name, *words, **options)

    def get(self, kind: str, name: str = "") -> Any:
        """Return one object, or the items of a list."""
        found = kubectl_json("-n", self.name, "get", kind, *([name] if name else []))
        return found if name else found["items"]

    def apply(self, *documents: dict[str, Any]) -> None:
        """Apply manifests."""
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents).encode())

    def claim(self, name: str) -> None:
        """Make a ReadWriteOnce claim of the default class."""
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": name},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }
        )

    def shell_pod(self, name: str, claim: str, node: str = "") -> None:
        """Start a restricted Pod that holds a claim open for exec, and binds it to a node."""
        image = chart_values()["worker"]["image"]
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name},
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 0,
                    "automountServiceAccountToken": False,
                    **({"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}),
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 65532,
                        "fsGroup": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "shell",
                            "image": image,
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["python3", "-c", "import signal; signal.sigwait([signal.SIGTERM])"],
                            "securityContext": RESTRICTED,
                            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "256Mi"}},
                        }
                    ],
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
                },
            }
        )
        self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=90s")

    def write(self, pod: str, path: str, content: bytes) -> None:
        """Write a file on the claim that a shell Pod holds."""
        program = (
            "import pathlib, sys; p = pathlib.Path('/data', sys.argv[1]);"
            "p.parent.mkdir(parents=True, exist_ok=True); p.write_bytes(sys.stdin.buffer.read())"
        )
        self.kubectl("exec", "-i", pod, "--", "python3", "-c", program, path, stdin=content)

    def write_all(self, pod: str, files: dict[str, bytes]) -> None:
        """Write many files on the claim that a shell Pod holds, at once."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, content in files.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        self.kubectl("exec", "-i", pod, "--", "tar", "-x", "-C", "/data", stdin=archive.getvalue())

    def read_all(self, pod: str, folder: str) -> dict[str, bytes]:
        """Read every file below a folder of the claim that a shell Pod holds, by its path in the folder."""
        archive = self.kubectl("exec", pod, "--", "tar", "-c", "-C", f"/data/{folder}", ".")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            entries = [(entry.name.removeprefix("./"), tar.extractfile(entry)) for entry in tar if entry.isfile()]
            return {name: file.read() for name, file in entries if file is not None}

    def read(self, pod: str, path: str) -> bytes:
        """Read a file from the claim that a shell Pod holds."""
        program = "import pathlib, sys; sys.stdout.buffer.write(pathlib.Path('/data', sys.argv[1]).read_bytes())"
        return self.kubectl("exec", pod, "--", "python3", "-c", program, path)

    def files(self, pod: str) -> list[str]:
        """List every file and folder on a shell Pod's claim."""
        program = "import pathlib; [print(p.relative_to('/data')) for p in sorted(pathlib.Path('/data').rglob('*'))]"
        return self.kubectl("exec", pod, "--", "python3", "-c", program).decode().split("\n")[:-1]

    def pods(self, role: str = "") -> list[Any]:
        """Return the Pods of jobs, of one role if given."""
        selector = "mapreduce.dev/job" + (f",mapreduce.dev/role={role}" if role else "")
        found = kubectl_json("-n", self.name, "get", "pods", "-l", selector)
        return list(found["items"])

    def wait_complete(self, job: str, timeout: int = 600) -> None:
        """Wait for a job to complete; if it fails or takes too long, say what it says of itself."""
        deadline = time.monotonic() + timeout
        while not self._ended(job, deadline - time.monotonic()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{job} does not end\n{self._story(job)}")
        if self.condition(job, "Complete") is None:
            raise AssertionError(f"{job} failed\n{self._story(job)}")

    def _ended(self, job: str, left: float) -> bool:
        """Wait for a while, as the README says, for either end of a job."""
        patience = f"--timeout={max(1, min(5, int(left)))}s"
        said = self.kubectl("wait", "--for=condition=Complete", patience, f"mrjob/{job}", check=False)
        return b"condition met" in said or self.condition(job, "Failed") is not None

    def _story(self, job: str) -> str:
        told = self.kubectl("describe", f"mrjob/{job}", check=False).decode()
        return f"{told}\n{operator_log()}"

    def phase(self, job: str) -> str:
        """Return a job's phase."""
        return str(self.get("mrjob", job).get("status", {}).get("phase", ""))

    def condition(self, job: str, kind: str) -> dict[str, Any] | None:
        """Return one condition of a job."""
        for condition in self.get("mrjob", job).get("status", {}).get("conditions", []):
            if condition["type"] == kind:
                return dict(condition)
        return None


def deploy(*values: str) -> None:
    """Install or upgrade the chart as it stands in this tree, and wait until it is ready."""
    _hack("deploy", *values)


def undeploy() -> None:
    """Uninstall the chart."""
    _hack("undeploy")


def _hack(script: str, *words: str) -> None:
    done = subprocess.run([ROOT / "hack" / script, *words], capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, f"{script}: {done.stdout}\n{done.stderr}\n{operator_log()}"


@contextlib.contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace that enforces `restricted`, and delete it afterwards."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl(
        "apply",
        "-f",
        "-",
        stdin=yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
            }
        ).encode(),
    )
    try:
        yield Namespace(name)
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def operator_log(lines: int = 60) -> str:
    """Return the end of the operator's log."""
    return kubectl("-n", SYSTEM, "logs", "deploy/mapreduce-operator", f"--tail={lines}", check=False).decode()


def nodes() -> list[str]:
    """Return the names of the nodes that take work, the control plane last."""
    found = kubectl_json("get", "nodes")["items"]
    names = [
        (("node-role.kubernetes.io/control-plane" in node["metadata"]["labels"]), node["metadata"]["name"])
        for node in found
    ]
    return [name for _, name in sorted(names)]


def job_manifest(name: str, program: str, **spec: Any) -> dict[str, Any]:
    """Return a MapReduceJob; `spec` replaces or adds fields of its spec."""
    fields: dict[str, Any] = {
        "program": {"inline": program},
        "input": {"paths": ["in/*.txt"], "volume": {"persistentVolumeClaim": {"claimName": "texts"}}},
        "output": {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "results"}}},
        "reducers": 4,
        "workers": {"replicas": 2},
    }
    return {
        "apiVersion": "mapreduce.dev/v1alpha1",
        "kind": "MapReduceJob",
        "metadata": {"name": name},
        "spec": fields | spec,
    }
