"""Output as parquet: the columns `key` and `value`, in types that all rows of the output share.

A column is of one type where all its values are (None becomes null); else it is text, and each value stands in it as
`jsonl` writes it. The bytes of a file depend on the rows alone: not on the blocks in which they come, nor on the
number of threads. Polars writes, one group of rows after the other as they are merged, and holds a few groups.
Neighbours: `merge` (the caller), `render` (rows of parts as pairs; the same for text), `jsonl`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Final

import msgspec
import polars as pl
from polars.io.plugins import register_io_source

from mapreduce import jsonl, keys, values
from mapreduce.spec import MIB
from mapreduce_worker.engine.failure import EngineFault

GROUP_ROWS: Final = 122_880
"""Rows in a group, at most."""
GROUP_BYTES: Final = 16 * MIB
"""What a group has of keys and values, about, at most."""
_FIELD: Final = 8
"""What a number counts, and any field besides its text."""
_TYPES: Final[dict[type, Any]] = {str: pl.String, bytes: pl.Binary, bool: pl.Boolean, int: pl.Int64, float: pl.Float64}
_TEXT: Final = "text"

Pairs = Iterable[list[tuple[Any, Any]]]
"""Keys and values of rows, many at a time."""
_NUMBERS: Final = frozenset({int, float, bool, NoneType})
Progress = Callable[[int, int], None]
"""As in `merge`."""


class Table(msgspec.Struct, frozen=True):
    """What all files of an output have in common: the types of the columns, by their names in Python or `text` for
    text of JSON, and the rows of a group."""

    key: str
    value: str
    group: int


class _Seen:
    """The types of a column's values so far."""

    def __init__(self) -> None:
        self._kinds: set[type] = set()
        self.size = 0

    def add(self, objects: list[Any]) -> None:
        kinds = set(map(type, objects))
        if int in kinds:
            numbers = objects if len(kinds) == 1 else [each for each in objects if type(each) is int]
            if min(numbers) < keys.INT_MIN or max(numbers) > keys.INT_MAX:
                kinds = {object}
        self._kinds |= kinds
        self.size += _FIELD * len(objects) + _text_of(objects, kinds)

    def name(self) -> str:
        kinds = self._kinds - {NoneType}
        if not kinds:
            # Nothing but None: any type will do.
            return str.__name__
        kind = kinds.pop()
        return kind.__name__ if not kinds and kind in _TYPES else _TEXT


def table(pairs: Pairs, progress: Progress) -> Table:
    """Return what rows have in common, in whatever order they come; `progress` is called with their number so far.

    Every row is looked at: types are known only at the end.
    """
    keys_, values_ = _Seen(), _Seen()
    rows = 0
    for some in pairs:
        keys_.add([key for key, _ in some])
        values_.add([value for _, value in some])
        rows += len(some)
        progress(rows, 0)
    size = keys_.size + values_.size
    group = max(1, min(GROUP_ROWS, GROUP_BYTES * rows // size)) if rows else GROUP_ROWS
    return Table(keys_.name(), values_.name(), group)


def _text_of(objects: list[Any], kinds: set[type]) -> int:
    """Return the length of all texts among values, and of what holds others."""
    if kinds <= _NUMBERS:
        return 0
    if kinds in ({str}, {bytes}):
        return sum(map(len, objects))
    return sum(
        len(each) if type(each) in (str, bytes) else 0 if type(each) in _NUMBERS else len(values.encode_plain(each))
        for each in objects
    )


def write(pairs: Pairs, out: Path, shape: Table, progress: Progress) -> int:
    """Write rows into the file `out`, and return their number; raises what comes out of `pairs`, and `progress`."""
    schema = {"key": _dtype(shape.key), "value": _dtype(shape.value)}
    broken: list[BaseException] = []
    count = 0

    def source(*_: object) -> Iterator[pl.DataFrame]:
        nonlocal count
        try:
            for some in pairs:
                yield pl.DataFrame(
                    [
                        _series("key", shape.key, [key for key, _ in some]),
                        _series("value", shape.value, [value for _, value in some]),
                    ]
                )
                count += len(some)
                progress(count, 0)
        except BaseException as error:  # interrupted too: it is told after Polars gave up
            # Polars tells of it in its own words.
            broken.append(error)
            raise

    try:
        register_io_source(source, schema=schema).sink_parquet(
            out, compression="zstd", statistics=True, row_group_size=shape.group, maintain_order=True
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        if broken and not isinstance(broken[0], GeneratorExit):
            raise broken[0] from None
        if isinstance(error, OSError):
            raise
        raise EngineFault(f"parquet could not be written: {error}") from error
    return count


def _dtype(kind: str) -> Any:
    return next((dtype for known, dtype in _TYPES.items() if known.__name__ == kind), pl.String)


def _series(name: str, kind: str, objects: list[Any]) -> pl.Series:
    if kind == _TEXT:
        objects = [None if each is None else jsonl.field(each).decode() for each in objects]
    return pl.Series(name, objects, dtype=_dtype(kind))
