"""`mapreduce cat`: the output of a finished job on stdout.

Neighbours: `copy.py` (the same Pod), `local_output.py` (an output on this machine), `decompress.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from mapreduce_cli import terminal
from mapreduce_cli.cluster import decompress, jobs, local_output, streams, transfer, volumes
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.helper_pod import helper_pod, of_a_pod, plan_for
from mapreduce_cli.cluster.lookup import find_job
from mapreduce_cli.cluster.problems import Broken, Problem, Refused
from mapreduce_cli.failures import FAILED

_PARQUET: Final = ".parquet"


class _JobFailed(Problem):
    status = FAILED


@command("cat")
@click.argument("name", metavar="NAME|pvc:CLAIM/path|./DIR")
@click.option("--raw", is_flag=True, help="Print compressed files as they are.")
@of_a_pod
def cat(asked: Asked, name: str, raw: bool, image: str, timeout: float) -> None:
    """Print the output of a finished job.

    NAME is a job, or the place of an output whose job was deleted, or, with a slash in it, a folder that
    `mapreduce run` made here. Several files are printed in their order; compressed ones are decompressed. Of parquet
    one file is written as it is, and not to a terminal.
    With --json: what the manifest says of the files, and no data.
    """
    if local_output.is_folder(name) and not volumes.is_place(name):
        _from_here(name, raw=raw, as_json=asked.json)
        return
    if volumes.is_place(name):
        place, uid = volumes.parse(name, ("pvc",)), ""
    else:
        place, uid = _output_of(_found(asked, name))
    plan = plan_for(asked.api, asked.namespace, place.name, image=image, read_only=True)
    with helper_pod(asked.api, asked.namespace, plan, timeout) as pod:
        pipe = pod.start(do="output", path=place.path)
        try:
            with streams.told():
                incoming = streams.frames(pipe)
                manifest = _manifest(incoming)
                _check_owner(manifest, uid, str(place))
                if asked.json:
                    terminal.document(manifest)
                else:
                    _check_printable(manifest)
                    copy_out(incoming, sys.stdout.buffer.write, raw=raw)
                    sys.stdout.buffer.flush()
        finally:
            pipe.close()


def _from_here(folder: str, *, raw: bool, as_json: bool) -> None:
    """Print an output that is a folder of this machine."""
    manifest = local_output.manifest(folder)
    if as_json:
        terminal.document(manifest)
        return
    _check_printable(manifest)
    local_output.copy_out(folder, manifest["files"], sys.stdout.buffer.write, raw=raw)
    sys.stdout.buffer.flush()


def _found(asked: Asked, name: str) -> dict[str, Any]:
    """Return the job; who meant a folder of that name is told how to say so."""
    try:
        return find_job(asked.api, asked.namespace, name)
    except Problem as problem:
        if os.path.exists(os.path.join(name, transfer.MANIFEST)):
            problem.hint = f"mapreduce cat ./{name} prints the folder {name} of this machine"
        raise


def _check_printable(manifest: dict[str, Any]) -> None:
    """Refuse what nobody could read: parquet on a terminal, or several files of it in one stream."""
    count = sum(str(known["name"]).endswith(_PARQUET) for known in manifest.get("files", ()))
    if count > 1:
        raise Refused(
            f"the output has {count} parquet files, which cannot be read when they follow each other",
            hint="mapreduce cp copies the folder",
        )
    if count and sys.stdout.isatty():
        raise Refused(
            "the output is parquet, which is no text", hint="write it to a file: mapreduce cat … > output.parquet"
        )


def copy_out(incoming: Iterator[transfer.Frame], write: transfer.Write, *, raw: bool) -> None:
    """Write the content of every file that comes; raises `Broken` where one is damaged."""

    digest, reader, name = hashlib.sha256(), decompress.reader("", raw=True), ""
    for kind, payload in incoming:
        if kind == b"F":
            name = str(json.loads(payload)["path"])
            digest, reader = hashlib.sha256(), decompress.reader(name, raw=raw)
        elif kind == b"D":
            digest.update(payload)
            for text in reader.feed(payload):
                write(text)
        elif kind == b"E":
            reader.end()
            if payload != digest.digest():
                raise Broken(f"the checksum of {name} does not agree with that in the Pod")


def _output_of(job: dict[str, Any]) -> tuple[volumes.Place, str]:
    """Return where a job's output is, and the job's uid; raises if there is none."""
    failed = jobs.condition(job, "Failed")
    if failed is not None:
        raise _JobFailed(
            f"{jobs.name(job)} failed and has no output: {failed.get('reason')}: {failed.get('message')}",
            hint=f"mapreduce describe {jobs.name(job)} shows its last failures",
        )
    if jobs.condition(job, "Complete") is None:
        raise Refused(
            f"{jobs.name(job)} is {jobs.phase(job)}: its output appears when it is complete",
            hint=f"mapreduce explain {jobs.name(job)} says what it waits for",
        )
    output = job["spec"]["output"]
    claim = str(output["volume"]["persistentVolumeClaim"]["claimName"])
    return volumes.Place("pvc", claim, str(output["path"])), jobs.uid(job)


def _manifest(incoming: Iterator[transfer.Frame]) -> dict[str, Any]:
    kind, payload = next(incoming)
    if kind != b"I":
        raise Broken(f"the other side began with {kind!r}")
    manifest: dict[str, Any] = json.loads(payload)["manifest"]
    return manifest


def _check_owner(manifest: dict[str, Any], uid: str, place: str) -> None:
    if uid and manifest.get("uid") != uid:
        whose = (manifest.get("job") or {}).get("name")
        raise Refused(
            f"the output at {place} is another job's now: {whose or manifest.get('uid')}",
            hint=f"mapreduce cat {place} prints it all the same",
        )
