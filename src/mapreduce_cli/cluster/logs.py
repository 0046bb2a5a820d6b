"""`mapreduce logs`: what a job's Pods wrote, of one or of all, as it is or as it comes.

Neighbours: `lookup.py` (finds the job and its Pods), `api.py` (streams a log), `jobs.py` (whether it is over).
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
from mapreduce_cli.cluster import jobs
from mapreduce_cli.cluster.commands import Asked, command
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
Line = tuple[str, bytes]


class Wanted(msgspec.Struct, frozen=True):
    """Whose lines: of one Pod, by its name or a worker's number; about one task; of gateways too."""

    worker: str
    task: str
    gateways: bool


@command("logs")
@click.argument("name", metavar="NAME")
@click.option("--worker", metavar="POD", default="", help="One Pod: its name, or the number of a worker.")
@click.option("--task", metavar="TASK", default="", help="Only what tells of the attempts of one task, such as map-17.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is over.")
@click.option("--tail", metavar="N", type=click.IntRange(min=0), help="The last lines of each Pod only.")
@click.option("--gateways", is_flag=True, help="Those of the Pods that serve the volumes, too.")
def logs(  # noqa: PLR0913 - the options, one by one
    asked: Asked, name: str, *, worker: str, task: str, follow: bool, tail: int | None, gateways: bool
) -> None:
    """Print what a job's Pods wrote.

    Lines of several Pods have the Pod's name before them. What a program prints is among them, 4 KiB of each attempt.
    A Pod's log goes with the Pod: when a job is over, its Pods are gone.
    """
    wanted = Wanted(worker, task, gateways)
    if wanted.task and not TASK.fullmatch(wanted.task):
        raise Refused(
            f"{wanted.task!r} is no task", hint="a task is named as mapreduce describe names it: map-17, reduce-0"
        )
    if follow and asked.json:
        raise Refused("--follow has no end, and --json is one document", hint="leave one of them out")
    found = find_job(asked.api, asked.namespace, name)
    pods = _chosen(asked.api, found, wanted, may_come=follow)
    query = {"tailLines": str(tail)} if tail is not None else {}
    if follow:
        _print(_about(_follow(asked.api, found, wanted, query), wanted.task), prefixed=not wanted.worker)
        return
    texts = {pod: _log(asked.api, asked.namespace, pod, query) for pod in pods}
    if wanted.task:
        texts = {
            pod: b"\n".join(line for _, line in _about(_lines_of(pod, text), wanted.task))
            for pod, text in texts.items()
        }
    if asked.json:
        terminal.document({"logs": [{"pod": pod, "log": text.decode(errors="replace")} for pod, text in texts.items()]})
        return
    if wanted.task and not any(texts.values()):
        terminal.note(f"no Pod that is there tells of {wanted.task}: nothing to tell, or it ran in a Pod that is gone")
    _print((line for pod, text in texts.items() for line in _lines_of(pod, text)), prefixed=len(texts) > 1)


def _chosen(api: Api, found: Json, wanted: Wanted, *, may_come: bool) -> list[str]:
    """Return the names of the Pods; raises `Refused` where there is none, and says why.

    may_come: a worker that the job will have, and has not yet, is waited for.
    """
    pods = [pod for pod in pods_of(api, found) if _is_wanted(pod, wanted)]
    if pods or (may_come and _may_come(found, wanted.worker)):
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
        return Refused(what, hint=f"mapreduce describe {name} shows its last failures with their tracebacks")
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
        return b"".join(api.stream(Ref("pods", namespace, pod, "log"), query))
    except Problem as problem:
        _cannot(pod, problem)
        return b""


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
            for line in whole:
                lines.put((pod, line))
    except Problem as problem:
        _cannot(pod, problem)
    if held:
        lines.put((pod, held))


def _lines_of(pod: str, text: bytes) -> Iterator[Line]:
    """Return the lines of a whole log; none of an empty one."""
    return ((pod, line) for line in text.removesuffix(b"\n").split(b"\n") if text)


def _about(lines: Iterator[Line], task: str) -> Iterator[Line]:
    """Yield the lines that name an attempt of the task (all lines, if it is empty), and what is indented below them."""
    names_it = re.compile(rb"(?<![\w-])" + re.escape(task.encode()) + rb"\.e[0-9]")
    below: dict[str, bool] = {}
    for pod, line in lines:
        # What a program prints is indented: it cannot pass for a line of the worker's.
        if not line.startswith(b"  "):
            below[pod] = not task or bool(names_it.search(line))
        if below.get(pod, not task):
            yield pod, line


def _print(lines: Iterator[Line], *, prefixed: bool) -> None:
    """Print lines: as they are into a pipe, without control characters on a terminal."""
    out, escaped = sys.stdout.buffer, sys.stdout.isatty()
    for pod, line in lines:
        shown = terminal.safe(line.decode(errors="replace")).encode() if escaped else line
        out.write((f"{pod}: ".encode() if prefixed else b"") + shown + b"\n")
        out.flush()
