"""`mapreduce cp`: files and folders to and from claims, through a Pod that mounts the claim.

Neighbours: `helper_pod.py` (the Pod), `streams.py` and `transfer.py` (the bytes).
"""

from __future__ import annotations

import os
import time
from typing import Any

import click

from mapreduce_cli import sizes, terminal
from mapreduce_cli.cluster import transfer, volumes
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.helper_pod import HelperPod, helper_pod, of_a_pod, plan_for
from mapreduce_cli.cluster.meter import meter
from mapreduce_cli.cluster.problems import Broken, Refused
from mapreduce_cli.cluster.streams import download, told, upload

_EPILOG = """
\b
Examples:
  mapreduce cp texts pvc:data/texts           # pvc:data/texts is then what texts is
  mapreduce cp a.txt b.txt pvc:data/texts/    # a slash: into the folder, under their own names
  mapreduce cp pvc:data/counts ./counts
"""


@command("cp", epilog=_EPILOG)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.argument("target", metavar="TARGET")
@click.option("--force", is_flag=True, help="Replace files that exist, and add to folders that exist.")
@of_a_pod
def cp(asked: Asked, sources: tuple[str, ...], target: str, force: bool, image: str, timeout: float) -> None:
    """Copy files and folders to a volume, or from one.

    One side is on this machine, the other is pvc:CLAIM/path. A small Pod mounts the claim while the
    copy lasts. Every file is compared by its SHA-256 on both sides, and has its final name only when
    all of the copy has arrived.
    """
    if volumes.is_place(target):
        if any(volumes.is_place(source) for source in sources):
            raise Refused("one side of a copy is on this machine", hint="copy from the volume here first")
        copied = _up(asked, sources, volumes.parse(target, ("pvc",)), force, (image, timeout))
    else:
        places = [volumes.parse(source, ("pvc",)) for source in sources]
        copied = _down(asked, places, target, force, (image, timeout))
    if asked.json:
        terminal.document({"copied": copied})
        return
    for one in copied:
        amount = f"{one['files']} file{'' if one['files'] == 1 else 's'}, {sizes.render(one['bytes'])}"
        terminal.say(f"{one['target']}: {amount} in {one['seconds']:.1f} s, checksums agree")
        for left in one["skipped"]:
            terminal.note(f"left out, a link to a folder or no file: {left}")


def _up(
    asked: Asked, sources: tuple[str, ...], target: volumes.Place, force: bool, pod: tuple[str, float]
) -> list[dict[str, Any]]:
    for source in sources:
        if not os.path.exists(source):
            raise Refused(f"{source} does not exist")
    targets = _names([os.path.basename(os.path.abspath(source)) for source in sources], target.path)
    with _pod(asked, target.name, read_only=False, pod=pod) as running:
        return [
            _one_up(asked, running, source, volumes.Place("pvc", target.name, path), force)
            for source, path in zip(sources, targets, strict=True)
        ]


def _one_up(asked: Asked, running: HelperPod, source: str, target: volumes.Place, force: bool) -> dict[str, Any]:
    began = time.monotonic()
    pipe = running.start(do="receive", path=target.path, force=force)
    try:
        with meter(source, _size(source), quiet=asked.json) as progress:
            facts = upload(pipe, source, progress)
    finally:
        pipe.close()
    return _copied(source, str(target), facts, began)


def _down(
    asked: Asked, sources: list[volumes.Place], target: str, force: bool, pod: tuple[str, float]
) -> list[dict[str, Any]]:
    into = target + "/" if os.path.isdir(target) and not target.endswith("/") and len(sources) > 1 else target
    names = [os.path.basename(source.path.rstrip("/")) or source.name for source in sources]
    targets = _names(names, into)
    claims = {source.name for source in sources}
    if len(claims) > 1:
        raise Refused("one copy reads one claim", hint="copy from one claim at a time")
    with _pod(asked, sources[0].name, read_only=True, pod=pod) as running:
        return [_one_down(asked, running, source, path, force) for source, path in zip(sources, targets, strict=True)]


def _one_down(asked: Asked, running: HelperPod, source: volumes.Place, target: str, force: bool) -> dict[str, Any]:
    began = time.monotonic()
    if os.path.lexists(target) and not force:
        # Known before anything is moved.
        raise Refused(f"{target} exists already", hint="choose another name, or --force")
    pipe = running.start(do="send", path=source.path)
    try:
        with meter(str(source), None, quiet=asked.json) as progress:
            facts = download(pipe, target, force=force, progress=progress)
    finally:
        pipe.close()
    return _copied(str(source), target, facts, began)


def _pod(asked: Asked, claim: str, *, read_only: bool, pod: tuple[str, float]) -> Any:
    image, timeout = pod
    plan = plan_for(asked.api, asked.namespace, claim, image=image, read_only=read_only)
    return helper_pod(asked.api, asked.namespace, plan, timeout)


def _names(names: list[str], target: str) -> list[str]:
    """Return the final name of each source: the target itself, or below it if it ends with a slash."""
    if target in ("", ".") or target.endswith("/"):
        made = [os.path.join(target, name) for name in names]
    elif len(names) == 1:
        made = [target]
    else:
        raise Refused(f"{len(names)} sources need a folder", hint=f"write {target}/")
    if len(set(made)) < len(made):
        raise Refused("two sources have the same name", hint="copy them one by one")
    return made


def _size(source: str) -> int:
    with told():
        if not os.path.isdir(source):
            return os.stat(source).st_size
        _, files, _ = transfer.list_below(source)
        return sum(os.stat(os.path.join(source, name)).st_size for name in files)


def _copied(source: str, target: str, facts: dict[str, Any], began: float) -> dict[str, Any]:
    try:
        known = {name: facts[name] for name in ("files", "bytes", "skipped")}
    except KeyError as error:
        raise Broken(f"the other side did not say {error}") from error
    return {"source": source, "target": target, "seconds": round(time.monotonic() - began, 3)} | known
