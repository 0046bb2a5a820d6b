"""Runs of the command line on this machine: programs, texts, the processes below, and the proof.

Every process of a run inherits an environment variable, by which all of them are found, orphans
too. The programs slow themselves down and leave marks; the product has no hooks.
"""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from mapreduce import history
from mapreduce.api import Job
from mapreduce.testing import run_tsv
from mapreduce_worker import newborn

MARK = "TEST_RUN_ID"
FORKED = {name: role for role, name in newborn.NAMES.items()}
PATIENCE = 60.0
"""Seconds after which a run that should have ended is a failure."""

WORD_COUNT = """
import mapreduce as mr

class WordCount(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()
"""

SLOW = """
import os, time
from pathlib import Path
import mapreduce as mr

MARKS = Path({marks!r})

def mark(phase):
    (MARKS / f"{{phase}}-{{os.getpid()}}").touch()
    while (MARKS / f"hold-{{phase}}").exists():
        time.sleep(0.02)

class Slow(mr.Job):
    def map(self, line):
        mark("map")
        time.sleep({pause})
        for word in line.split():
            yield word, 1

    def reduce(self, word, counts):
        mark("reduce")
        time.sleep({pause})
        yield word, sum(counts)
"""
"""Counts words, with a pause a line and a key; stops for as long as a file says hold."""


class Process(msgspec.Struct, frozen=True):
    """One process of a run. role: gateway, worker, slot or command."""

    pid: int
    role: str
    worker: str

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)


class Run:
    """One `mapreduce run` in a process group of its own."""

    def __init__(self, arguments: Sequence[object], folder: Path) -> None:
        self.mark = uuid.uuid4().hex
        self._folder = folder
        self._files = [(folder / f"{name}-{self.mark}").open("w+b") for name in ("stdout", "stderr")]
        self._process = subprocess.Popen(
            [sys.executable, *(str(argument) for argument in arguments)],
            stdin=subprocess.DEVNULL,
            stdout=self._files[0],
            stderr=self._files[1],
            cwd=folder,
            env=os.environ | {MARK: self.mark, "TMPDIR": str(folder)},
            start_new_session=True,
        )

    @property
    def stdout(self) -> str:
        """What the command printed so far."""
        return self._read(0)

    @property
    def stderr(self) -> str:
        """What the command printed to stderr so far."""
        return self._read(1)

    def wait(self, patience: float = PATIENCE) -> int:
        """Wait for the command; return its exit status."""
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            logs = [f"== {path}\n{path.read_text(errors='replace')}" for path in self._folder.glob("mapreduce-*/*.log")]
            raise AssertionError("\n".join(["the run does not end", self.stdout, self.stderr, *logs])) from None

    def is_running(self) -> bool:
        """Tell whether the command has not ended."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command alone."""
        self._process.send_signal(number)

    def processes(self, *roles: str) -> list[Process]:
        """Return the living processes of the run with one of these roles; all without one."""
        found = [process for process in _all_processes(self.mark) if not roles or process.role in roles]
        return sorted(found, key=lambda process: process.pid)

    def until(self, condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """Wait until the condition holds, and return its value; fails if the command ends before."""
        deadline = time.monotonic() + patience
        while not (value := condition()):
            assert self._process.poll() is None, f"the run ended early: {self.stdout}\n{self.stderr}"
            assert time.monotonic() < deadline, f"it did not happen in {patience} s: {self.stderr}"
            time.sleep(0.02)
        return value

    def end(self) -> None:
        """Kill whatever is left."""
        for process in self.processes():
            try:
                process.send(signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait(PATIENCE)
        for file in self._files:
            file.close()

    def _read(self, number: int) -> str:
        return Path(self._files[number].name).read_text(errors="replace")


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[Run]:
    """Start `mapreduce run ARGUMENTS` and kill what is left of it at the end."""
    with started(folder, "-m", "mapreduce_cli", "run", *arguments) as run:
        yield run


@contextmanager
def started(folder: Path, *arguments: object) -> Iterator[Run]:
    """Start python with these arguments and kill what is left of it at the end."""
    run = Run(arguments, folder)
    try:
        yield run
    finally:
        run.end()


def finished(folder: Path, *arguments: object) -> tuple[int, str, str]:
    """Run `mapreduce run ARGUMENTS` to its end; return exit status, stdout and stderr."""
    with running(folder, *arguments) as run:
        status = run.wait()
        return status, run.stdout, run.stderr


def succeeded(folder: Path, *arguments: object) -> str:
    """Run `mapreduce run ARGUMENTS`, which must end well; return what it printed."""
    status, stdout, stderr = finished(folder, *arguments)
    assert status == 0, stderr
    return stdout


def write_program(folder: Path, source: str, name: str = "job.py") -> Path:
    """Write a program and return its path."""
    path = folder / name
    path.write_text(source)
    return path


def slow_program(folder: Path, pause: float = 0.0) -> tuple[Path, Path]:
    """Write `SLOW`; return the program and the folder of its marks."""
    marks = folder / "marks"
    marks.mkdir()
    return write_program(folder, SLOW.format(marks=str(marks), pause=pause)), marks


def write_texts(folder: Path, *, files: int = 4, lines: int = 40, words: int = 60, seed: int = 1) -> Path:
    """Write files of random words and return their folder."""
    texts = folder / "texts"
    texts.mkdir()
    draw = random.Random(seed)
    vocabulary = [f"word{number}" for number in range(words)] + ["naïve", "日本", "tab\\x"]
    for number in range(files):
        rows = [" ".join(draw.choices(vocabulary, k=8)) for _ in range(lines)]
        (texts / f"{number:02}.txt").write_text("\n".join(rows) + "\n")
    return texts


def reference(program: Path, *files: Path, errors: str = "strict") -> bytes:
    """Return what output.tsv must be, by the naive reference."""
    records: list[str] = []
    for file in files:
        text = file.read_bytes().decode(errors=errors)
        rows = text.split("\n")
        records += [row.removesuffix("\r") for row in (rows[:-1] if rows[-1] == "" else rows)]
    return run_tsv(load(program), records)


def load(program: Path) -> type[Job]:
    """Import a program that holds one job."""
    spec = importlib.util.spec_from_file_location(f"program_{uuid.uuid4().hex}", program)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    jobs = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Job)]
    (job,) = [job for job in jobs if job is not Job]
    return job


