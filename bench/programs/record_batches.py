"""A job over records `KEY TAB VALUE`, by batches. In a file of its own: the others do not import Polars."""

import polars as pl

import mapreduce as mr


class Sort(mr.Job):
    """The records by their keys, many at a time."""

    def map_batch(self, batch):
        # Two fields at most: what stands behind the second tabulator is of the value.
        fields = pl.col("value").str.splitn("\t", 2).struct
        return batch.select(fields[0].alias("key"), fields[1].alias("value"))

    reduce = mr.Each()
