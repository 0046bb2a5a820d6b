"""Time each phase of one small job on the kind cluster: `make bench-start`.

The cluster and the operator are up, the image is on the nodes, the claims are bound: what is
measured is ours. The program itself tells when its first map was entered, as its output, and the
history when the first worker was registered: it gets its first assignment at once. Every clock is
this machine's. Prints one JSON line a run and a table of the medians.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from typing import Any

from mapreduce import history
from tests.support import cluster
from tests.support.cluster_jobs import prepare, submit, texts

RUNS = 5
PHASES = ("pods running", "worker registered", "first map entered", "published", "complete seen")

PROGRAM = """
import time
import mapreduce as mr

class Entered(mr.Job):
    def setup(self):
        self.entered = time.time()

    def map(self, line):
        yield "entered", self.entered

    def reduce(self, key, values):
        yield key, min(values)
"""


class Watch:
    """Follows one kind of object with `kubectl get --watch`, noting when each state was first seen."""

    def __init__(self, namespace: str, what: list[str], expression: str) -> None:
        command = ["kubectl", "-n", namespace, "get", *what, "--watch", "-o", f"jsonpath={expression}{{'\\n'}}"]
        self.seen: list[tuple[float, str]] = []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.seen.append((time.time(), line.strip()))

    def stop(self) -> None:
        """End the watch."""
        self._process.kill()


def run(number: int) -> dict[str, Any]:
    """Run one job; return the seconds from `kubectl apply` to the end of each phase."""
    with cluster.namespace() as namespace:
        files = texts(files=2)
        prepare(namespace, files)
        pods = Watch(namespace.name, ["pods", "-l", "mapreduce.dev/job"], "{.metadata.name} {.status.phase}")
        begin = time.time()
        submit(namespace, PROGRAM, name="start")
        namespace.wait_complete("start", timeout=120)
        seen = time.time()
        entered = float(namespace.read("read", "out/output.tsv").split(b"\t")[1])
        events = history.parse(namespace.read("read", "out/_history/events.ndjson"))
        publishing: Any = next(event["wall"] for event in events if event["event"] == "Publishing")
        registered: Any = next(event["wall"] for event in events if _is_on_worker(event))
        running: dict[str, float] = {}
        for moment, line in pods.seen:
            name, _, phase = line.partition(" ")
            if phase == "Running":
                running.setdefault(name, moment)
        pods.stop()
    ends = (max(running.values()), registered, entered, publishing, seen)
    return {"run": number} | {phase: round(end - begin, 2) for phase, end in zip(PHASES, ends, strict=True)}


def _is_on_worker(event: dict[str, Any]) -> bool:
    """Tell whether the event is an assignment to a worker, not to a gateway."""
    task = str(event.get("task", ""))
    return event["event"] == "Assigned" and any(kind in task for kind in ("load", "map"))


def main() -> None:
    """Print every run and the medians."""
    results = []
    for number in range(RUNS):
        results.append(run(number))
        sys.stdout.write(json.dumps(results[-1]) + "\n")
    sys.stdout.write("\nseconds after kubectl apply, median of " + str(RUNS) + " (min, max)\n")
    for phase in PHASES:
        figures = [result[phase] for result in results]
        middle = statistics.median(figures)
        sys.stdout.write(f"  {phase:20} {middle:6.2f}  ({min(figures):.2f}, {max(figures):.2f})\n")


if __name__ == "__main__":
    main()
