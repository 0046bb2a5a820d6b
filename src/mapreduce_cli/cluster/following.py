"""Waiting for a job's end, with progress. Neighbours: `submit.py`, `rerun.py`, `watch.py`; `progress.py` draws."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from mapreduce import paths
from mapreduce_cli import failures, hints, results, sizes, terminal
from mapreduce_cli.cluster import jobs
from mapreduce_cli.cluster.commands import Asked
from mapreduce_cli.cluster.problems import Broken, NotFound, Unreachable
from mapreduce_cli.cluster.refs import job
from mapreduce_cli.failures import JobFailed
from mapreduce_cli.progress import Choice, Display, display

if TYPE_CHECKING:
    from mapreduce_cli.cluster.api import Api

Json = dict[str, Any]

POLL = 1.0
"""Seconds between two looks."""
OUTAGE = 300.0
"""Seconds for which an API server that does not answer is asked again: the job itself goes on."""


def to_its_end(asked: Asked, created: Json, shown: Choice = "auto") -> None:
    """Show progress until the job is over, then its result; leaves with its exit status if it failed."""
    began = time.monotonic()
    show = display(shown, as_json=asked.json)
    try:
        found = until_over(asked.api, created, show)
    except KeyboardInterrupt:
        show.close()
        name = jobs.name(created)
        terminal.note(f"{name} goes on; `mapreduce watch {name}` shows it again, `mapreduce delete {name}` ends it")
        raise
    finally:
        show.close()
    failed = failure(found)
    if failed is not None:
        _tell_failure(asked, failed)
    # Who came later than the job asks how long the job took, not how long it was watched.
    _tell(asked, found, jobs.seconds(found) or time.monotonic() - began)


def until_over(api: Api, created: Json, show: Display) -> Json:
    """Return the job when it is over; raises `Broken` if it is deleted meanwhile."""
    name, namespace = jobs.name(created), created["metadata"]["namespace"]
    answered = time.monotonic()
    while True:
        try:
            found = api.get(job(namespace, name))
            answered = time.monotonic()
        except NotFound as error:
            raise Broken(f"{name} was deleted before its end") from error
        except Unreachable as error:
            if time.monotonic() - answered > OUTAGE:
                raise
            show.say(f"{error.message}; asking again, the job goes on")
            time.sleep(POLL)
            continue
        if jobs.uid(found) != jobs.uid(created):
            raise Broken(f"{name} was deleted, and another job has its name now")
        show.show(jobs.snapshot(found))
        if jobs.is_over(found):
            return found
        time.sleep(POLL)


def failure(found: Json) -> JobFailed | None:
    """Return how a job failed, if it did."""
    condition = jobs.condition(found, "Failed")
    if condition is None:
        return None
    reason, message = str(condition.get("reason")), str(condition.get("message"))
    last = (jobs.status(found).get("lastFailures") or [{}])[-1]
    about = last if reason in (last.get("reason"), "DisruptionLimit") else {}
    return JobFailed(
        reason,
        message,
        where=str(about.get("where") or ""),
        traceback=str(about.get("traceback") or ""),
        notes=(
            *failures.last_words(about),
            f"more: mapreduce describe {jobs.name(found)}",
            f"page: mapreduce report {jobs.name(found)}",
            *_where_its_log_is(found, str(about.get("task") or "")),
        ),
    )


def _where_its_log_is(found: Json, task: str) -> tuple[str, ...]:
    return (f"every attempt of {task}: mapreduce logs {jobs.name(found)} --task {task}",) if task else ()


def _tell_failure(asked: Asked, failed: JobFailed) -> None:
    if asked.json:
        more = {"hint": hints.of_resource(failed.reason), "where": failed.where, "traceback": failed.traceback}
        told = {"reason": failed.reason, "message": failed.message} | {
            word: text for word, text in more.items() if text
        }
        terminal.document({"error": told})
    else:
        failures.show(failed, resource=True)
    raise click.exceptions.Exit(failed.status)


def _tell(asked: Asked, found: Json, seconds: float) -> None:
    output = dict(jobs.status(found).get("output") or {})
    claim = found["spec"]["output"]["volume"]["persistentVolumeClaim"]["claimName"]
    place = f"pvc:{claim}/{output.get('path') or found['spec']['output']['path']}"
    if asked.json:
        told = {"name": jobs.name(found), "namespace": found["metadata"]["namespace"]}
        missing = jobs.status(found).get("failedTasks")
        bad = jobs.status(found).get("badRecords")
        document = {"job": told, "output": output | {"place": place}, "seconds": round(seconds, 3)}
        more = {"left_out": missing, "bad_records": bad}
        terminal.document(document | {name: value for name, value in more.items() if value})
        return
    amount = f"{sizes.count(output.get('records') or 0)} records, {sizes.render(output.get('bytes') or 0)}"
    terminal.say(f"{place}: {amount}, in {seconds:.1f} s")
    missing = jobs.left_out(found)
    if missing:
        terminal.note(f"not everything is in the output: {missing} failed for good; the output's manifest names all")
    if bad := jobs.status(found).get("badRecords"):
        terminal.note(f"{results.bad_records(bad)} left out of the output: see {place}/{paths.BAD_RECORDS}")
    terminal.note(f"`mapreduce cat {jobs.name(found)}` prints it")
