"""Whole jobs through a real API server: a word count, its input on a claim, and what must come of it."""

from __future__ import annotations

import json
from typing import Any

from mapreduce import history, testing
from tests.support import history_checker
from tests.support.apiserver import PATIENCE, eventually
from tests.support.kubelet import Kubelet
from tests.support.operator_process import Team

PROGRAM = """
import time
import mapreduce as mr

class WordCount(mr.Job):
    def map(self, line):
        time.sleep({pause})
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()
"""
HELD = """
import time
from pathlib import Path
import mapreduce as mr

GATE = Path({gate!r})

class WordCount(mr.Job):
    passed = False

    def map(self, line):
        if not self.passed:
            self.pass_gate()
        for word in line.split():
            yield word, 1

    def pass_gate(self):
        self.passed = True
        for number in range({free}):
            try:
                return (GATE / str(number)).touch(exist_ok=False)
            except FileExistsError:
                continue
        while not (GATE / "open").exists():
            time.sleep(0.02)

    reduce = mr.Sum()
"""
LINES = [f"alpha beta {number % 7} gamma delta {number % 3}\n" for number in range(60)]


def prepare(kubelet: Kubelet, team: Team, files: int = 6) -> bytes:
    """Write the input, one small file a map; return what the reference makes of it."""
    folder = kubelet.claim(team.name, "texts") / "in"
    folder.mkdir(exist_ok=True)
    for number in range(files):
        (folder / f"{number}.txt").write_text("".join(LINES[number::files]))
    return reference(PROGRAM.format(pause=0), files)


def reference(source: str, files: int = 6) -> bytes:
    """Return what the reference makes of the input with a program whose job is `WordCount`."""
    program: dict[str, Any] = {}
    exec(source, program)  # noqa: S102 - a constant of the tests
    lines = [line.rstrip("\n") for number in range(files) for line in LINES[number::files]]
    return testing.run_tsv(program["WordCount"], lines)


class Gate:
    """Where the maps of a word count wait until the test lets them pass, but for the first few.

    A fault that falls meanwhile falls while maps run, however slow the machine is.
    """

    def __init__(self, kubelet: Kubelet, team: Team, free: int = 2) -> None:
        self._folder = kubelet.claim(team.name, "gate")
        self.program = HELD.format(gate=str(self._folder), free=free)

    def open(self) -> None:
        """Let all pass, now and later."""
        (self._folder / "open").touch()


def submit(team: Team, pause: float = 0.0, **spec: Any) -> None:
    """Apply the job; a line of input takes `pause` seconds. `spec` replaces fields."""
    volume = {"persistentVolumeClaim": {"claimName": "texts"}}
    fields: dict[str, Any] = {
        "program": {"inline": PROGRAM.format(pause=pause)},
        "input": {"paths": ["in/*.txt"], "volume": volume, "splitSize": "100"},
        "reducers": 3,
    }
    team.submit(**(fields | spec))


def submit_held(kubelet: Kubelet, team: Team, free: int = 2, **spec: Any) -> Gate:
    """Apply the job with a gate, and wait until the maps that may pass have succeeded; return the gate."""
    gate = Gate(kubelet, team, free)
    submit(team, **({"program": {"inline": gate.program}} | spec))
    maps_succeed(team, free)
    return gate


def complete(team: Team, timeout: float = PATIENCE) -> None:
    """Wait until the job is complete; fail with its status if it is not, or failed."""

    def over() -> dict[str, Any]:
        assert not team.condition("Failed"), team.status()
        return team.condition("Complete")

    try:
        eventually("the job is complete", over, timeout=timeout, interval=0.2)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{json.dumps(team.status(), indent=1)}") from error


def maps_succeed(team: Team, count: int = 2) -> None:
    """Wait until some maps have succeeded."""
    eventually("maps succeed", lambda: team.status().get("map", {}).get("succeeded", 0) >= count)


def events_of(kubelet: Kubelet, team: Team) -> list[dict[str, Any]]:
    """Return the history of the published job."""
    return history.parse((kubelet.claim(team.name, "results") / "out/_history/events.ndjson").read_bytes())


def assert_right(kubelet: Kubelet, team: Team, expected: bytes, reduces: int = 3) -> list[dict[str, Any]]:
    """Compare the output with what is expected, check the history, and return it."""
    out = kubelet.claim(team.name, "results") / "out"
    assert (out / "output.tsv").read_bytes() == expected
    events = events_of(kubelet, team)
    maps = team.status()["map"]["total"]
    assert history_checker.check(events, maps=maps, reduces=reduces) == []
    return events
