"""Small parquet files for tests."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import polars as pl


def parquet(table: Sequence[tuple[str | None, Any]], **options: Any) -> bytes:
    """Return a file with the columns `name` and `size`; `options` are those of `written`."""
    names = pl.Series("name", [name for name, _ in table], dtype=pl.String)
    return written(pl.DataFrame([names, pl.Series("size", [size for _, size in table])]), **options)


def written(frame: pl.DataFrame, *, rows: int = 1000, **options: Any) -> bytes:
    """Return a frame as a file, with so many rows in a group."""
    out = io.BytesIO()
    frame.write_parquet(out, row_group_size=rows, **options)
    return out.getvalue()
