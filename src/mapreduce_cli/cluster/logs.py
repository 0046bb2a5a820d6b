"""`mapreduce logs`: what a job's Pods wrote, of one or of all, as it is or as it comes.

Neighbours: `lookup.py` (finds the job and its Pods), `api.py` (streams a log), `past_logs.py` (of Pods that are gone).
"""

from __future__ import annotations

import queue
import re
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from mapreduce import words
from mapreduce_cli import terminal
from mapreduce_cli.cluster import jobs, local_output, past_logs
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.helper_pod import of_a_pod
from mapreduce_cli.cluster.log_lines import as_text
from mapreduce_cli.cluster.lookup import find_job, pods_of
from mapreduce_cli.cluster.problems import NotFound, Problem, Refused
from mapreduce_cli.cluster.refs import Ref, job

if TYPE_CHECKING:
    from mapreduce_cli.cluster.api import Api

Json = dict[str, Any]

POLL: Final = 2.0
"""Seconds after which a followed job is looked at again: new Pods, or its end."""
TASK: Final = re.compile(r"[\w-]+-[0-9]+")
"""A task as people name it, such as map-17."""
ATTEMPT: Final = re.compile(r"[\w-]+-[0-9]+\.e[0-9]+\.[0-9]+")
"""An attempt of one, such as map-17.e1.0."""
Line = tuple[str, bytes]


class Wanted(msgspec.Struct, frozen=True):
    """Whose lines: of one Pod, by its name or a worker's number; about one task or attempt; of gateways too."""

    worker: str
    about: str
    gateways: bool


@command("logs")
@click.argument("name", metavar="NAME|./DIR")
@click.option("--worker", metavar="POD", default="", help="One Pod: its name, or the number of a worker.")
@click.option("--task", metavar="TASK", default="", help="Only what tells of the attempts of one task, such as map-17.")
@click.option("--attempt", metavar="ATTEMPT", default="", help="Only what tells of one attempt, such as map-17.e1.0.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is over.")
@click.option("--tail", metavar="N", type=click.IntRange(min=0), help="The last lines of each Pod only.")
@click.option("--gateways", is_flag=True, help="Those of the Pods that serve the volumes, too.")
@of_a_pod
def logs(  # noqa: PLR0913 - the options, one by one
    asked: Asked,
    name: str,
    *,
    worker: str,
    task: str,
    attempt: str,
    follow: bool,
    tail: int | None,
    gateways: bool,
    image: str,
    timeout: float,
) -> None:
    """Print what a job's Pods wrote.

    Lines of several Pods have the Pod's name before them. What a program prints is among them, 4 KiB of each attempt.
    A Pod's log goes with the Pod. Of one task or attempt, the job's history is asked where no Pod tells of it: on the
    output's claim once the job is over, by a small Pod; before that, the last failures in the job's status. NAME may be
    the output folder of a run on this machine, with a slash in it.
    """
    wanted = Wanted(worker, _about_what(task, attempt), gateways)
    if local_output.is_folder(name):
        past_logs.show(past_logs.of_folder(name, wanted.about), wanted.about, as_json=asked.json)
        return
    if follow and asked.json:
        raise Refused("--follow has no end, and --json is one document", hint="leave one of them out")
    found = find_job(asked.api, asked.namespace, name)
    pods = _chosen(asked.api, found, wanted, may_come=follow)
    query = {"tailLines": str(tail)} if tail is not None else {}
    if follow:
        _print(_about(_follow(asked.api, found, wanted, query), wanted.about), prefixed=not wanted.worker)
        return
    texts = {pod: _log(asked.api, asked.namespace, pod, query) for pod in pods}
    if wanted.about:
        texts = {
            pod: b"\n".join(line for _, line in _about(_lines_of(pod, text), wanted.about))
            for pod, text in texts.items()
        }
        if not any(texts.values()):
            told = past_logs.of_job(asked, found, wanted.about, image=image, timeout=timeout)
            past_logs.show(told, wanted.about, as_json=asked.json)
            return
        terminal.note(f"from Pods that are there: {', '.join(pod for pod, text in texts.items() if text)}")
    if asked.json:
        terminal.document({"logs": [{"pod": pod, "log": text.decode(errors="replace")} for pod, text in texts.items()]})
        return
    _print((line for pod, text in texts.items() for line in _lines_of(pod, text)), prefixed=len(texts) > 1)


def _about_what(task: str, attempt: str) -> str:
    """Return the task or the attempt that is asked for; raises `Refused` for what is neither, or both."""
    if task and attempt:
        raise Refused("--task and --attempt are two ways to say one thing", hint="leave one of them out")
    if task and not TASK.fullmatch(task):
        raise Refused(f"{task!r} is no task", hint="a task is named as mapreduce describe names it: map-17, reduce-0")
    if attempt and not ATTEMPT.fullmatch(attempt):
        raise Refused(f"{attempt!r} is no attempt", hint="an attempt is named as the history names it: map-17.e1.0")
    return task or attempt


def _chosen(api: Api, found: Json, wanted: Wanted, *, may_come: bool) -> list[str]:
    """Return the names of the Pods; raises `Refused` where there is none, and says why.

    may_come: a worker that the job will have, and has not yet, is waited for. Who asks for a task needs no Pod.
    """
    pods = [pod for pod in pods_of(api, found) if _is_wanted(pod, wanted)]
    if pods or wanted.about or (may_come and _may_come(found, wanted.worker)):
        return [str(pod["metadata"]["name"]) for pod in pods]
    raise _nothing(found, wanted.worker)


