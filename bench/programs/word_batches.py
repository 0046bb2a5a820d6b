"""Word count by batches, as a user would write it. In a file of its own: the others do not import Polars."""

import polars as pl

import mapreduce as mr


class Batches(mr.Job):
    """Takes many lines at a time and returns their words, as a column."""

    def map_batch(self, batch):
        return batch.select(pl.col("value").str.split(" ").alias("key")).explode("key")

    reduce = mr.Count()
