"""The commands that are measured: ours, and those of others over the same input.

All write one file or several below a folder of their own; what is in them is compared after each run, untimed.
Neighbours: `peers/` and `programs/` (what they run), `rows.py` (which play together).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench import check
from bench.truth import Truth

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MAPREDUCE = str(Path(sys.executable).with_name("mapreduce"))
OUTPUT = "output.tsv"
LINE_ORDER = ("env", "LC_ALL=C", "sort", "--parallel=2")
KEY_ORDER = ("env", "LC_ALL=C", "sort", "--stable", "--parallel=2", "--key=1,1", "--field-separator=\t")


class Contender(NamedTuple):
    """One side of a comparison.

    command: what to run for a folder to write to, which exists and is empty. read: the digest of what it wrote there.
    truth: what that digest must be.
    """

    name: str
    command: Callable[[Path], tuple[str, ...]]
    truth: Truth
    read: Callable[[Path], str] = lambda folder: check.digest(folder / OUTPUT)


def program(name: str) -> str:
    """Return the program `FILE:CLASS` of `programs/`."""
    return str(HERE / "programs" / name)


def peer(script: str) -> tuple[str, ...]:
    """Return the command that runs a script of `peers/`."""
    return (sys.executable, str(HERE / "peers" / script))


def ours(name: str, job: str, source: Path, truth: Truth, *options: str) -> Contender:
    """Return a `mapreduce run` with what it takes by itself, and the options."""

    def command(folder: Path) -> tuple[str, ...]:
        return (MAPREDUCE, "run", program(job), str(source), "--output", str(folder / "out"), *options)

    return Contender(name, command, truth, lambda folder: check.digest(folder / "out" / OUTPUT))


def theirs(name: str, command: tuple[str, ...], source: Path, truth: Truth) -> Contender:
    """Return a command that takes the input and the file to write as its last two arguments."""
    return Contender(name, lambda folder: (*command, str(source), str(folder / OUTPUT)), truth)


def gnu_sort(name: str, source: Path, truth: Truth) -> Contender:
    """Return GNU sort over whole lines."""
    return Contender(name, lambda folder: (*LINE_ORDER, str(source), "--output", str(folder / OUTPUT)), truth)


def limited(name: str, job: str, source: Path, truth: Truth, mebibytes: int) -> Contender:
    """Return a run of ours whose slots have so much memory each."""
    command = (*peer("limited.py"), str(mebibytes), program(job), str(source))
    return Contender(
        name,
        lambda folder: (*command, str(folder / "out")),
        truth,
        lambda folder: check.digest(folder / "out" / OUTPUT),
    )


def singles(name: str, job: str, halves: Path, truth: Truth) -> Contender:
    """Return two runs of ours in a process each, beside each other, whose counts are added up to be compared."""
    return Contender(
        name,
        lambda folder: (*peer("singles.py"), program(job), str(halves), str(folder / "out")),
        truth,
        lambda folder: check.added_digest(sorted(folder.glob(f"out-*/{OUTPUT}"))),
    )
