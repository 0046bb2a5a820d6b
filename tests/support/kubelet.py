"""A kubelet that runs the Pods of jobs as processes of this machine.

For tests that want whole jobs on a real API server without nodes. It binds Pods, gives each an
address of its own below 127/8, lays out volumes as folders, projects tokens, tells how processes
end, and deletes as gracefully as the real one. Paths in environment variables are moved to the
folders; everything else of the manifest's environment is what the process gets.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
from typing import Any

from tests.support.apiserver import PATIENCE, ApiServer

SELECTOR = "app.kubernetes.io%2Fmanaged-by%3Dmapreduce-operator"
ACCOUNT = "default"
NETWORK = 1 + os.getpid() % 254
"""Pods of kubelets that run at the same time must not have one address: their ports are the same."""


class Running:
    """One Pod's process."""

    def __init__(self, pod: dict[str, Any], process: subprocess.Popen[bytes]) -> None:
        self.pod = pod
        self.process = process
        self.kill_at: float | None = None
        self.told = False


class Kubelet:
    """Runs until `close` the Pods of namespaces in which it was asked for a claim's folder.

    `claims` has one folder a claim, by namespace. Gateways are bound to the node `claims`, workers to `worker_node`.
    """

    def __init__(self, server: ApiServer, folder: pathlib.Path) -> None:
        self.claims = folder / "claims"
        self.worker_node = "here"
        self._server = server
        self._folder = folder
        self._namespaces: set[str] = set()
        self._pods: dict[str, Running] = {}
        self._logs: dict[tuple[str, str], list[pathlib.Path]] = {}
        self._numbers = itertools.count(2)
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)
        self._thread.start()

    def claim(self, namespace: str, name: str) -> pathlib.Path:
        """Return the folder of a claim; from now on the namespace's Pods run."""
        self._namespaces.add(namespace)
        folder = self.claims / namespace / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log(self, name: str) -> str:
        """Return what a Pod's process said."""
        return (self._folder / f"{name}.log").read_text()

    def logs(self, role: str, namespace: str) -> dict[str, str]:
        """Return what the processes of the Pods said that are there, and of those that went, by their names."""
        return {path.stem: path.read_text() for path in self._logs.get((role, namespace), ())}

    def kill(self, name: str) -> None:
        """Kill -9 a Pod's process."""
        for running in list(self._pods.values()):
            if running.pod["metadata"]["name"] == name:
                os.killpg(running.process.pid, signal.SIGKILL)

    def refresh(self, name: str) -> None:
        """Lay out a Pod's ConfigMaps again, as the real one does within a minute of a change."""
        for running in list(self._pods.values()):
            if running.pod["metadata"]["name"] == name:
                self._mount(running.pod, self._folder / name)

    def state(self) -> str:
        """Return where the kubelet stands, and each of its processes with the end of its log: for a test that fails."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        told = [f"kubelet: {self._error!r}", *(traceback.format_stack(frame) if frame else ["its thread has ended"])]
        now = time.monotonic()
        for running in list(self._pods.values()):
            name, pid = running.pod["metadata"]["name"], running.process.pid
            left = "not asked to end" if running.kill_at is None else f"to be killed in {running.kill_at - now:.1f} s"
            told += [f"{name}: process {pid}, ended: {running.process.poll()}, {left}", self.log(name)[-2000:]]
        return "\n".join(told)

    def close(self) -> None:
        """End every process, and let every Pod go; raises what went wrong meanwhile."""
        self._stop.set()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise AssertionError(f"the kubelet hangs\n{self.state()}")
        for running in self._pods.values():
            if running.process.poll() is None:
                os.killpg(running.process.pid, signal.SIGKILL)
                running.process.wait()
        if self._error is not None:
            raise self._error
        # One that stayed bound to a node without its kubelet could never go: who drains the node would wait for it.
        for pod in self._listed():
            if pod["spec"].get("nodeName"):
                self._try("DELETE", f"{path_of(pod)}?gracePeriodSeconds=0")

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - the thread's boundary: `close` raises it
                self._error = error
                return

    def _look(self) -> None:
        present = {pod["metadata"]["uid"]: pod for pod in self._listed()}
        for uid, pod in present.items():
            if uid in self._pods:
                continue
            if "deletionTimestamp" not in pod["metadata"]:
                self._start(pod)
            elif pod["spec"].get("nodeName"):
                # Bound, but it never ran, or its last deletion failed: nobody else lets it go.
                self._try("DELETE", f"{path_of(pod)}?gracePeriodSeconds=0")
        for uid, running in list(self._pods.items()):
            self._follow(running, present.get(uid))

    def _listed(self) -> list[dict[str, Any]]:
        """Return the Pods of the kubelet's namespaces, bound or not."""
        pods = self._server.request("GET", f"/api/v1/pods?labelSelector={SELECTOR}")["items"]
        return [pod for pod in pods if pod["metadata"]["namespace"] in self._namespaces]

    def _start(self, pod: dict[str, Any]) -> None:
        metadata, spec = pod["metadata"], pod["spec"]
        where = path_of(pod)
        folder = self._folder / metadata["name"]
        try:
            mounts = self._mount(pod, folder)
            is_worker = metadata["labels"]["mapreduce.dev/role"] == "worker"
            target = {"apiVersion": "v1", "kind": "Node", "name": self.worker_node if is_worker else "claims"}
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": metadata["name"]}, "target": target}
            if not spec.get("nodeName"):
                # Else an earlier look bound it, and could not tell its status.
                self._server.request("POST", f"{where}/binding", binding)
            ip = f"127.{NETWORK}.{next(self._numbers)}.1"
            # The address is told first: a worker that registers must have one.
            status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}
            self._server.request("PATCH", f"{where}/status", {"status": status})
        except (urllib.error.HTTPError, FileNotFoundError):
            # Deleted meanwhile, or its claim or ConfigMap is not there yet: the next look tries again.
            return
        (container,) = spec["containers"]
        environment = {"PATH": os.environ["PATH"]}
        for variable in container["env"]:
            environment[variable["name"]] = moved(variable["value"], mounts)
        environment["MAPREDUCE_DATA_HOST"] = ip
        with (self._folder / f"{metadata['name']}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "mapreduce_worker"],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pods[metadata["uid"]] = Running(pod, process)
        role = metadata["labels"]["mapreduce.dev/role"]
        self._logs.setdefault((role, metadata["namespace"]), []).append(self._folder / f"{metadata['name']}.log")

    def _mount(self, pod: dict[str, Any], folder: pathlib.Path) -> dict[str, pathlib.Path]:
        """Make the folders of a Pod's volumes; return them by mount path."""
        namespace = pod["metadata"]["namespace"]
        folders = {}
        for volume in pod["spec"]["volumes"]:
            place = folder / volume["name"]
            if "persistentVolumeClaim" in volume:
                name = volume["persistentVolumeClaim"]["claimName"]
                self._server.request("GET", f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")
                folders[volume["name"]] = self.claim(namespace, name)
                continue
            place.mkdir(parents=True, exist_ok=True)
            folders[volume["name"]] = place
            if "configMap" in volume:
                name = volume["configMap"]["name"]
                data = self._server.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")["data"]
                for key, content in data.items():
                    (place / key).write_text(content)
            if "projected" in volume:
                (place / "token").write_text(self._token(pod, volume["projected"]["sources"][0]))
        (container,) = pod["spec"]["containers"]
        return {mount["mountPath"]: folders[mount["name"]] for mount in container["volumeMounts"]}

    def _token(self, pod: dict[str, Any], source: dict[str, Any]) -> str:
        metadata = pod["metadata"]
        wanted = source["serviceAccountToken"]
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {
            "audiences": [wanted["audience"]],
            "expirationSeconds": wanted["expirationSeconds"],
            "boundObjectRef": bound,
        }
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{ACCOUNT}/token"
        return str(self._server.request("POST", path, body)["status"]["token"])

    def _follow(self, running: Running, pod: dict[str, Any] | None) -> None:
        where = path_of(running.pod)
        ended = running.process.poll()
        if pod is None or "deletionTimestamp" in pod["metadata"]:
            self._end(running, pod, where)
        elif ended is not None and not running.told:
            running.told = True
            exit_code = 128 - ended if ended < 0 else ended
            state = {"terminated": {"exitCode": exit_code, "reason": "Completed" if ended == 0 else "Error"}}
            name = pod["spec"]["containers"][0]["name"]
            container = {
                "name": name,
                "image": "",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": state,
            }
            phase = "Succeeded" if ended == 0 else "Failed"
            self._try("PATCH", f"{where}/status", {"status": {"phase": phase, "containerStatuses": [container]}})

    def _end(self, running: Running, pod: dict[str, Any] | None, where: str) -> None:
        """The Pod was deleted: ask, wait for the grace period, kill, and let it go."""
        if running.process.poll() is None:
            if running.kill_at is None:
                grace = 0 if pod is None else pod["metadata"].get("deletionGracePeriodSeconds", 0)
                running.kill_at = time.monotonic() + grace
                os.kill(running.process.pid, signal.SIGTERM)
            if time.monotonic() < running.kill_at:
                return
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait(20)
        if pod is not None:
            self._try("DELETE", f"{where}?gracePeriodSeconds=0")
        shutil.rmtree(self._folder / running.pod["metadata"]["name"], ignore_errors=True)
        del self._pods[running.pod["metadata"]["uid"]]

    def _try(self, method: str, path: str, body: Any = None) -> None:
        try:
            self._server.request(method, path, body)
        except urllib.error.HTTPError as error:
            if error.code not in (404, 409):
                raise


def path_of(pod: dict[str, Any]) -> str:
    """Return the path of a Pod in the API."""
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def moved(value: str, mounts: dict[str, pathlib.Path]) -> str:
    """Return a path inside a container as it is on this machine; anything else as it is."""
    for path, folder in mounts.items():
        if value == path or value.startswith(f"{path}/"):
            return f"{folder}{value.removeprefix(path)}"
    return value