def _is_wanted(pod: Json, wanted: Wanted) -> bool:
    if wanted.worker:
        return wanted.worker in (pod["metadata"]["name"], _number(pod))
    return wanted.gateways or bool(_number(pod))


def _may_come(found: Json, worker: str) -> bool:
    """Tell whether it is the number of a worker that may still come."""
    desired = int((found["spec"].get("workers") or {}).get("replicas") or 2)
    return worker.isdigit() and int(worker) < desired and not jobs.is_over(found)


def _number(pod: Json) -> str:
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get(words.LABEL_INDEX)) if labels.get(words.LABEL_ROLE) == "worker" else ""


def _nothing(found: Json, worker: str) -> Refused:
    name = jobs.name(found)
    if jobs.is_over(found):
        what = f"{name} is over ({jobs.phase(found)}), and its Pods are gone with their logs"
        hint = f"mapreduce describe {name} shows its last failures; mapreduce logs {name} --task map-0 asks the history"
        return Refused(what, hint=hint)
    if _may_come(found, worker) and not jobs.status(found).get("lastFailures"):
        return Refused(f"{name} has no worker {worker} now", hint="--follow waits for it")
    if worker:
        lost = [known for known in jobs.status(found).get("lastFailures") or () if known.get("worker") == worker]
        said = f": {lost[-1].get('reason')}: {lost[-1].get('message')}" if lost else ""
        return Refused(
            f"{name} has no Pod {worker!r} now; a Pod that is gone took its log with it{said}",
            hint=f"mapreduce describe {name} lists its Pods",
        )
    return Refused(f"{name} is {jobs.phase(found)} and has no workers yet", hint=f"mapreduce explain {name} says why")


def _log(api: Api, namespace: str, pod: str, query: dict[str, str]) -> bytes:
    try:
        text = b"".join(api.stream(Ref("pods", namespace, pod, "log"), query))
    except Problem as problem:
        _cannot(pod, problem)
        return b""
    return b"\n".join(row for line in text.split(b"\n") for row in as_text(line))


def _cannot(pod: str, problem: Problem) -> None:
    why = "it is gone, and its log with it" if isinstance(problem, NotFound) else terminal.one_line(problem.message)
    terminal.note(f"{pod}: {why}")


def _follow(api: Api, found: Json, wanted: Wanted, query: dict[str, str]) -> Iterator[Line]:
    """Yield the lines of all Pods as they come, also of those that come later, until the job is over."""
    lines: queue.Queue[Line] = queue.Queue(maxsize=10_000)
    threads: dict[str, threading.Thread] = {}
    while True:
        for pod in pods_of(api, found):
            name, phase = str(pod["metadata"]["name"]), (pod.get("status") or {}).get("phase")
            if _is_wanted(pod, wanted) and name not in threads and phase not in ("Pending", None):
                arguments = (api, pod["metadata"]["namespace"], name, query | {"follow": "true"}, lines)
                threads[name] = threading.Thread(target=_pump, args=arguments, daemon=True)
                threads[name].start()
        yield from _waiting(lines)
        if _is_over(api, found) and not any(thread.is_alive() for thread in threads.values()) and lines.empty():
            return


def _waiting(lines: queue.Queue[Line]) -> Iterator[Line]:
    """Yield what comes, until nothing came for a while."""
    try:
        while True:
            yield lines.get(timeout=POLL)
    except queue.Empty:
        return


def _is_over(api: Api, found: Json) -> bool:
    try:
        now = api.get(job(found["metadata"]["namespace"], jobs.name(found)))
    except NotFound:
        return True
    return jobs.is_over(now) or jobs.uid(now) != jobs.uid(found)


def _pump(api: Api, namespace: str, pod: str, query: dict[str, str], lines: queue.Queue[Line]) -> None:
    """Runs in a thread: put the Pod's lines into the queue until its log ends."""
    held = b""
    try:
        for piece in api.stream(Ref("pods", namespace, pod, "log"), query):
            *whole, held = (held + piece).split(b"\n")
            for row in (row for line in whole for row in as_text(line)):
                lines.put((pod, row))
    except Problem as problem:
        _cannot(pod, problem)
    for row in as_text(held) if held else ():
        lines.put((pod, row))


def _lines_of(pod: str, text: bytes) -> Iterator[Line]:
    """Return the lines of a whole log; none of an empty one."""
    return ((pod, line) for line in text.removesuffix(b"\n").split(b"\n") if text)


def _about(lines: Iterator[Line], about: str) -> Iterator[Line]:
    """Yield the lines that name an attempt that is asked for (all, if none is), and what is indented below them."""
    end = rb"(?![0-9])" if ATTEMPT.fullmatch(about) else rb"\.e[0-9]"
    names_it = re.compile(rb"(?<![\w-])" + re.escape(about.encode()) + end)
    below: dict[str, bool] = {}
    for pod, line in lines:
        # What a program prints is indented: it cannot pass for a line of the worker's.
        if not line.startswith(b"  "):
            below[pod] = not about or bool(names_it.search(line))
        if below.get(pod, not about):
            yield pod, line


def _print(lines: Iterator[Line], *, prefixed: bool) -> None:
    """Print lines: as they are into a pipe, without control characters on a terminal."""
    out, escaped = sys.stdout.buffer, sys.stdout.isatty()
    for pod, line in lines:
        shown = terminal.safe(line.decode(errors="replace")).encode() if escaped else line
        out.write((f"{pod}: ".encode() if prefixed else b"") + shown + b"\n")
        out.flush()
