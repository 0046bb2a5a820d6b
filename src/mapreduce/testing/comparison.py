"""Run a job as a test does: by the naive reference, and by the engine beside it.

The engine divides the records into splits and the keys into partitions, combines, and carries everything
through files, as a cluster does. What a job silently assumes (that one instance sees all records, that `reduce` gets
every value uncombined) shows as a difference, on a laptop. The contract imports nothing of the engine: the
worker's distribution registers it as an entry point. Neighbour: `reference.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, cast

from mapreduce import values
from mapreduce.api import Job
from mapreduce.testing import entry_points, reference
from mapreduce.testing.reference import Outcome, Pair

SPLITS: Final = 3
PARTITIONS: Final = 2
_SHOWN: Final = 200


class RunJob(Protocol):
    """Runs a job over records in memory, divided into splits and partitions."""

    def __call__(
        self,
        job_class: type[Job],
        records: Iterable[Any],
        *,
        splits: int,
        partitions: int,
        params: Mapping[str, str],
        files: Mapping[str, bytes],
    ) -> Outcome: ...


class DifferentOutputError(AssertionError):
    """The engine's output is not the reference's: the job depends on how its work is divided."""


def run(
    job_class: type[Job],
    records: Iterable[Any],
    *,
    params: Mapping[str, str] | None = None,
    files: Mapping[str, bytes | str] | None = None,
    splits: int = SPLITS,
    partitions: int = PARTITIONS,
) -> list[Pair]:
    """Return the job's output pairs in output order; see `outcome`."""
    return outcome(job_class, records, params=params, files=files, splits=splits, partitions=partitions).pairs


def outcome(
    job_class: type[Job],
    records: Iterable[Any],
    *,
    params: Mapping[str, str] | None = None,
    files: Mapping[str, bytes | str] | None = None,
    splits: int = SPLITS,
    partitions: int = PARTITIONS,
) -> Outcome:
    """Return what the job makes of the records: `pairs`, its output in output order, and `counters`.

    `params` are the parameters as text, as on the command line; `files` the contents of the side
    files by name. To the job the n-th record is at offset n of the file `record`.

    Where the worker's distribution is installed, the engine runs the job too: raises `DifferentOutputError`
    if it gives another outcome, and what it raises where the reference succeeds. Every call of the
    job's methods is made twice then. Without it, the reference runs alone. The counters are the
    reference's: what `setup` counts in a real run depends on how often it runs.
    """
    given = list(records)
    contents = {name: text.encode() if isinstance(text, str) else text for name, text in (files or {}).items()}
    expected = reference.run(job_class, given, params=params, files=contents)
    engine = installed_engine()
    if engine is not None:
        shape = (splits, partitions)
        found = engine(
            job_class, given, splits=splits, partitions=partitions, params=dict(params or {}), files=contents
        )
        _compare(job_class, expected.pairs, found.pairs, shape)
        if _counts_by_record(job_class):
            _compare_counters(job_class, expected.counters, found.counters, shape)
    return expected


def _counts_by_record(job_class: type[Job]) -> bool:
    """Tell whether all that a job counts is counted in `map` and `reduce`, which run once a record and key."""
    own = (job_class.setup, job_class.teardown, job_class.__init__)
    return job_class.combine is None and own == (Job.setup, Job.teardown, Job.__init__)


def installed_engine() -> RunJob | None:
    """Return the engine that an installed distribution registers, or None."""
    return cast("RunJob | None", entry_points.load("engine"))


def _compare(job_class: type[Job], expected: Sequence[Pair], found: Sequence[Pair], shape: tuple[int, int]) -> None:
    """Compare as the output is compared: a tuple is a list there, NaN is NaN, and -0.0 is not 0.0."""
    for number in range(max(len(expected), len(found))):
        wanted, got = expected[number : number + 1], found[number : number + 1]
        if list(map(_encoded, wanted)) != list(map(_encoded, got)):
            raise DifferentOutputError(
                f"the output of {job_class.__name__} depends on how its work is divided. Pair {number} of "
                f"{len(expected)} is {_shown(wanted)} when all records are in one place, and {_shown(got)} of "
                f"{len(found)} with {shape[0]} splits and {shape[1]} partitions. A job must not keep state from call "
                "to call for its output, `combine` may run any number of times, and `reduce` must take what it gives."
            )


def _compare_counters(
    job_class: type[Job], expected: dict[str, int], found: dict[str, int], shape: tuple[int, int]
) -> None:
    if expected != found:
        raise DifferentOutputError(
            f"the counters of {job_class.__name__} depend on how its work is divided. They are {expected} when all "
            f"records are in one place, and {found} with {shape[0]} splits and {shape[1]} partitions."
        )


def _shown(pairs: Sequence[Pair]) -> str:
    text = repr(pairs[0]) if pairs else "missing"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _encoded(pair: tuple[Any, Any]) -> bytes:
    # The pair itself is no part of the value.
    return values.encode(pair, values.MAX_DEPTH + 1)
