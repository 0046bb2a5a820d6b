"""Output as parquet: the columns `key` and `value`, in types that all rows of the output share.

A column is of one type where all its values are (None becomes null); else it is text, and each value stands in it as
`jsonl` writes it. The bytes of a file depend on the rows alone: not on the blocks in which they come, nor on the
number of threads. Polars writes, row by row group as the rows are merged, and holds a few groups. Neighbours: `merge`
(the caller, which has the rows), `jsonl`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Final

import msgspec
import polars as pl
from polars.io.plugins import register_io_source

from mapreduce import jsonl, keys, values
from mapreduce.spec import MIB
from mapreduce_worker.engine import part
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.failure import EngineFault

GROUP_ROWS: Final = 122_880
"""Rows in a group, at most."""
GROUP_BYTES: Final = 64 * MIB
"""What a group has of packed rows, about, at most."""
_TYPES: Final[dict[type, Any]] = {str: pl.String, bytes: pl.Binary, bool: pl.Boolean, int: pl.Int64, float: pl.Float64}
_TEXT: Final = "text"

Progress = Callable[[int, int], None]


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

    def add(self, objects: list[Any]) -> None:
        kinds = set(map(type, objects))
        if int in kinds:
            numbers = objects if len(kinds) == 1 else [each for each in objects if type(each) is int]
            if min(numbers) < keys.INT_MIN or max(numbers) > keys.INT_MAX:
                kinds = {object}
        self._kinds |= kinds

    def name(self) -> str:
        kinds = self._kinds - {NoneType}
        if not kinds:
            # Nothing but None: any type will do.
            return str.__name__
        kind = kinds.pop()
        return kind.__name__ if not kinds and kind in _TYPES else _TEXT


def table(parts: Sequence[Path], progress: Progress) -> Table:
    """Return what the rows of all parts have in common; raises `CorruptionError`.

    Every row is looked at once: types are known only at the end. `progress` is called with the rows so far.
    """
    seen = _Seen(), _Seen()
    rows = size = 0
    for path in parts:
        for block in part.read(path):
            for column, objects in zip(seen, _columns(block), strict=True):
                column.add(objects)
            rows += block.count
            size += sum(map(len, block.values))
            progress(rows, 0)
    group = GROUP_ROWS if not size else max(1, min(GROUP_ROWS, GROUP_BYTES * rows // size))
    return Table(seen[0].name(), seen[1].name(), group)


def write(rows: Iterable[Rows], out: Path, shape: Table, progress: Progress) -> int:
    """Write rows into the file `out`, and return their number; raises what comes out of `rows`, and `progress`."""
    kinds = {"key": shape.key, "value": shape.value}
    schema = {name: _dtype(kind) for name, kind in kinds.items()}
    broken: list[BaseException] = []
    count = 0

    def source(*_: object) -> Iterator[pl.DataFrame]:
        nonlocal count
        try:
            for block in rows:
                pairs = zip(kinds.items(), _columns(block), strict=True)
                yield pl.DataFrame([_series(name, kind, objects) for (name, kind), objects in pairs])
                count += block.count
                progress(count, 0)
        except BaseException as error:
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


def _columns(block: Rows) -> tuple[list[Any], list[Any]]:
    found = list(map(values.decode, block.values))
    return [key for key, _ in found], [value for _, value in found]


def _dtype(kind: str) -> Any:
    return next((dtype for known, dtype in _TYPES.items() if known.__name__ == kind), pl.String)


def _series(name: str, kind: str, objects: list[Any]) -> pl.Series:
    if kind == _TEXT:
        objects = [None if each is None else jsonl.field(each).decode() for each in objects]
    return pl.Series(name, objects, dtype=_dtype(kind))
