"""`mapreduce explain`: what a job waits for, in plain words, and what to do about it.

Gathers what the cluster knows into one value, then decides with pure functions, each of which knows
one cause. Neighbours: `waiting.py` (why a Pod does not run).
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from mapreduce import words
from mapreduce_cli import hints, terminal
from mapreduce_cli.cluster import jobs, waiting
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.lookup import find_job, pods_of
from mapreduce_cli.cluster.problems import Forbidden, NotFound
from mapreduce_cli.cluster.refs import Ref
from mapreduce_cli.cluster.waiting import Reason

if TYPE_CHECKING:
    from mapreduce_cli.cluster.api import Api

Json = dict[str, Any]

UNTOUCHED: Final = 15.0
"""Seconds after which a job without status says that no operator is there."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that is looked at. claims: by name, None for one that does not exist. now: Unix seconds."""

    job: Json
    pods: list[Json]
    events: list[Json]
    claims: dict[str, Json | None]
    config_maps: dict[str, bool]
    now: float


@command("explain")
@click.argument("name", metavar="NAME")
def explain(asked: Asked, name: str) -> None:
    """Say in plain words what a job waits for, or why it failed, and what to do about it."""
    known = _gather(asked.api, asked.namespace, find_job(asked.api, asked.namespace, name))
    summary, reasons = headline(known), list(dict.fromkeys(find(known)))
    if asked.json:
        told = [{"text": reason.text} | ({"todo": reason.todo} if reason.todo else {}) for reason in reasons]
        terminal.document({"name": name, "phase": jobs.phase(known.job), "summary": summary, "reasons": told})
        return
    terminal.say(summary)
    for reason in reasons:
        terminal.say(f"- {terminal.one_line(reason.text)}")
        if reason.todo:
            terminal.say(f"  → {terminal.one_line(reason.todo)}")


def _gather(api: Api, namespace: str, job: Json) -> Known:
    claims: dict[str, Json | None] = {
        name: _get(api, Ref("persistentvolumeclaims", namespace, name)) for name in jobs.claims(job)
    }
    spec = job.get("spec") or {}
    named = [
        (spec.get("program") or {}).get("configMap"),
        ((spec.get("input") or {}).get("volume") or {}).get("configMap"),
    ]
    maps = [str(each["name"]) for each in named if each]
    return Known(
        job=job,
        pods=pods_of(api, job),
        # Those about Pods and claims too: a volume that cannot be mounted is told of nowhere else.
        events=api.list_all(Ref("events", namespace)),
        claims=claims,
        config_maps={name: _get(api, Ref("configmaps", namespace, name)) is not None for name in maps},
        now=time.time(),
    )


def _get(api: Api, ref: Ref) -> Json | None:
    try:
        return api.get(ref)
    except NotFound:
        return None
    except Forbidden:
        # Who may not look is told nothing, rather than that it is missing.
        return {}


# --- deciding -----------------------------------------------------------------------------------


def headline(known: Known) -> str:
    """Return one line: how the job is."""
    job = known.job
    name, phase = jobs.name(job), jobs.phase(job)
    failed = jobs.condition(job, "Failed")
    if failed is not None:
        return f"{name} failed: {failed.get('reason')}: {terminal.one_line(str(failed.get('message')))}"
    if jobs.condition(job, "Complete") is not None:
        return f"{name} is complete: it waits for nothing"
    progress = [
        f"{(jobs.status(job).get(side) or {}).get('progress')} {side}s done"
        for side in ("map", "reduce")
        if (jobs.status(job).get(side) or {}).get("total")
    ]
    return f"{name} is {phase}" + (f": {', '.join(progress)}" if progress else "")


def find(known: Known) -> Iterator[Reason]:
    """Yield what the job waits for, the first cause first; of a complete one, what is missing."""
    if jobs.condition(known.job, "Complete") is not None:
        yield from _incomplete(known)
        return
    if jobs.condition(known.job, "Failed") is not None:
        yield from _failed(known)
        return
    reasons = [reason for cause in _CAUSES for reason in cause(known)]
    yield from reasons
    if not reasons:
        ready = (jobs.status(known.job).get("workers") or {}).get("summary") or "0"
        yield Reason(f"nothing is in its way: {ready} workers are ready")


def _incomplete(known: Known) -> Iterator[Reason]:
    missing = jobs.left_out(known.job)
    if missing:
        yield Reason(
            f"not everything is in the output: {missing} failed for good, and maxFailedTasks lets the job do without",
            f"mapreduce describe {jobs.name(known.job)} shows the last failures",
        )


