"""How fast a job goes on after a fault, measured on the kind cluster: `make bench-recovery`.

A worker deleted with force while another has a free slot: until the master knows (detection), until its task is
assigned again (reassignment), until that attempt runs. The same for a node that is paused, where only the lease tells.
The operator killed with -9, and its Pod deleted: until its new process is up, until that assigns for the first time;
and how many finished maps run again, which must be none. All moments are those of the job's history; this program's
clock and the operator's are one machine's. Prints one JSON line a run, then medians beside their targets; exits 1 if a
target is missed or a fault hit nothing.
Neighbours: `operator_process.py`, `chaos.py`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import operator_process
from mapreduce import history
from tests.support import cluster, history_checker
from tests.support.cluster import Namespace
from tests.support.cluster_jobs import assert_right, prepare, slow_word_count, submit, texts

Figures = dict[str, float]
TARGETS = {
    "worker deleted: its task runs elsewhere": 5.0,
    "node paused: its task runs elsewhere": 20.0,
    "operator killed: process up to first new assignment": 10.0,
    "operator killed: finished maps run again": 0.0,
    "operator deleted: process up to first new assignment": 10.0,
    "operator deleted: finished maps run again": 0.0,
}


class Missed(Exception):
    """The fault hit nothing, or the history does not tell what was asked."""


def job_status(namespace: Namespace, kind: str, field: str) -> int:
    """Return a figure of the job's status."""
    status = namespace.get("mrjob", "wordcount").get("status", {})
    return int(status.get(kind, {}).get(field, 0))


def worker_deleted() -> Figures:
    """Delete a worker that runs one of two maps, while a third worker is idle."""
    with cluster.namespace() as namespace:
        files = texts(files=2)
        prepare(namespace, files)
        submit(namespace, slow_word_count(map_pause=1.5), workers={"replicas": 3})
        cluster.eventually("maps run", lambda: job_status(namespace, "map", "active") == 2, timeout=120)
        cluster.eventually("workers are there", lambda: job_status(namespace, "workers", "ready") == 3, timeout=120)
        victim, deleted = delete_busy(namespace)
        namespace.wait_complete("wordcount")
        events = assert_right(namespace, files)
    return after_loss("worker deleted", events, {victim}, deleted)


def after_loss(word: str, events: history_checker.Events, victims: set[str], moment: float) -> Figures:
    """Return how long it took, for the task that took longest; raises `Missed` if nothing was lost."""
    found = []
    for lost in history_checker.named(events, "Lost"):
        if lost.get("worker") in victims and lost["wall"] >= moment and is_work(lost):
            assigned, running = run_again(events, lost["task"], moment)
            # A map whose output every reduce has by now does not run again.
            if assigned and running:
                # A worker that is told to end says so at once: its tasks run again before it is lost.
                known = min(lost["wall"], assigned["wall"])
                found.append((running["wall"] - moment, known - moment, assigned["wall"] - known))
    if not found:
        story = [event for event in events if event.get("worker") in victims or event["wall"] >= moment]
        raise Missed(f"{word}: no task of {sorted(victims)} ran again after {moment}: {json.dumps(story)}")
    total, detection, reassignment = max(found)
    return {
        f"{word}: detection": detection,
        f"{word}: reassignment": reassignment,
        f"{word}: its task runs elsewhere": total,
    }


