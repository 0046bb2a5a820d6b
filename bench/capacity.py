"""What a worker that dies or is slow costs, on this machine, with tasks that sleep: a part of `make bench-recovery`.

Two pairs of runs in turn (A-B-A-B …), each from the first map that was assigned to the start of publishing. One of nine
one-slot workers is killed with -9 at half of the maps, and its replacement is kept from working: beside the same job
that lost nobody. One of eight one-slot workers is ten times slower: beside the same job on eight equal ones. Sleeping
tasks need no core, so that two cores stand for nine. What is unavoidable is the capacity that was lost; printed is how
much longer it took than that, with the targets, and exit status 1 if one is missed.
Neighbours: `recovery.py` (the cluster's faults), `tests/support/local_runs.py` (starts and watches the runs).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tests.support import history_checker, local_runs
from tests.support.local_runs import Run

PROGRAM = '''"""Counts lines; a map sleeps, ten times as long in the processes below the worker that a file names."""
import os
import time
from pathlib import Path

import mapreduce as mr

SLOW = Path({slow!r})
PAUSE = {pause}


class Sleeper(mr.Job):
    def map(self, line):
        pause = PAUSE * 10 if SLOW.exists() and SLOW.read_text() == str(os.getppid()) else PAUSE
        until = time.monotonic() + pause
        while time.monotonic() < until:
            time.sleep(0.05)
            self.progress()
        yield line[:8], 1

    reduce = mr.Sum()
'''
RECORD = 65536
"""Bytes of a record, which is a split."""
REDUCERS = 2
PATIENCE = 300.0


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A job of sleeping maps.

    pause: seconds of a map. fault: what is done to a run, which has a folder. least: how many times as long a run
    must take with the capacity that is left. most: how many times as long as that it may take.
    """

    name: str
    workers: int
    maps: int
    pause: float
    fault: Callable[[Run, Path], None]
    least: float
    most: float


def kill_one(run: Run, _: Path) -> None:
    """Kill a worker with its slot at half of the maps, and freeze every process that would take its place."""
    run.until(lambda: ended(run) >= CASES["killed"].maps / 2, PATIENCE)
    (victim, *others) = run.processes("worker")
    before = {process.pid for process in others}
    victim.send(signal.SIGKILL)
    successor = run.until(
        lambda: [found for found in run.processes("worker") if found.pid not in before and found.pid != victim.pid],
        PATIENCE,
    )[0]
    successor.send(signal.SIGSTOP)


def slow_one(run: Run, folder: Path) -> None:
    """Name one worker as the slow one, before it runs anything."""
    (victim, *_) = run.until(lambda: run.processes("worker"), PATIENCE)
    (folder / "slow").write_text(str(victim.pid))


def ended(run: Run) -> int:
    """Return how many maps the run's progress line tells of."""
    told = run.stderr.replace("\r", "\n").rpartition("maps ")[2].partition("/")[0]
    return int(told) if told.isdigit() else 0


CASES = {
    "killed": Case(
        name="1 of 9 workers killed at half of the maps",
        workers=9,
        maps=144,
        pause=0.5,
        fault=kill_one,
        # All that the dead one ran is run again by the others, since what it held is gone.
        least=9 / 8,
        most=1.10,
    ),
    "slow": Case(
        name="1 of 8 workers ten times slower",
        workers=8,
        maps=48,
        pause=1.0,
        fault=slow_one,
        least=8 / 7.1,
        most=1.2,
    ),
}


def measure(case: Case, fault: Callable[[Run, Path], None] | None) -> float:
    """Run the job and return the seconds from its first map to the start of publishing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = prepare(case, folder)
        settings = ["--workers", case.workers, "--split-size", RECORD, "--reducers", REDUCERS]
        with local_runs.running(folder, program, "lines.txt", "--output", "out", *settings) as run:
            if fault is not None:
                fault(run, folder)
            if run.wait(PATIENCE):
                raise SystemExit(run.stderr)
        events = local_runs.events(folder / "out")
        judge(case, folder, events)
        return published(events) - first_map(events)


def prepare(case: Case, folder: Path) -> Path:
    """Write the program, which is returned, and its input."""
    lines = b"".join(b"%08d" % (number % 7) + b"x" * (RECORD - 9) + b"\n" for number in range(case.maps))
    (folder / "lines.txt").write_bytes(lines)
    return local_runs.write_program(folder, PROGRAM.format(slow=str(folder / "slow"), pause=case.pause))


def judge(case: Case, folder: Path, events: list[dict[str, Any]]) -> None:
    """End the benchmark if the output or the history is not what it must be."""
    if (folder / "out/output.tsv").read_bytes() != expected(case.maps):
        raise SystemExit("the output is not what it must be")
    if broken := history_checker.check(events, maps=case.maps, reduces=REDUCERS):
        raise SystemExit(f"the history breaks its rules: {broken}")


def expected(maps: int) -> bytes:
    """Return the output: how many lines begin with each number."""
    return b"".join(b"%08d\t%d\n" % (key, len(range(key, maps, 7))) for key in range(7))


def first_map(events: list[dict[str, Any]]) -> float:
    """Return when the first map was assigned."""
    return min(float(event["wall"]) for event in history_checker.named(events, "Assigned") if is_map(event))


def is_map(event: dict[str, Any]) -> bool:
    """Tell whether an event is about a map."""
    return str(event.get("task", "")).startswith("map-")


def published(events: list[dict[str, Any]]) -> float:
    """Return when publishing began."""
    return float(history_checker.named(events, "Publishing")[-1]["wall"])


def main() -> int:
    """Run the pairs in turn; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=sorted(CASES), action="append")
    chosen = parser.parse_args()
    missed = 0
    for case in (CASES[name] for name in chosen.only or CASES):
        found: list[tuple[float, float]] = []
        for number in range(chosen.runs):
            found.append((measure(case, None), measure(case, case.fault)))
            whole, hit = found[-1]
            print(
                json.dumps({"run": number, "case": case.name, "whole": round(whole, 2), "hit": round(hit, 2)}),
                flush=True,
            )
        over = [hit / whole / case.least for whole, hit in found]
        middle = statistics.median(over)
        missed += middle > case.most
        print(
            f"{case.name}: {middle:.3f} x the lost capacity ({min(over):.3f}, {max(over):.3f});"
            f" a run of {statistics.median(whole for whole, _ in found):.1f} s took"
            f" {statistics.median(hit for _, hit in found):.1f} s; at most {case.most:g}"
            f"{'' if middle <= case.most else '  MISSED'}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    os.environ["PYTHONHASHSEED"] = "0"
    sys.exit(main())
