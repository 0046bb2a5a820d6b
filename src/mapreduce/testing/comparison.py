"""Run a job as a test does: by the naive reference, and by the engine beside it.

The engine divides the records into splits and the keys into partitions, combines, and carries everything
through files, as a cluster does. What a job silently assumes (that one instance sees all records, that `reduce` gets
every value uncombined) shows as a difference, on a laptop. The contract imports nothing of the engine: the
worker's distribution registers it as an entry point. Neighbour: `reference.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Any, Final, Protocol, cast

from mapreduce import values
from mapreduce.api import Job
from mapreduce.testing import reference

GROUP: Final = "mapreduce.testing"
"""The group of the entry point `engine`, which is a `RunJob`."""
SPLITS: Final = 3
PARTITIONS: Final = 2
_SHOWN: Final = 200

Pair = tuple[Any, Any]


class RunJob(Protocol):
    """Runs a job over records in memory, divided into splits and partitions; returns its output in order."""

    def __call__(
        self, job_class: type[Job], records: Iterable[Any], *, splits: int, partitions: int
    ) -> Sequence[Pair]: ...


class DifferentOutputError(AssertionError):
    """The engine's output is not the reference's: the job depends on how its work is divided."""


def run(job_class: type[Job], records: Iterable[Any]) -> list[Pair]:
    """Return the job's output pairs in output order.

    Where the worker's distribution is installed, the engine runs the job too: raises `DifferentOutputError`
    if it gives another output, and what it raises where the reference succeeds. Every call of the
    job's methods is made twice then. Without it, the reference runs alone.
    """
    given = list(records)
    expected = reference.run(job_class, given)
    engine = installed_engine()
    if engine is not None:
        _compare(job_class, expected, engine(job_class, given, splits=SPLITS, partitions=PARTITIONS))
    return expected


def installed_engine() -> RunJob | None:
    """Return the engine that an installed distribution registers, or None."""
    found = metadata.entry_points(group=GROUP, name="engine")
    return cast("RunJob", next(iter(found)).load()) if found else None


def _compare(job_class: type[Job], expected: Sequence[Pair], found: Sequence[Pair]) -> None:
    """Compare as the output is compared: a tuple is a list there, NaN is NaN, and -0.0 is not 0.0."""
    for number in range(max(len(expected), len(found))):
        wanted, got = expected[number : number + 1], found[number : number + 1]
        if list(map(values.encode, wanted)) != list(map(values.encode, got)):
            raise DifferentOutputError(
                f"the output of {job_class.__name__} depends on how its work is divided. Pair {number} of "
                f"{len(expected)} is {_shown(wanted)} when all records are in one place, and {_shown(got)} of "
                f"{len(found)} with {SPLITS} splits and {PARTITIONS} partitions. A job must not keep state from call "
                "to call for its output, `combine` may run any number of times, and `reduce` must take what it gives."
            )


def _shown(pairs: Sequence[Pair]) -> str:
    text = repr(pairs[0]) if pairs else "missing"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
