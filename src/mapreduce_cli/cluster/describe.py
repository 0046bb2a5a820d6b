"""`mapreduce describe`: all that is known of a job, for people."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import click

from mapreduce_cli import failures, sizes, terminal
from mapreduce_cli.cluster import jobs
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.lookup import events_of, find_job, pods_of

Json = dict[str, Any]

_EVENTS = 20


@command("describe")
@click.argument("name", metavar="NAME")
def describe(asked: Asked, name: str) -> None:
    """Show all that is known of a job.

    What was asked for, how far it is, its conditions and counters, the last failures with their
    tracebacks, its Pods, and the Events about it.
    """
    found = find_job(asked.api, asked.namespace, name)
    pods = pods_of(asked.api, found)
    events = events_of(asked.api, asked.namespace, jobs.uid(found))
    if asked.json:
        terminal.document({"job": found, "pods": pods, "events": events})
        return
    terminal.say("\n".join(render(found, pods, events, time.time())))


def render(job: Json, pods: list[Json], events: list[Json], now: float) -> Iterator[str]:
    """Yield the lines."""
    yield from _fields(
        [
            ("Name", jobs.name(job)),
            ("Namespace", str(job["metadata"].get("namespace") or "")),
            ("Phase", jobs.phase(job)),
            ("Created", _when(job["metadata"].get("creationTimestamp"), now)),
            *_progress(job, now),
        ]
    )
    yield from _section("Spec", _tree(_spec(job), 1))
    yield from _section("Conditions", _conditions(job, now))
    yield from _section("Counters", _counters(job))
    yield from _section("Last failures", _failures(job, now))
    yield from _section("Pods", _pods(pods, now))
    yield from _section("Events", _events(events, now))


def _progress(job: Json, now: float) -> list[tuple[str, str]]:
    status = jobs.status(job)
    output = status.get("output") or {}
    fields = [
        ("Started", _when(status.get("startTime"), now)),
        ("Ended", _when(status.get("completionTime"), now)),
        ("Message", terminal.one_line(str(status.get("message") or ""))),
        ("Maps", _counts(status.get("map") or {})),
        ("Reduces", _counts(status.get("reduce") or {})),
        ("Partitions", _skew(status.get("skew") or {})),
        ("Charged", charged(status.get("charged") or {})),
        ("Left out", jobs.left_out(job)),
        ("Bad records", jobs.bad_records(job)),
        ("Workers", str((status.get("workers") or {}).get("summary") or "")),
        ("Read", f"{sizes.count(status['records'])} records, {sizes.render(status.get('bytes') or 0)}")
        if status.get("records")
        else ("Read", ""),
    ]
    if output:
        amount = f"{sizes.count(output.get('records') or 0)} records, {sizes.render(output.get('bytes') or 0)}"
        files = int(output.get("files") or 1)
        in_files = f" in {files} files" if files > 1 else ""
        fields += [("Output", f"{output.get('path')}: {amount}{in_files}"), ("Checksum", str(output.get("checksum")))]
    return fields


def _counts(counts: Json) -> str:
    parts = [str(counts.get("progress") or "")]
    parts += [f"{counts[word]} {word}" for word in ("active", "failed", "retried", "speculative") if counts.get(word)]
    return ", ".join(part for part in parts if part)


def _skew(skew: Json) -> str:
    """Return how evenly the partitions are filled, and which keys are to blame."""
    if not skew.get("largestBytes"):
        return ""
    told = f"the largest {sizes.render(skew['largestBytes'])}, the median {sizes.render(skew.get('medianBytes') or 0)}"
    heavy = (
        f"{terminal.one_line(str(key.get('key')))} ({sizes.render(key.get('bytes') or 0)})"
        for key in skew.get("heavyKeys") or ()
    )
    return "; heavy keys: ".join(part for part in (told, ", ".join(heavy)) if part)


def charged(charges: Json) -> str:
    """Return what each budget of failures paid for; empty if none did."""
    named = (("user", "user code"), ("disruption", "disruption"), ("segments", "lost segments"))
    return ", ".join(f"{name} {charges[word]}" for word, name in named if charges.get(word))


def _fields(fields: list[tuple[str, str]]) -> Iterator[str]:
    shown = [(name, text) for name, text in fields if text]
    width = max(len(name) for name, _ in shown) + 1
    for name, text in shown:
        yield f"{name + ':':<{width}}  {text}"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    rows = list(lines)
    if rows:
        yield ""
        yield f"{title}:"
        yield from rows


def _spec(job: Json) -> Json:
    """Return the spec with the program's source as one word: it would hide everything else."""
    spec = dict(job.get("spec") or {})
    program = dict(spec.get("program") or {})
    if isinstance(program.get("inline"), str):
        program["inline"] = f"({program['inline'].count(chr(10))} lines of Python)"
    spec["program"] = program
    return {name: value for name, value in spec.items() if value not in ({}, [], "")}


