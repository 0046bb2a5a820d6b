"""What a user subclasses.

    import mapreduce as mr

    class WordCount(mr.Job):
        def map(self, line):
            for word in line.split():
                yield word, 1

        reduce = mr.Sum()

The engine makes a fresh instance for every attempt, calls `setup` first and `teardown` last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from mapreduce.counters import Counters
from mapreduce.errors import UserError
from mapreduce.params import bind

Pairs = Iterable[tuple[Any, Any]] | None
Place = Callable[[], tuple[str, Callable[[], int]] | None]
"""Tells the file of the current record, and finds its offset if that is asked for; None where there is no record."""


class NoRecordError(UserError, AttributeError):
    """`self.input` was asked for where no record is being mapped."""


class NoSuchFileError(UserError):
    """`self.file` was asked for a file that was not given with the program."""


class Input:
    """Where the record that is being mapped comes from."""

    __slots__ = ("_place",)

    def __init__(self, place: Place) -> None:
        """Take the function that finds the place, when it is asked for."""
        self._place = place

    @property
    def file(self) -> str:
        """The file's name as str, relative to the part of its pattern before the first wildcard."""
        return self._now("file")[0]

    @property
    def offset(self) -> int:
        """The byte at which the record begins in its file; if that is compressed, in what it holds.

        Of parquet the number of the row in its file, from 0.
        """
        return self._now("offset")[1]()

    def _now(self, name: str) -> tuple[str, Callable[[], int]]:
        place = self._place()
        if place is None:
            raise NoRecordError(f"self.input.{name} is known while map runs on a record, and nowhere else")
        return place


