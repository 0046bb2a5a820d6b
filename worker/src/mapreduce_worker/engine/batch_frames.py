"""What user code returns where a frame is wanted: looked at, and told about in words that help.

Neighbours: `batch_map`, `batch_reduce` (the callers), `key_columns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from mapreduce.errors import UnsupportedKeyError, UserError


def checked(found: Any, method: str, columns: Sequence[str]) -> pl.DataFrame | None:
    """Return a frame with exactly these columns, or None where `method` returned None or no row.

    Raises `UserError` for what is no such frame, and `UnsupportedKeyError` for keys that are none.
    """
    if found is None:
        return None
    if isinstance(found, pl.LazyFrame):
        raise UserError(f"{method} returned a LazyFrame: end it with .collect()")
    if not isinstance(found, pl.DataFrame):
        raise UserError(f"{method} must return a polars.DataFrame or None, not {type(found).__name__}: {found!r:.80}")
    if set(found.columns) != set(columns):
        raise UserError(_other_columns(found.columns, method, columns))
    if not found.height:
        return None
    _check_keys(found["key"], method)
    return found.select(columns)


def _other_columns(names: Sequence[str], method: str, columns: Sequence[str]) -> str:
    wanted, has = " and ".join(columns), ", ".join(names) or "none"
    text = f"{method} must return a frame with the column{'s' * (len(columns) > 1)} {wanted}; it has {has}"
    if len(columns) == 1 and set(columns) < set(names):
        return f"{text}: mr.Count() counts rows, and takes keys alone"
    if set(columns) < set(names):
        return f"{text}: end it with .select({', '.join(map(repr, columns))})"
    return f"{text}: name columns with .alias(…), or rename(…)"


def _check_keys(series: pl.Series, method: str) -> None:
    kind = series.dtype
    known = kind in (pl.String, pl.Binary, pl.Boolean, pl.Struct, pl.Categorical, pl.Enum)
    if not (known or kind.is_integer() or kind.is_float() or kind == pl.Null):
        raise UnsupportedKeyError(
            f"the column key that {method} returned has the type {kind}: a key is text, bytes, a boolean, a number or "
            "a struct of these; cast it, for example with pl.col('key').cast(pl.String)"
        )
    if nulls := series.null_count():
        row = series.is_null().arg_max()
        raise UnsupportedKeyError(
            f"the column key that {method} returned has {nulls} null{'s' * (nulls > 1)}, the first in row {row}: "
            "leave them out with .drop_nulls('key'), or fill them"
        )
