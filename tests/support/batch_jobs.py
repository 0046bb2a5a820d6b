"""Jobs with map_batch and reduce_batch for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

import mapreduce as mr

WORDS = pl.col("value").str.split(" ").explode()


def mapping(make: Callable[[pl.DataFrame], Any], **members: Any) -> type[mr.Job]:
    """Return a job whose map_batch returns what `make` makes of a frame."""

    def map_batch(self: mr.Job, batch: pl.DataFrame) -> Any:
        return make(batch)

    return type("Mapping", (mr.Job,), {"map_batch": map_batch, **members})


def words(batch: pl.DataFrame) -> pl.DataFrame:
    """Return every word with a one."""
    return batch.select(WORDS.alias("key"), pl.lit(1).alias("value"))


def word_keys(batch: pl.DataFrame) -> pl.DataFrame:
    """Return every word."""
    return batch.select(WORDS.alias("key"))


def lines(batch: pl.DataFrame) -> pl.DataFrame:
    """Return every line under its first character, with where it begins."""
    return batch.select(pl.col("value").str.slice(0, 1).alias("key"), pl.col("offset").alias("value"))


def add_up(self: mr.Job, frame: pl.DataFrame) -> pl.DataFrame:
    """Reduce a frame to the sum of each key."""
    return frame.group_by("key").agg(pl.col("value").sum())
