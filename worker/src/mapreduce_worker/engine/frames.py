"""Frames for the naive reference, which the contract finds by an entry point: it never imports polars itself.

Neighbours: `mapreduce.testing.reference` (the caller), `key_columns`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from mapreduce_worker.engine import key_columns


def make(columns: Mapping[str, list[Any]]) -> pl.DataFrame:
    """Return a frame with these columns, whose values are of one type each; tuples become structs.

    Raises `UserError` for values that no column holds.
    """
    return pl.DataFrame([key_columns.series_of(name, values) for name, values in columns.items()])
