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

from collections.abc import Callable, Iterable
from typing import Any

Pairs = Iterable[tuple[Any, Any]] | None


class Job:
    """A program: subclass it and define `map` and `reduce`.

    map:     called once a record (for text: a line as str, without its line end); yields or
             returns pairs (key, value), or returns None.
    combine: optional; called with a key and an iterator of values on the side of the map,
             any number of times, also never; yields pairs with the same key.
    reduce:  called once a key with an iterator of all its values; yields pairs. Or a built-in
             reducer such as `mr.Sum()`, which then also serves as the combiner.
    """

    map: Callable[..., Pairs] | None = None
    combine: Any = None
    reduce: Any = None

    def setup(self) -> None:
        """Prepare an attempt: called once, before the first record or key."""

    def teardown(self) -> None:
        """End an attempt: called once, after the last record or key, if nothing failed."""
