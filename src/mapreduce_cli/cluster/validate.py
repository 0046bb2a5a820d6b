"""`mapreduce validate`: what would be refused, told before it is submitted.

Here: the program loads and is a job, the parameters fit, names and paths are sound. With a cluster:
what its API server says of the resource without making it, and whether what it names exists.
Neighbours: `loading.py` (the program), `manifests.py` (the file).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from mapreduce.errors import UsageError
from mapreduce.program import Program, Shape, SideFile
from mapreduce_cli import options, programs, terminal
from mapreduce_cli.cluster import jobs, loading, manifests, refusals, request
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.manifests import Manifests
from mapreduce_cli.cluster.problems import Conflict, NotFound, Problem, Refused, Unreachable
from mapreduce_cli.cluster.refs import Ref, job
from mapreduce_cli.failures import REFUSED
from mapreduce_operator.kube import config_maps

if TYPE_CHECKING:
    from mapreduce_cli.cluster.api import Api

Json = dict[str, Any]


class Finding(msgspec.Struct, frozen=True):
    """ok: it is so. wrong: it would be refused. note: it could not be checked, or is worth knowing."""

    verdict: Literal["ok", "wrong", "note"]
    text: str


@command("validate")
@click.argument("source", metavar="PROGRAM|FILE.yaml")
@click.option("--param", "params", metavar="NAME=VALUE", multiple=True, help="A parameter of the program.")
@click.option("--files", metavar="PATH", multiple=True, help="A module or data file beside the program.")
def validate(asked: Asked, source: str, params: tuple[str, ...], files: tuple[str, ...]) -> None:
    """Check a program or a resource before it is run.

    A PROGRAM is imported in a process of its own. A resource is checked here and, if a cluster can be
    reached, by its API server, which makes nothing. Exit status 2 if something is wrong.
    """
    if manifests.is_resource(source):
        if params or files:
            raise Refused("a resource says its parameters and files itself", hint=f"change {source}")
        findings = list(_resource(asked, manifests.read(source)))
    else:
        findings = [_program(programs.read(source, files), options.named_params(params))]
    if asked.json:
        terminal.document({"valid": not _is_wrong(findings), "findings": findings})
    else:
        for finding in findings:
            terminal.say(f"{finding.verdict:<6} {finding.text}")
    if _is_wrong(findings):
        raise click.exceptions.Exit(REFUSED)


def _is_wrong(findings: list[Finding]) -> bool:
    return any(finding.verdict == "wrong" for finding in findings)


# --- the program -------------------------------------------------------------------------------


def _program(program: Program, params: dict[str, str]) -> Finding:
    found = loading.look(program, params)
    if found.shape is None:
        return Finding("wrong", found.error)
    return Finding("ok", f"the program loads: {describe(found.shape)}")


def describe(shape: Shape) -> str:
    """Return a shape in words."""
    if not shape.has_reduce:
        return f"{shape.class_name}, map only"
    return f"{shape.class_name}, with reduce{' and combiner' if shape.has_combine else ''}"


def _programs_of(asked: Asked, made: Manifests) -> Iterator[Finding]:
    written = made.job["spec"].get("program")
    if not isinstance(written, dict):
        yield Finding("wrong", "spec.program is missing")
        return
    program = _written(asked, made, written)
    if isinstance(program, Finding):
        yield program
        return
    params = made.job["spec"].get("params") or {}
    yield _program(program, {str(name): str(value) for name, value in params.items()})


def _written(asked: Asked, made: Manifests, written: Json) -> Program | Finding:
    """Return the program that a resource names, or why it cannot be looked at here."""
    class_name = str(written.get("class") or "")
    if isinstance(written.get("inline"), str):
        return Program(file="job.py", source=written["inline"].encode(), class_name=class_name)
    if written.get("module"):
        return Finding("note", f"the program is the module {written['module']} of the image: not checked here")
    named = written.get("configMap")
    if not isinstance(named, dict) or not named.get("name") or not named.get("key"):
        return Finding("wrong", "spec.program needs one of inline, configMap (name and key) and module")
    source = _config_map(asked, made, str(named["name"]))
    if isinstance(source, Finding):
        return source
    try:
        files = config_maps.files_of(source)
    except UsageError as error:
        return Finding("wrong", str(error))
    if named["key"] not in files:
        return Finding("wrong", f"the ConfigMap {named['name']!r} has no key {named['key']!r}")
    beside = tuple(SideFile(key, content) for key, content in sorted(files.items()) if key != named["key"])
    return Program(file=named["key"], source=files[named["key"]], class_name=class_name, files=beside)


def _config_map(asked: Asked, made: Manifests, name: str) -> Json | Finding:
    for document in made.beside:
        if document["kind"] == "ConfigMap" and document["metadata"]["name"] == name:
            return document
    try:
        return asked.api.get(Ref("configmaps", _namespace(asked, made), name))
    except NotFound:
        return Finding("wrong", f"the ConfigMap {name!r} with the program does not exist")
    except Problem as problem:
        return Finding("note", f"the program is in the ConfigMap {name!r}, which cannot be read: {problem.message}")


# --- the resource --------------------------------------------------------------------------------


def _resource(asked: Asked, made: Manifests) -> Iterator[Finding]:
    yield from _name(made.job)
    yield from _programs_of(asked, made)
    yield from _paths(made.job["spec"])
    yield from _cluster(asked, made)


def _namespace(asked: Asked, made: Manifests) -> str:
    return str(made.job["metadata"].get("namespace") or asked.namespace)


def _name(found: Json) -> Iterator[Finding]:
    name = found["metadata"].get("name")
    if name is None and found["metadata"].get("generateName"):
        return
    try:
        request.check_name(str(name or ""))
    except Refused as refused:
        yield Finding("wrong", refused.message)


def _paths(spec: Json) -> Iterator[Finding]:
    wrong = False
    for side, named in (("input", "paths"), ("output", "path")):
        written = spec.get(side)
        paths = written.get(named) if isinstance(written, dict) else None
        for path in paths if isinstance(paths, list) else [paths]:
            if not isinstance(path, str) or not path:
                wrong = True
                yield Finding("wrong", f"spec.{side}.{named} is missing")
            elif path.startswith("/") or ".." in path.split("/"):
                wrong = True
                yield Finding("wrong", f"spec.{side}.{named}: {path!r} must be relative to the volume, without '..'")
    if wrong:
        return
    if inside := refusals.output_inside(spec):
        yield Finding("wrong", inside)


def _cluster(asked: Asked, made: Manifests) -> Iterator[Finding]:
    try:
        api, namespace = asked.api, _namespace(asked, made)
        yield _accepted(api, namespace, made.job)
    except Unreachable as problem:
        yield Finding("note", f"not checked by a cluster: {problem.message}")
        return
    yield from _named(api, namespace, made)


def _accepted(api: Api, namespace: str, found: Json) -> Finding:
    """Return what the API server says of a job that it does not make; raises `Unreachable`."""
    named = {"metadata": {"name": "validate"} | found["metadata"]}
    try:
        api.create(job(namespace), found | named, dry_run=True)
    except Unreachable:
        raise
    except Conflict:
        return Finding("note", f"there is a job {jobs.name(found)!r} in namespace {namespace!r} already")
    except Problem as problem:
        return Finding("wrong", problem.message + (f" ({problem.hint})" if problem.hint else ""))
    return Finding("ok", f"the cluster at {api.server} accepts the resource")


def _named(api: Api, namespace: str, made: Manifests) -> Iterator[Finding]:
    """Tell of claims and ConfigMaps that are neither in the cluster nor in the file."""
    beside = {(document["kind"], document["metadata"]["name"]) for document in made.beside}
    wanted = [("PersistentVolumeClaim", name) for name in jobs.claims(made.job)]
    config_map = ((made.job["spec"].get("input") or {}).get("volume") or {}).get("configMap") or {}
    wanted += [("ConfigMap", str(config_map["name"]))] if config_map.get("name") else []
    for kind, name in wanted:
        if (kind, name) in beside:
            continue
        try:
            api.get(Ref(manifests.BESIDE[kind], namespace, name))
        except NotFound:
            yield Finding(
                "note", f"there is no {kind} {name!r} in namespace {namespace!r} yet: the job would wait for it"
            )
        except Problem as problem:
            yield Finding("note", f"whether there is a {kind} {name!r} cannot be seen: {problem.message}")
