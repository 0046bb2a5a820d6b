"""What is known of attempts whose Pods are gone: from the history on the claim, a folder here, or the job's status.

Neighbours: `logs.py` (Pods that are there come first), `helper_pod.py` (reads the claim), `past_attempts.py`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from mapreduce import paths
from mapreduce_cli import past_attempts, terminal
from mapreduce_cli.cluster import jobs, streams, transfer
from mapreduce_cli.cluster.commands import Asked
from mapreduce_cli.cluster.helper_pod import HelperPod, helper_pod, plan_for
from mapreduce_cli.cluster.problems import Broken, Problem, Refused
from mapreduce_cli.past_attempts import Ending

Json = dict[str, Any]

LARGEST: Final = 4 << 30
"""Bytes of a history that are fetched."""
MOST: Final = 20
"""Failures that are printed where nobody said which."""


_TOLD: Final = frozenset(Ending.__struct_fields__) - {"same_as", "checksum"}


class Told(msgspec.Struct, frozen=True):
    """Where it was found, in words, and what."""

    source: str
    endings: list[Ending]


def of_folder(folder: str, about: str) -> Told:
    """Return what the history of a run on this machine says; raises `InputError`, `CorruptionError`."""
    path = past_attempts.of_folder(folder)
    with path.open("rb") as file:
        return Told(f"the history {path}", past_attempts.endings(file, about))


def of_status(found: Json, about: str) -> Told:
    """Return what the job's status keeps: its last failures, which are known by their task alone."""
    task = about.partition(".")[0]
    known = [_of_failure(failure) for failure in jobs.status(found).get("lastFailures") or ()]
    source = f"the last failures that the status of {jobs.name(found)} keeps"
    return Told(source, [ending for ending in known if ending.task == task])


def _of_failure(failure: Json) -> Ending:
    names = ("task", "worker", "reason", "message", "where", "traceback")
    texts = {name: str(failure.get(name) or "") for name in names}
    return msgspec.convert(texts | {"event": past_attempts.FAILED, "log": str(failure.get("output") or "")}, Ending)


def of_claim(asked: Asked, found: Json, about: str, *, image: str, timeout: float) -> Told:
    """Return what the history on the output's claim says of a job that is over; raises `Problem`."""
    with (
        fetched(asked, found, paths.EVENTS, image=image, timeout=timeout) as (source, events),
        _readable(),
        events.open("rb") as file,
    ):
        return Told(f"the history {source}", past_attempts.endings(file, about))


@contextlib.contextmanager
def fetched(
    asked: Asked, found: Json, kept: str, *, image: str, timeout: float, most: int = LARGEST
) -> Iterator[tuple[str, Path]]:
    """Fetch one file of the history of a job that is over; yield where it was, and where it is while the caller reads.

    Raises `Problem`. What is fetched may be anything: others may write to the claim.
    """
    output = found["spec"]["output"]
    claim, path = str(output["volume"]["persistentVolumeClaim"]["claimName"]), str(output["path"])
    complete = jobs.condition(found, "Complete") is not None
    folder = path if complete else paths.staging(path, jobs.uid(found))
    plan = plan_for(asked.api, asked.namespace, claim, image=image, read_only=True)
    with tempfile.TemporaryDirectory(prefix="mapreduce-") as scratch:
        with helper_pod(asked.api, asked.namespace, plan, timeout) as pod:
            if complete:
                _fetch(pod, f"{folder}/{paths.MANIFEST}", Path(scratch) / paths.MANIFEST, most)
                _check_owner(scratch, found)
            target = Path(scratch) / "kept"
            _fetch(pod, f"{folder}/{kept}", target, most)
        yield f"pvc:{claim}/{folder}/{kept}", target


def _fetch(pod: HelperPod, path: str, target: Path, most: int) -> None:
    pipe = pod.start(do="send", path=path)
    came = 0

    def count(block: bytes) -> None:
        nonlocal came
        came += len(block)
        if came > most:
            raise Refused(f"{path} has more than {most >> 20} MiB")

    try:
        streams.download(pipe, str(target), force=False, progress=count)
    finally:
        pipe.close()


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # What was fetched is what stands under the name on the claim: maybe no file.
        raise Broken(f"the history cannot be read: {error.strerror}") from error


def _check_owner(scratch: str, found: Json) -> None:
    with streams.told():
        manifest = transfer.read_manifest(scratch)
    if manifest.get("uid") != jobs.uid(found):
        raise Refused(f"the output of {jobs.name(found)} was replaced by another job's, and its history with it")


def of_job(asked: Asked, found: Json, about: str, *, image: str, timeout: float) -> Told:
    """Return what is known of attempts without their Pods: by the history once the job is over, else by its status."""
    if not jobs.is_over(found):
        return of_status(found, about)
    try:
        return of_claim(asked, found, about, image=image, timeout=timeout)
    except Problem as problem:
        told = of_status(found, about)
        if not told.endings:
            raise
        terminal.note(f"the history could not be read: {terminal.one_line(problem.message)}")
        return told


def show(told: Told, about: str, *, as_json: bool) -> None:
    """Print it; where it comes from stands on stderr."""
    if as_json:
        fields = [
            {name: value for name, value in msgspec.structs.asdict(ending).items() if value and name in _TOLD}
            for ending in told.endings
        ]
        terminal.document({"logs": [], "source": told.source, "attempts": fields})
        return
    if not told.endings:
        what = f"tells of {about}" if about else "tells of a failure"
        terminal.note(f"nothing {what}: neither a Pod that is there, nor {told.source}")
        return
    terminal.note(f"from {told.source}:")
    shown = told.endings if about else told.endings[-MOST:]
    if len(shown) < len(told.endings):
        terminal.note(f"the last {len(shown)} of {len(told.endings)} failures; --task chooses others")
    for ending in shown:
        for row in past_attempts.tell(ending):
            terminal.say(row)
