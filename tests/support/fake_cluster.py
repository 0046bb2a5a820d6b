"""A cluster in memory, for the commands that talk to one: what they create, change and delete.

It stands where `mapreduce_cli.cluster.connection.connect` would return the real one.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import click.testing

from mapreduce import words
from mapreduce_cli.cluster.problems import Conflict, NotFound
from mapreduce_cli.cluster.refs import Ref
from mapreduce_cli.main import cli

CREATED = "2026-01-02T03:04:05Z"


class FakeCluster:
    """Objects by resource, namespace and name. What it does not know, it refuses as the API does."""

    server = "https://cluster.invalid"

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.logs: dict[str, bytes] = {}
        self.uids = 0

    def put(self, resource: str, body: dict[str, Any], namespace: str = "default") -> dict[str, Any]:
        """Let an object exist, whatever it says."""
        self.uids += 1
        body = copy.deepcopy(body)
        body["metadata"] = {
            "namespace": namespace,
            "uid": f"uid-{self.uids}",
            "creationTimestamp": CREATED,
        } | body["metadata"]
        self.objects[resource, namespace, body["metadata"]["name"]] = body
        return body

    def job(self, name: str, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
        """Let a job exist."""
        return self.put(words.PLURAL, make_job(name, status, **spec))

    def get(self, ref: Ref) -> dict[str, Any]:
        """Return a copy of an object."""
        return copy.deepcopy(self._find(ref))

    def list_all(self, ref: Ref, *, labels: str = "", fields: str = "") -> list[dict[str, Any]]:
        """Return what the selectors pick."""
        wanted = dict(pair.split("=") for pair in labels.split(",") if pair)
        involved = fields.removeprefix("involvedObject.uid=")
        return [
            copy.deepcopy(body)
            for (resource, namespace, _), body in self.objects.items()
            if resource == ref.resource
            and ref.namespace in ("", namespace)
            and wanted.items() <= (body["metadata"].get("labels") or {}).items()
            and (not fields or body.get("involvedObject", {}).get("uid") == involved)
        ]

    def create(self, ref: Ref, body: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Create an object, if there is none of this name."""
        name = body["metadata"]["name"]
        if (ref.resource, ref.namespace, name) in self.objects:
            raise Conflict(f'{ref.resource} "{name}" already exists')
        if dry_run:
            return copy.deepcopy(body)
        return copy.deepcopy(self.put(ref.resource, body, ref.namespace))

    def merge_patch(self, ref: Ref, body: dict[str, Any]) -> dict[str, Any]:
        """Apply a merge patch."""
        _merge(self._find(ref), body)
        return self.get(ref)

    def delete(self, ref: Ref, *, uid: str = "", grace: int | None = None) -> None:
        """Delete an object at once."""
        found = self._find(ref)
        if uid and found["metadata"]["uid"] != uid:
            raise Conflict("the uid is another one")
        del self.objects[ref.resource, ref.namespace, ref.name]

    def stream(self, ref: Ref, query: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the log of a Pod."""
        if ref.name not in self.logs:
            raise NotFound(f'pods "{ref.name}" not found')
        yield self.logs[ref.name]

    def _find(self, ref: Ref) -> dict[str, Any]:
        try:
            return self.objects[ref.resource, ref.namespace, ref.name]
        except KeyError:
            raise NotFound(f'{ref.resource} "{ref.name}" not found') from None


def make_job(name: str, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a job that counts words, with other fields in its spec."""
    return {
        "apiVersion": f"{words.GROUP}/{words.VERSION}",
        "kind": words.KIND,
        "metadata": {"name": name},
        "spec": {
            "program": {"inline": "import mapreduce as mr\n"},
            "input": {"paths": ["in"], "volume": {"persistentVolumeClaim": {"claimName": "texts"}}},
            "output": {"path": "counts", "volume": {"persistentVolumeClaim": {"claimName": "results"}}},
        }
        | spec,
    } | ({"status": status} if status else {})


def over(kind: str, reason: str = "Succeeded", message: str = "done") -> dict[str, Any]:
    """Return the status of a job that is over: Complete or Failed."""
    condition = {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": CREATED}
    phase = "Succeeded" if kind == "Complete" else "Failed"
    return {"phase": phase, "message": "" if kind == "Complete" else message, "conditions": [condition]}


def run(*words: str, input_text: str | None = None) -> click.testing.Result:
    """Run the command line in this process."""
    return click.testing.CliRunner().invoke(cli, words, input=input_text, prog_name="mapreduce")


def run_json(*words: str) -> Any:
    """Run a command with --json; return its document, which is all that it printed."""
    done = run(*words, "--json")
    return json.loads(done.stdout)


def _merge(into: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for name, value in patch.items():
        if value is None:
            into.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = copy.deepcopy(value)
