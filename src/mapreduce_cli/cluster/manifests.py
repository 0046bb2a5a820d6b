"""Resources as files: reading what users wrote, and writing what they may read.

Pure but for reading the file. Neighbours: `submit.py` and `validate.py` (read), `request.py` (makes a
resource of options).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from mapreduce import words
from mapreduce_cli.cluster.problems import Refused

Json = dict[str, Any]

API_VERSION: Final = f"{words.GROUP}/{words.VERSION}"
BESIDE: Final = {"ConfigMap": "configmaps", "PersistentVolumeClaim": "persistentvolumeclaims"}
"""Kinds that may stand in a job's file, with their resources."""
SUFFIXES: Final = (".yaml", ".yml", ".json")


class Manifests(msgspec.Struct, frozen=True):
    """One job, and what is made before it."""

    job: Json
    beside: tuple[Json, ...] = ()


def is_resource(text: str) -> bool:
    """Tell whether a command's argument means a resource rather than a program."""
    return text == "-" or text.endswith(SUFFIXES)


def read(path: str) -> Manifests:
    """Read a file, or stdin for `-`; raises `Refused` where it is not one job with what belongs to it."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text()
    except FileNotFoundError as error:
        raise Refused(f"{path} does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read: {error}") from error
    return divide(documents(text, path), path)


def documents(text: str, path: str) -> list[Json]:
    """Return the objects in a YAML or JSON text; raises `Refused` with line and column."""
    try:
        found = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise Refused(f"{path}{where}: not YAML: {problem}") from error
    for document in found:
        named = document.get("metadata") if isinstance(document, dict) else None
        if not isinstance(named, dict) or not isinstance(document.get("kind"), str):
            raise Refused(f"{path}: a document is no Kubernetes object: it needs apiVersion, kind and metadata")
    return found


def divide(found: list[Json], path: str) -> Manifests:
    """Return the one job and the rest."""
    jobs = [document for document in found if document["kind"] == words.KIND]
    others = [document for document in found if document["kind"] != words.KIND]
    if len(jobs) != 1:
        raise Refused(
            f"{path} has {len(jobs)} {words.KIND} documents; one is needed", hint="kubectl apply takes several"
        )
    if jobs[0].get("apiVersion") != API_VERSION:
        raise Refused(f"{path}: apiVersion must be {API_VERSION}, not {jobs[0].get('apiVersion')!r}")
    if not isinstance(jobs[0].get("spec"), dict):
        raise Refused(f"{path}: the job has no spec")
    for other in others:
        if other["kind"] not in BESIDE:
            raise Refused(
                f"{path}: a {other['kind']} beside the job is not made here; only {' and '.join(BESIDE)}",
                hint=f"kubectl apply -f {path}",
            )
        if not other["metadata"].get("name"):
            raise Refused(f"{path}: a {other['kind']} has no name")
    return Manifests(jobs[0], tuple(others))


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as people do, not as one quoted line."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # Other line ends would come back as `\n`: they are written as escapes.
    plain = "\n" in value and not any(character in value for character in "\r\x85\u2028\u2029")
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if plain else None)


_Dumper.add_representer(str, _text)


def dump(objects: Iterable[Json]) -> str:
    """Return the objects as YAML, one document each."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
