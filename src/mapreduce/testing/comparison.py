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
    """The engine's output is not the reference's: the job depends on how its work is divided.

    An `AssertionError`, so that a test fails with its message, which shows the first pair that differs.

    Examples:
        >>> class Numbered(mr.Job):
        ...     count = 0
        ...
        ...     def map(self, line):
        ...         self.count += 1
        ...         yield line, self.count
        >>> run(Numbered, ["a", "b", "c"])
        Traceback (most recent call last):
        mapreduce.testing.comparison.DifferentOutputError: the output of Numbered depends on how its work is divided. …
    """


def run(
    job_class: type[Job],
    records: Iterable[Any],
    *,
    params: Mapping[str, str] | None = None,
    files: Mapping[str, bytes | str] | None = None,
    splits: int = SPLITS,
    partitions: int = PARTITIONS,
) -> list[Pair]:
    """Return the job's output pairs in output order; arguments and errors are those of `outcome`.

    Examples:
        >>> class WordCount(mr.Job):
        ...     def map(self, line):
        ...         for word in line.split():
        ...             yield word, 1
        ...
        ...     reduce = mr.Sum()
        >>> run(WordCount, ["a b", "a"])
        [('a', 2), ('b', 1)]
    """
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

    Where the worker's distribution is installed, the engine runs the job too, so that every call is made twice, and its
    outcome is compared. The counters are the reference's: what `setup` counts in a real run depends on how often
    it runs. What the job's own code raises is raised as it is.

    Args:
        job_class: The job, a subclass of `mr.Job`.
        records: What `map` is called with, one after the other: for text each line as str, for csv, jsonl and parquet
            each row or value. To the job the n-th is at offset n of the file `record`.
        params: The parameters by name, as text, as on the command line.
        files: The contents of the side files by name.
        splits: Among how many maps the engine divides the records.
        partitions: Among how many reduces the engine divides the keys.

    Raises:
        DifferentOutputError: The engine gives another outcome.
        MapReduceError: What cannot be run or carried: `ProgramError` for parameters that do not fit,
            `MixedKeyError` for keys of two types, and others of its tree.

    Examples:
        >>> class Words(mr.Job):
        ...     def map(self, line):
        ...         self.counters["lines"] += 1
        ...         return ((word, len(word)) for word in line.split())
        >>> outcome(Words, ["to be", "not"])
        Outcome(pairs=[('to', 2), ('be', 2), ('not', 3)], counters={'lines': 2})
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
