"""`mapreduce rerun`: a job once more, with the same spec. Neighbours: `creation.py`, `following.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from mapreduce import words
from mapreduce_cli import progress, terminal
from mapreduce_cli.cluster import creation, following, jobs, request
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.lifecycle import wait_gone
from mapreduce_cli.cluster.lookup import find_job
from mapreduce_cli.cluster.manifests import API_VERSION, Manifests
from mapreduce_cli.cluster.problems import NotFound, Refused
from mapreduce_cli.cluster.refs import Ref, job
from mapreduce_operator.kube import config_maps

if TYPE_CHECKING:
    from mapreduce_cli.cluster.api import Api

Json = dict[str, Any]

DELETION: Final = 120.0
"""Seconds that --replace waits for the old job's end."""


@command("rerun")
@click.argument("name", metavar="NAME")
@click.option(
    "--name", "new_name", metavar="NEW", default="", help="The new job's name.  [default: NAME, with five letters]"
)
@click.option("--replace", is_flag=True, help="Delete the job, and create it again under its own name.")
@click.option("--output", metavar="PATH", default="", help="Another directory on the output's volume.")
@click.option("--overwrite", is_flag=True, help="Replace the output that is there at the end.")
@click.option("--wait", is_flag=True, help="Show progress; return with the job's exit status when it is over.")
@progress.option
def rerun(
    asked: Asked, name: str, *, new_name: str, replace: bool, wait: bool, shown: progress.Choice, **changes: Any
) -> None:
    """Run a job once more, under a new name.

    A job never writes over an output: say with --output where the new one goes, or with --overwrite
    that it replaces the old one at the end.
    """
    if replace and new_name:
        raise Refused("--replace keeps the name", hint="leave out --name")
    found = find_job(asked.api, asked.namespace, name)
    spec = _spec(found, **changes)
    origin = (found["metadata"].get("annotations") or {}).get(words.ANNOTATION_RERUN_OF) or name
    chosen = name if replace else new_name or request.fresh_name(origin, creation.token())
    made = _again(found, request.check_name(chosen), spec, origin, _source(asked.api, found))
    if replace:
        asked.api.delete(job(asked.namespace, name), uid=jobs.uid(found))
        terminal.note(f"{name}: deleted, waiting for its end")
        wait_gone(asked.api, found, DELETION)
    created = creation.create(asked.api, asked.namespace, made)
    if wait:
        terminal.note(f"{chosen}: submitted")
        following.to_its_end(asked, created, shown)
    elif asked.json:
        terminal.document({"job": {"name": chosen, "namespace": asked.namespace, "uid": jobs.uid(created)}})
    else:
        terminal.say(f"{chosen}: submitted")


def _spec(found: Json, output: str, overwrite: bool) -> Json:
    """Return the spec for the new job; raises `Refused` where its output is bound to be in the way."""
    spec = dict(found["spec"])
    spec["output"] = dict(spec["output"])
    spec.pop("suspend", None)
    if output:
        spec["output"]["path"] = output.strip("/")
    if overwrite:
        spec["output"]["overwrite"] = "Replace"
    same = spec["output"]["path"] == found["spec"]["output"]["path"]
    if jobs.condition(found, "Complete") and same and spec["output"].get("overwrite") != "Replace":
        raise Refused(
            f"the output {spec['output']['path']} of {jobs.name(found)} is there already",
            hint="--output PATH for another place, or --overwrite to replace it at the end",
        )
    return spec


def _source(api: Api, found: Json) -> dict[str, bytes] | None:
    """Return the program's files if they are in a ConfigMap that goes with the old job."""
    named = (found["spec"]["program"].get("configMap") or {}).get("name")
    if named != request.source_name(jobs.name(found)):
        return None
    try:
        source = api.get(Ref("configmaps", found["metadata"]["namespace"], named))
    except NotFound as error:
        raise Refused(f"the ConfigMap {named!r} with the program is gone", hint="submit the program again") from error
    return config_maps.files_of(source)


def _again(found: Json, name: str, spec: Json, origin: str, source: dict[str, bytes] | None) -> Manifests:
    beside: tuple[Json, ...] = ()
    if source is not None:
        beside = (request.source_map(name, source),)
        key = spec["program"]["configMap"]["key"]
        spec["program"] = spec["program"] | {"configMap": {"name": request.source_name(name), "key": key}}
    metadata: Json = {"name": name, "annotations": {words.ANNOTATION_RERUN_OF: origin}}
    labels = found["metadata"].get("labels")
    metadata |= {"labels": labels} if labels else {}
    return Manifests({"apiVersion": API_VERSION, "kind": words.KIND, "metadata": metadata, "spec": spec}, beside)