def _tree(value: Any, depth: int) -> Iterator[str]:
    """Yield a JSON value as indented lines; short lists stay on one."""
    indent = "  " * depth
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield f"{indent}{name}:"
            yield from _tree(inner, depth + 1)
        elif isinstance(inner, list) and not any(isinstance(item, dict | list) for item in inner):
            yield f"{indent}{name}: {', '.join(map(_leaf, inner))}"
        elif isinstance(inner, list):
            yield f"{indent}{name}:"
            for item in inner:
                yield f"{indent}  - {_leaf(item)}"
        else:
            yield f"{indent}{name}: {_leaf(inner)}"


def _leaf(value: Any) -> str:
    """Return text as it is, and anything else as the resource would have it."""
    return terminal.one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _conditions(job: Json, now: float) -> Iterator[str]:
    rows = [
        [
            str(known.get("type")),
            str(known.get("status")),
            str(known.get("reason")),
            terminal.age(str(known.get("lastTransitionTime") or ""), now),
            str(known.get("message") or ""),
        ]
        for known in jobs.status(job).get("conditions") or ()
    ]
    if rows:
        yield from _indented(terminal.table(("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"), rows))


def _counters(job: Json) -> Iterator[str]:
    counters = jobs.status(job).get("counters") or {}
    for name in sorted(counters):
        yield f"  {terminal.one_line(name)}: {counters[name]}"


def _failures(job: Json, now: float) -> Iterator[str]:
    for failure in jobs.status(job).get("lastFailures") or ():
        about = " on ".join(str(failure[word]) for word in ("task", "worker") if failure.get(word))
        age = terminal.age(str(failure.get("time") or ""), now)
        yield f"  {about}, {age} ago: {failure.get('reason')}: {terminal.one_line(str(failure.get('message') or ''))}"
        if failure.get("where"):
            yield f"    at {terminal.one_line(str(failure['where']))}"
        for line in str(failure.get("traceback") or "").rstrip().split("\n"):
            if line:
                yield f"    {line}"
        for line in failures.last_words(failure):
            yield f"    {line}"


def _pods(pods: list[Json], now: float) -> Iterator[str]:
    rows = [
        [
            str(pod["metadata"]["name"]),
            _pod_phase(pod),
            str((pod.get("spec") or {}).get("nodeName") or "<none>"),
            terminal.age(str(pod["metadata"].get("creationTimestamp") or ""), now),
        ]
        for pod in pods
    ]
    if rows:
        yield from _indented(terminal.table(("NAME", "STATUS", "NODE", "AGE"), rows))


def _pod_phase(pod: Json) -> str:
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str((pod.get("status") or {}).get("phase") or "Unknown")


def _events(events: list[Json], now: float) -> Iterator[str]:
    rows = []
    for event in events[-_EVENTS:]:
        seen = str(event.get("lastTimestamp") or event.get("eventTime") or "")
        count = int(event.get("count") or 1)
        message = str(event.get("message") or "") + (f" ({count} times)" if count > 1 else "")
        rows.append([terminal.age(seen, now), str(event.get("type")), str(event.get("reason")), message])
    if rows:
        yield from _indented(terminal.table(("AGE", "TYPE", "REASON", "MESSAGE"), rows))


def _when(timestamp: Any, now: float) -> str:
    return f"{timestamp} ({terminal.age(str(timestamp), now)} ago)" if timestamp else ""


def _indented(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        yield f"  {line}"