class Job:
    """A program: subclass it and define `map` or `map_batch`, and a reduce unless the map does everything.

    Every attempt has an instance to itself: `setup` is called first, then `map` once a record or `reduce` once a
    key, `teardown` last. What an instance keeps from call to call must not change its output.

    Keys of a job that reduces are all of one type: str, bytes, bool, int of 64 bits, float, or a tuple of these.
    Values are None, bool, int, float, str, bytes, dates and times, or lists, tuples, sets and dictionaries of such. A
    tuple or a set comes back as a list, a date or time as ISO text.

    Where a frame is given or wanted it is a `polars.DataFrame`, which this package itself never imports.

    Attributes:
        map: Called once a record, `map(self, record)`; for text with a line as str, without its line end. Yields or
            returns pairs (key, value), or returns None. With `reduce = mr.Count()` it yields or returns keys.
        map_batch: In place of `map`, for text, csv and parquet. Called with a Polars frame of the records that begin
            in 16 MiB of a split, or of a group of rows of a parquet file. Columns of text: `value` (String, a
            line without its end; Binary where lines are read as bytes); of csv those that the first line names
            (String); of parquet those of the file, in its types. Beside them `file` (String) and `offset`
            (Int64, as `self.input.offset`), unless columns of the input are called so. Returns a frame with the
            columns `key` and `value`, or None. With `reduce = mr.Count()` it returns the column `key` alone.
        combine: Optional. Called with a key and an iterator of values on the side of the map, any number of times,
            also never; yields pairs with the same key. Or `mr.Sum()` (of integers), `mr.Min()`, `mr.Max()` or
            `mr.First()`, beside a `reduce` that is a method.
        partition: Optional. Called with a key and the number n of partitions; returns which of 0 to n - 1 the key
            belongs to. It must depend on these two alone.
        reduce: Called once a key with an iterator of all its values, which can be gone through once; yields pairs.
            Or a built-in reducer such as `mr.Sum()`, which then also serves as the combiner. Without it the job
            is map-only: what `map` yields is the output, in the order of the input.
        reduce_batch: In place of `reduce`. Called with a Polars frame of the columns `key` and `value`, all values
            of each of its keys, in the order of the keys, as many keys as 16 MiB hold, at least one; returns a
            frame with the same columns, or None. It must keep the keys, and each one's rows may depend on that
            key's values alone. Values are of one type: int of 64 bits, float, str, bytes or bool; or None.
        sort_values: True lets the values of a key come in their order: by value, not as they were yielded;
            "descending" the largest first. They are all of one type then, one that a key could have.
        descending: True lets the keys come in descending order: the largest is reduced, and written, first.
        Params: Optional. A class with the names, types and defaults of the parameters; see `params`.

    Examples:
        >>> class Longest(mr.Job):
        ...     def map(self, line):
        ...         for word in line.split():
        ...             yield word[0], word
        ...
        ...     def reduce(self, letter, words):
        ...         yield letter, max(words, key=len)
        >>> run(Longest, ["a bee", "an ant", "a bumblebee"])
        [('a', 'ant'), ('b', 'bumblebee')]
    """

    map: Callable[..., Any] | None = None
    map_batch: Callable[..., Any] | None = None
    combine: Any = None
    partition: Callable[..., int] | None = None
    reduce: Any = None
    reduce_batch: Callable[..., Any] | None = None
    sort_values: bool | Literal["descending"] = False
    descending: bool = False
    Params: Any = None

    def setup(self) -> None:
        """Prepare an attempt: called once, before the first record or key. What it raises fails the attempt."""

    def teardown(self) -> None:
        """End an attempt: called once, after the last record or key, if nothing failed."""

    # Attributes of an instance win over these: the engine sets them before `__init__` runs. Without
    # an engine, as in a user's own unit test, they are as good as they can be.

    @cached_property
    def params(self) -> Any:
        """The parameters: an instance of the class `Params`, or a read-only mapping of text if there is none.

        A parameter that is missing, unknown or of another type is refused with `ProgramError` before the job begins.

        Examples:
            >>> class Long(mr.Job):
            ...     class Params:
            ...         least: int = 5
            ...
            ...     def map(self, line):
            ...         return [word for word in line.split() if len(word) >= self.params.least]
            ...
            ...     reduce = mr.Count()
            >>> run(Long, ["some longer words"], params={"least": "6"})
            [('longer', 1)]
        """
        return bind(self.Params, {})

    @cached_property
    def counters(self) -> Counters:
        """What this attempt counts: `self.counters["skipped"] += 1`, from 0.

        A job has at most 50 names, of 1 to 100 characters, and sums of 64 bits; another raises `CounterError`.
        `combine` and `partition` must not count.
        """
        return Counters()

    @cached_property
    def input(self) -> Input:
        """Where the current record comes from: `self.input.file` and `self.input.offset`.

        Both are known while `map` runs on a record; elsewhere they raise `NoRecordError`.
        """
        return Input(_nowhere)

    def file(self, name: str) -> Path:
        """Return where a side file is that was given with the program.

        Args:
            name: The file's name, as given with `--files`, as a key of the program's ConfigMap, or to `run`.

        Raises:
            NoSuchFileError: No file of that name was given; the message names those that were.

        Examples:
            >>> class Known(mr.Job):
            ...     def setup(self):
            ...         self.known = set(self.file("names.txt").read_text().split())
            ...
            ...     def map(self, name):
            ...         if name in self.known:
            ...             yield name, 1
            >>> run(Known, ["ann", "bob"], files={"names.txt": "ann"})
            [('ann', 1)]
        """
        files: Mapping[str, str] = self.__dict__.get("_files", {})
        if name not in files:
            others = f"; there are {', '.join(sorted(files))}" if files else ""
            raise NoSuchFileError(
                f"there is no side file {name!r}{others}: give it with --files, as a key of the program's ConfigMap, "
                "or to mapreduce.testing.run"
            )
        return Path(files[name])

    def progress(self) -> None:
        """Say that this attempt is alive, from within work on one record or key that takes minutes.

        A task that is silent for `taskTimeoutSeconds` (600) is ended, charged an attempt, and tried again.
        """
        tell: Callable[[], None] | None = self.__dict__.get("_progress")
        if tell is not None:
            tell()


JobT = TypeVar("JobT", bound=Job)


def make(
    job_class: type[JobT],
    *,
    params: Mapping[str, str],
    counters: Counters,
    place: Place,
    files: Mapping[str, str],
    progress: Callable[[], None],
) -> JobT:
    """Return a fresh job that has all that user code may ask for, in its constructor already.

    `files` are the paths of the side files by name. Raises `ProgramError` for parameters that do
    not fit, and whatever the job's constructor raises.
    """
    job = job_class.__new__(job_class)
    vars(job).update(
        params=bind(job_class.Params, params),
        counters=counters,
        input=Input(place),
        _files=dict(files),
        _progress=progress,
    )
    job_class.__init__(job)
    return job


def _nowhere() -> None:
    """Tell where the current record is: there is none."""
