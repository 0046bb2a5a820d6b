"""`mapreduce suspend`, `resume` and `delete`. Neighbour: `rerun.py`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mapreduce_cli import terminal
from mapreduce_cli.cluster import jobs
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.lookup import find_job
from mapreduce_cli.cluster.problems import Broken, NotFound, Refused
from mapreduce_cli.cluster.refs import job

if TYPE_CHECKING:
    from mapreduce_cli.cluster.api import Api, JsonObject

POLL = 0.5
"""Seconds between two looks at something that is waited for."""


@command("suspend")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def suspend(asked: Asked, names: tuple[str, ...]) -> None:
    """Stop a job's Pods.

    Parts of the output that are staged are kept, so that they are not made again when the job is
    resumed. Maps run again: their outputs were on the workers.
    """
    _set_suspended(asked, names, True)


@command("resume")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def resume(asked: Asked, names: tuple[str, ...]) -> None:
    """Let a suspended job go on."""
    _set_suspended(asked, names, False)


@command("delete")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--wait", is_flag=True, help="Return when the jobs, their Pods and unpublished files are gone.")
@click.option(
    "--timeout", metavar="SECONDS", type=float, default=120.0, show_default=True, help="How long --wait waits."
)
def delete(asked: Asked, names: tuple[str, ...], wait: bool, timeout: float) -> None:
    """Delete jobs.

    A running job ends without output; an output that is published stays on its volume.
    """
    found = [find_job(asked.api, asked.namespace, name) for name in names]
    for each in found:
        asked.api.delete(job(asked.namespace, jobs.name(each)), uid=jobs.uid(each))
    if wait:
        for each in found:
            wait_gone(asked.api, each, timeout)
    if asked.json:
        terminal.document({"deleted": [jobs.name(each) for each in found]})
        return
    for each in found:
        terminal.say(f"{jobs.name(each)}: deleted" + ("" if wait else ", its Pods end now"))


def wait_gone(api: Api, found: JsonObject, timeout: float) -> None:
    """Return when this very job is gone; raises `Broken` with what holds it."""
    name, namespace = jobs.name(found), found["metadata"]["namespace"]
    deadline = time.monotonic() + timeout
    while True:
        try:
            now = api.get(job(namespace, name))
        except NotFound:
            return
        if jobs.uid(now) != jobs.uid(found):
            return
        if time.monotonic() > deadline:
            held = ", ".join(now["metadata"].get("finalizers") or ()) or "nothing that is known"
            raise Broken(
                f"{name} is not gone after {timeout:g} s; it is held by {held}",
                hint="it goes when the operator runs and its gateway has cleaned the volume; see mapreduce explain",
            )
        time.sleep(POLL)


def _set_suspended(asked: Asked, names: tuple[str, ...], suspended: bool) -> None:
    found = [find_job(asked.api, asked.namespace, name) for name in names]
    for each in found:
        if jobs.is_over(each):
            verb = "suspended" if suspended else "resumed"
            raise Refused(f"{jobs.name(each)} is over ({jobs.phase(each)}): it cannot be {verb}")
    changed = []
    for each in found:
        before = bool(each["spec"].get("suspend"))
        if before != suspended:
            asked.api.merge_patch(job(asked.namespace, jobs.name(each)), {"spec": {"suspend": suspended}})
        changed.append({"name": jobs.name(each), "suspend": suspended, "changed": before != suspended})
    if asked.json:
        terminal.document({"jobs": changed})
        return
    for known in changed:
        now = ("suspended" if suspended else "resumed") if known["changed"] else "unchanged, it was so already"
        terminal.say(f"{known['name']}: {now}")
