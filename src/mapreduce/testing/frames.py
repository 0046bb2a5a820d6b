"""Polars frames for the naive reference, which knows no Polars: the worker's distribution makes them.

It registers a function as an entry point, as it does with the engine. Neighbours: `reference`, `comparison`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mapreduce.errors import ProgramError
from mapreduce.testing import entry_points


def make(columns: dict[str, list[Any]]) -> Any:
    """Return a `polars.DataFrame` with these columns, of which each has values of one type; tuples become structs.

    Raises `ProgramError` where nothing is installed that makes frames.
    """
    made = entry_points.load("frames")
    if made is None:
        raise ProgramError(
            "map_batch and reduce_batch take frames of Polars: install mapreduce-worker, which makes them"
        )
    return made(columns)


def rows(frame: Any, method: str, *, keys_only: bool) -> Iterator[tuple[Any, Any]]:
    """Yield the rows of what `method` returned as pairs of key and value, with None as value if keys are all."""
    if frame is None:
        return
    wanted = {"key"} if keys_only else {"key", "value"}
    if type(frame).__name__ != "DataFrame":
        raise TypeError(f"{method} must return a polars.DataFrame or None, not {type(frame).__name__}")
    if set(frame.columns) != wanted:
        raise TypeError(f"{method} must return the columns {sorted(wanted)}, and returned {frame.columns}")
    for row in frame.to_dicts():
        yield _tuple(row["key"]), row.get("value")


def _tuple(key: Any) -> Any:
    """Return a key that was a struct as a tuple."""
    return tuple(map(_tuple, key.values())) if isinstance(key, dict) else key
