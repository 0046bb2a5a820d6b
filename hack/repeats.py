"""Run stages of the tests again and again, and keep one record of all runs.

    python hack/repeats.py [TIMES [STAGE…]]

A flake shows only in many runs, and many runs take hours; so they are made in batches, and the
record, tests/repeats.ndjson, has one line a run: when, of which commit, which stage, how many
tests, which of them failed, seconds. At the end stands how often in a row each stage has passed.
A test that failed is not run again: its stage's row begins anew.
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any
from xml.etree import ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORD = ROOT / "tests/repeats.ndjson"
STAGES = ("unit", "simulation", "integration", "smoke")
WANTED = 20
"""As many runs in a row without a failure say that a stage does not flake."""


def main(words: list[str]) -> int:
    """Run, record and tell; the exit status is 1 where any run failed."""
    times = int(words[0]) if words else 1
    stages = words[1:] or list(STAGES)
    clean = True
    for _ in range(times):
        for stage in stages:
            run = run_once(stage)
            with RECORD.open("a") as record:
                record.write(json.dumps(run, separators=(",", ":")) + "\n")
            clean = clean and not run["failed"]
            print(
                f"repeats: {stage}: {run['tests']} tests, {len(run['failed'])} failed, {run['seconds']} s", flush=True
            )
    runs = [json.loads(line) for line in RECORD.read_text().splitlines()] if RECORD.exists() else []
    print(*table(runs), sep="\n")
    return 0 if clean else 1


def run_once(stage: str) -> dict[str, Any]:
    """Run a stage as `make test` does; its output goes to the terminal where it fails."""
    begin = datetime.datetime.now(datetime.UTC)
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        environment = os.environ | {"E2E": "1", "PYTEST_ADDOPTS": f"--junitxml={report}"}
        done = subprocess.run(
            ["hack/test", stage],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        tests, failed = outcome(report) if report.exists() else (0, [])
    if done.returncode and not failed:
        failed = ["(the stage did not run to its end)"]
    if failed:
        sys.stdout.buffer.write(done.stdout)
    return {
        "at": begin.isoformat(timespec="seconds"),
        "commit": commit(),
        "stage": stage,
        "tests": tests,
        "failed": failed,
        "seconds": round((datetime.datetime.now(datetime.UTC) - begin).total_seconds()),
    }


def commit() -> str:
    """Return the commit's short name, with a plus where more than the record has changed since."""

    def git(*words: str) -> str:
        return subprocess.check_output(["git", *words], cwd=ROOT, text=True).strip()

    changed = git("status", "--porcelain", "--", ".", f":!{RECORD.relative_to(ROOT)}")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def outcome(report: pathlib.Path) -> tuple[int, list[str]]:
    """Return how many tests a JUnit report has, and the names of those that failed."""
    failed = set()
    # Written by pytest a moment ago, so it is as safe as the tests themselves.
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - see above
    for case in cases:
        if {"failure", "error"} & {part.tag for part in case}:
            failed.add(f"{case.get('classname')}::{case.get('name')}")
    return len(cases), sorted(failed)


def table(runs: list[dict[str, Any]]) -> list[str]:
    """Return a line a stage: how often in a row it has passed up to now, of how many runs."""

    def order(stage: str) -> int:
        return STAGES.index(stage) if stage in STAGES else len(STAGES)

    lines = []
    for stage in sorted({run["stage"] for run in runs}, key=order):
        of_stage = [run for run in runs if run["stage"] == stage]
        row = next((place for place, run in enumerate(reversed(of_stage)) if run["failed"]), len(of_stage))
        verdict = "no flake" if row >= WANTED else f"{WANTED - row} to go"
        lines.append(f"repeats: {stage}: passed {row} times in a row, of {len(of_stage)} runs: {verdict}")
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