def run_again(events: history_checker.Events, task: str, moment: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the events of the first attempt of a task after the fault: assigned, and started; or nothing."""
    assigned: dict[str, Any] = {}
    for event in events:
        if event.get("task") != task or event["wall"] < moment:
            continue
        if event["event"] == "Assigned" and not assigned:
            assigned = event
        elif event["event"] == "Started" and event["attempt"] == assigned.get("attempt"):
            return assigned, event
    return assigned, {}


def delete_busy(namespace: Namespace) -> tuple[str, float]:
    """Delete with force a Pod in which a map runs; return its name, and when that was asked for."""
    # The status may be told before the journal is on the disk.
    busy = cluster.eventually("the journal names a worker", lambda: given_work(journal(namespace)))
    name = str(busy["worker"])
    moment = time.time()
    namespace.kubectl("delete", "pod", name, "--wait=false", "--grace-period=0", "--force")
    return name, moment


def given_work(events: history_checker.Events) -> dict[str, Any] | None:
    """Return the first assignment of a map or a reduce; None as long as there is none."""
    return next((event for event in history_checker.named(events, "Assigned") if is_work(event)), None)


def journal(namespace: Namespace) -> history_checker.Events:
    """Return the events so far of a job that runs."""
    (path,) = (path for path in namespace.files("read") if path.endswith("/journal"))
    frames, _ = history.unpack(namespace.read("read", path))
    return history.parse(b"".join(history.render(frames)))


def node_paused() -> Figures:
    """Pause a node with busy workers; claims, gateways and the operator are on another one."""
    here = cluster.eventually("the operator runs", operator_process.look).node
    away = next(node for node in cluster.nodes() if node != here)
    with cluster.namespace() as namespace:
        files = texts(files=4)
        for claim, shell in (("texts", "load"), ("results", "read")):
            namespace.claim(claim)
            namespace.shell_pod(shell, claim, here)
        namespace.write_all("load", files)
        spread = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"mapreduce.dev/role": "worker"}},
        }
        workers = {"replicas": 6, "topologySpreadConstraints": [spread]}
        submit(namespace, slow_word_count(map_pause=4), workers=workers)
        cluster.eventually("maps run", lambda: job_status(namespace, "map", "active") == 4, timeout=120)
        cluster.eventually("workers are there", lambda: job_status(namespace, "workers", "ready") == 6, timeout=120)
        victims = {pod["metadata"]["name"] for pod in namespace.pods("worker") if pod["spec"]["nodeName"] == away}
        moment = time.time()
        subprocess.run(["docker", "pause", away], check=True, capture_output=True)
        try:
            namespace.wait_complete("wordcount")
            events = assert_right(namespace, files)
        finally:
            subprocess.run(["docker", "unpause", away], check=True, capture_output=True)
            cluster.kubectl("wait", "--for=condition=Ready", f"node/{away}", "--timeout=120s", timeout=150)
    return after_loss("node paused", events, victims, moment)


def operator_gone(word: str, do: Callable[[operator_process.Process], object]) -> Figures:
    """End the operator while maps run; the next process goes on with the job."""
    with cluster.namespace() as namespace:
        files = texts(files=14)
        prepare(namespace, files)
        submit(namespace, slow_word_count(map_pause=0.4), workers={"replicas": 2})
        cluster.eventually("maps succeeded", lambda: job_status(namespace, "map", "succeeded") >= 3, timeout=120)
        before = cluster.eventually("the operator runs", operator_process.look)
        moment = time.time()
        do(before)
        after = cluster.eventually("another operator runs", lambda: newer(before), timeout=120)
        namespace.wait_complete("wordcount")
        events = assert_right(namespace, files)
    epoch = first(events, "EpochOpened", lambda event: event["wall"] > moment)
    assigned = first(events, "Assigned", lambda event: event["epoch"] == epoch["epoch"] and is_work(event))
    return {
        f"operator {word}: until its process is up": after.started - moment,
        f"operator {word}: process up to epoch opened": epoch["wall"] - after.started,
        f"operator {word}: process up to first new assignment": assigned["wall"] - after.started,
        f"operator {word}: finished maps run again": len(history_checker.assigned_again_after_finishing(events)),
    }


def newer(before: operator_process.Process) -> operator_process.Process | None:
    """Return the operator's process if it is another one than before."""
    found = operator_process.look()
    return found if found is not None and found.started > before.started else None


def is_work(event: dict[str, Any]) -> bool:
    """Tell whether the event is about a map or a reduce, not about what gateways do."""
    return str(event.get("task", "")).startswith(("map-", "reduce-"))


def first(events: history_checker.Events, word: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the first event of that name that fits; raises `Missed`."""
    for event in history_checker.named(events, word):
        if fits(event):
            return event
    raise Missed(f"the history has no such {word}")


CASES: dict[str, Callable[[], Figures]] = {
    "worker": worker_deleted,
    "node": node_paused,
    "killed": lambda: operator_gone("killed", operator_process.kill),
    "deleted": lambda: operator_gone("deleted", lambda _: operator_process.delete()),
}


def main() -> int:
    """Run every case so many times, in turns; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=sorted(CASES), action="append")
    chosen = parser.parse_args()
    found: dict[str, list[float]] = {}
    for number in range(chosen.runs):
        for name in chosen.only or CASES:
            figures = CASES[name]()
            print(json.dumps({"run": number, "case": name} | {k: round(v, 2) for k, v in figures.items()}), flush=True)
            for figure, value in figures.items():
                found.setdefault(figure, []).append(value)
    missed = 0
    print(f"\nmedian of {chosen.runs} (least, most), seconds; target")
    for figure, values in found.items():
        target = TARGETS.get(figure)
        middle = statistics.median(values)
        missed += target is not None and middle > target
        told = "" if target is None else f"  at most {target:g}{'' if middle <= target else '  MISSED'}"
        print(f"  {figure:55}{middle:8.2f}  ({min(values):.2f}, {max(values):.2f}){told}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
