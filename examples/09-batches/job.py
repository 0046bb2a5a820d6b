"""Turnover of each city, from tables in CSV: whole columns at once, by Polars."""

import polars as pl

import mapreduce as mr


class Turnover(mr.Job):
    """Returns a row (city, quantity * price) for each order."""

    def map_batch(self, batch):
        value = pl.col("quantity").cast(pl.Int64) * pl.col("price").cast(pl.Float64)
        return batch.select(key="city", value=value)

    reduce = mr.Sum()
