"""A program that misbehaves at the record `bad`: what it does there is what a test gives it.

Neighbours: `slot_bench.py` (one slot that runs it), `local_runs.py` (a whole job).
"""

from __future__ import annotations

from pathlib import Path

LINES = ["good", "bad", "fine", "good"]
"""An input for it."""
_PROGRAM = """
import ctypes, faulthandler, os, signal, subprocess, sys, threading, time
from pathlib import Path
import mapreduce as mr

HERE = Path({folder!r})

def first():
    try:
        (HERE / "was-here").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

def note(pid):
    (HERE / "child.tmp").write_text(str(pid))
    (HERE / "child.tmp").rename(HERE / "child")

class Bad(mr.Job):
    def map(self, line):
        if line == "bad":
            self.misbehave()
        yield line, 1

    def misbehave(self):
{body}

    reduce = mr.Sum()
"""


def program(folder: Path, body: str) -> str:
    """Return a program whose map does `body` at the record `bad`.

    `body` may ask whether it is the `first()` to get there, and `note(pid)` in the file `child` of the folder.
    """
    rows = "\n".join(f"        {row}" for row in body.strip().split("\n"))
    return _PROGRAM.format(folder=str(folder), body=rows)