def events(output: Path) -> list[dict[str, Any]]:
    """Return the history of a published job."""
    return history.parse((output / "_history" / "events.ndjson").read_bytes())


def hidden(folder: Path, output: str) -> list[str]:
    """Return what a run left beside its output: staging directories and locks."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(f".{output}."))


def _all_processes(mark: str) -> list[Process]:
    found: dict[int, Process] = {}
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            rows = (entry / "environ").read_text(errors="replace").split("\0")
            command = (entry / "cmdline").read_text(errors="replace").split("\0")
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        environment = dict(row.split("=", 1) for row in rows if "=" in row)
        if environment.get(MARK) == mark and command != [""]:
            found[int(entry.name)] = _process(entry, environment, command)
    # What has been forked and is not yet another program looks like its parent.
    for pid, process in list(found.items()):
        parent = found.get(parents[pid])
        if parent is not None and process.role != "slot" and parent.role == process.role:
            del found[pid]
    # A slot knows nothing of its worker: its parent does.
    return [
        msgspec.structs.replace(process, worker=found[parents[process.pid]].worker)
        if process.role == "slot" and parents[process.pid] in found
        else process
        for process in found.values()
    ]


def _process(entry: Path, environment: dict[str, str], command: list[str]) -> Process:
    worker = Path(environment.get("MAPREDUCE_SCRATCH", "")).name
    role = _role(environment, command)
    try:
        forked = FORKED.get((entry / "comm").read_text().strip())
        if forked is not None:
            # It has the variables of the nursery, and prints into the log of its worker.
            role, worker = forked, (entry / "fd" / "1").readlink().stem
    except OSError:
        # It has ended meanwhile.
        pass
    return Process(int(entry.name), role, worker)


def _role(environment: dict[str, str], command: list[str]) -> str:
    if "mapreduce_worker.slots.process" in command:
        return "slot"
    if "mapreduce_worker" in command:
        return environment.get("MAPREDUCE_ROLE", "other")
    return "command" if "mapreduce_cli" in command or "-c" in command else "other"