def _failed(known: Known) -> Iterator[Reason]:
    reason = str((jobs.condition(known.job, "Failed") or {}).get("reason"))
    about = words.REASONS.get(reason, "")
    yield Reason(about or reason, hints.of_resource(reason))
    for failure in (jobs.status(known.job).get("lastFailures") or [])[-1:]:
        where = f" at {failure['where']}" if failure.get("where") else ""
        lines = str(failure.get("traceback") or "").rstrip().split("\n")
        if lines[0].endswith(words.INNERMOST_FIRST):
            said = f"; it was at: {lines[1].strip()}" if lines[1:] else ""
        else:
            said = f"; it ended with: {lines[-1].strip()}" if lines[-1].strip() else ""
        yield Reason(
            f"the last failure was {failure.get('task')}{where}: {failure.get('message')}{said}",
            f"mapreduce describe {jobs.name(known.job)} shows the whole traceback; "
            f"mapreduce logs {jobs.name(known.job)} --task {failure.get('task')} what each attempt printed",
        )


def _deleting(known: Known) -> Iterator[Reason]:
    if known.job["metadata"].get("deletionTimestamp"):
        held = ", ".join(known.job["metadata"].get("finalizers") or ())
        yield Reason(
            f"it is being deleted; {held or 'nothing'} holds it until its files on the volume are cleaned",
            "the operator lets it go after a minute at most, if it runs",
        )


def _untouched(known: Known) -> Iterator[Reason]:
    seconds = known.now - _created(known.job)
    if not jobs.status(known.job) and seconds > UNTOUCHED:
        yield Reason(
            f"no operator has taken it up for {terminal.duration(seconds)}",
            "check that the operator runs: kubectl get pods -A -l app.kubernetes.io/name=mapreduce-operator;"
            " and that it watches this namespace (watchNamespaces of the chart)",
        )


def _created(job: Json) -> float:
    try:
        return datetime.datetime.fromisoformat(str(job["metadata"]["creationTimestamp"])).timestamp()
    except (KeyError, ValueError):
        return float("inf")


def _suspended(known: Known) -> Iterator[Reason]:
    if (known.job.get("spec") or {}).get("suspend"):
        yield Reason("it is suspended", f"mapreduce resume {jobs.name(known.job)}")


def _missing(known: Known) -> Iterator[Reason]:
    for name, claim in known.claims.items():
        if claim is None:
            yield Reason(
                f"the claim {name!r} does not exist in its namespace",
                "create it: kubectl apply, or mend the job's spec",
            )
    for name, there in known.config_maps.items():
        if not there:
            yield Reason(f"the ConfigMap {name!r} does not exist in its namespace", "create it")


def _unbound(known: Known) -> Iterator[Reason]:
    for name, claim in known.claims.items():
        if not claim or (claim.get("status") or {}).get("phase") != "Pending":
            continue
        uid = claim["metadata"].get("uid")
        told = [event for event in known.events if (event.get("involvedObject") or {}).get("uid") == uid]
        if told and told[-1].get("reason") == "WaitForFirstConsumer":
            # It is bound when a Pod that uses it has a node: that is not what the job waits for.
            continue
        said = f": {told[-1].get('message')}" if told else ""
        yield Reason(
            f"the claim {name!r} has no volume yet{said}",
            "check its storageClassName: kubectl get storageclass; kubectl describe pvc " + name,
        )


def _pods(known: Known) -> Iterator[Reason]:
    """Pods that wait for the same are told of together."""
    alike: dict[Reason, list[str]] = {}
    for pod in known.pods:
        reason = waiting.why(pod, known.events)
        if reason is not None and not any(f'"{claim}" not found' in reason.text for claim in _absent(known)):
            name = str(pod["metadata"]["name"])
            about = msgspec.structs.replace(reason, text=reason.text.replace(name, "@", 1))
            alike.setdefault(about, []).append(name)
    for reason, names in alike.items():
        shown = names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"
        yield msgspec.structs.replace(reason, text=reason.text.replace("@", shown, 1))


def _absent(known: Known) -> list[str]:
    return [name for name, claim in known.claims.items() if claim is None]


def _message(known: Known) -> Iterator[Reason]:
    """What the operator itself says, unless what it sees is told of above already."""
    message = terminal.one_line(str(jobs.status(known.job).get("message") or ""))
    word = message.partition(":")[0]
    told = word in _SEEN_HERE_TOO and any(reason for cause in (_missing, _pods) for reason in cause(known))
    if message and not told:
        yield Reason(f"the operator says: {message}", hints.of_resource(word))


def _tried_again(known: Known) -> Iterator[Reason]:
    failures = jobs.status(known.job).get("lastFailures") or ()
    for failure in failures[-1:]:
        yield Reason(
            f"{failure.get('task')} failed and is tried again: {failure.get('reason')}: {failure.get('message')}",
            f"mapreduce describe {jobs.name(known.job)}",
        )


_SEEN_HERE_TOO: Final = frozenset({"ClaimNotFound", "ConfigMapNotFound", "ImageUnavailable", "Unschedulable"})
"""Reasons that Pods, claims and ConfigMaps show as well."""

_CAUSES: Final[tuple[Callable[[Known], Iterator[Reason]], ...]] = (
    _deleting,
    _suspended,
    _untouched,
    _missing,
    _unbound,
    _pods,
    _message,
    _incomplete,
    _tried_again,
)
