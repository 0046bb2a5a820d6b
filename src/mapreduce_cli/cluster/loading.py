"""Loading a program in a process of its own, as a slot does: what it prints, breaks or ends is not ours.

`look` starts the process, which is this module run with -m. Neighbour: `validate.py`.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from mapreduce.program import Program, Shape

TIMEOUT: Final = 60.0
"""Seconds that importing a program may take."""


class Task(msgspec.Struct, frozen=True):
    """What to load, and with which parameters."""

    program: Program
    params: dict[str, str]


class Look(msgspec.Struct, frozen=True):
    """What was found: the shape, or what is wrong."""

    shape: Shape | None = None
    error: str = ""


def look(program: Program, params: dict[str, str]) -> Look:
    """Return what the program is, or why it cannot be loaded."""
    task = msgspec.json.encode(Task(program, params))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mapreduce_cli.cluster.loading"],
            input=task,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Look(error=f"the program is not imported after {TIMEOUT:g} s: leave long work to setup and map")
    try:
        return msgspec.json.decode(done.stdout, type=Look)
    except msgspec.DecodeError:
        last = done.stderr.decode(errors="replace").strip().split("\n")[-1]
        return Look(error=f"importing the program ended the process with exit code {done.returncode}: {last}")


def main() -> None:
    """Load the program that stdin holds; print a `Look` to what was stdout when it began."""
    from mapreduce import params  # noqa: PLC0415 - the parent needs only `look`
    from mapreduce.errors import MapReduceError  # noqa: PLC0415 - as above
    from mapreduce_worker.engine import program  # noqa: PLC0415 - as above

    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(sys.stderr):
        try:
            job_class = program.load(task.program, Path(scratch))
            params.bind(getattr(job_class, "Params", None), task.params)
            found = Look(shape=program.shape(job_class))
        except MapReduceError as error:
            found = Look(error=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
