"""Features of frames: jobs with map_batch and reduce_batch."""

from __future__ import annotations

from tests.support.features.case import Case

COUNT = """
import mapreduce as mr
import polars as pl

class Words(mr.Job):
    def map_batch(self, batch):
        return batch.select(pl.col("value").str.split(" ").explode().alias("key"))

    reduce = mr.Count()
"""

PLACES = """
import mapreduce as mr
import polars as pl

class Places(mr.Job):
    def map_batch(self, batch):
        return batch.select(pl.col("value").alias("key"), pl.format("{}:{}", "file", "offset").alias("value"))

    def reduce_batch(self, frame):
        return frame.group_by("key", maintain_order=True).agg(pl.col("value").str.join(" "))
"""

LENGTHS = """
import polars as pl

def map_batch(job, batch):
    job.counters["lines"] += batch.height
    return batch.filter(pl.col("value") != "").select(key="offset", value=pl.col("value").str.len_bytes())
"""

TEXT = {"a.txt": b"to be or\r\nnot to be\n", "b.txt": "\ufeffbe ä".encode()}

CASES = [
    Case(
        feature="batches of words that are counted",
        program=COUNT,
        files=TEXT,
        options={"split-size": "12"},
        output={"output.tsv": "be\t3\nnot\t1\nor\t1\nto\t2\nä\t1\n".encode()},
    ),
    Case(
        feature="batches in map and reduce",
        program=PLACES,
        files={"a.txt": b"y\nx\ny\n", "b.txt": b"x\n"},
        output={"output.tsv": b"x\ta.txt:2 b.txt:0\ny\ta.txt:0 a.txt:4\n"},
    ),
    Case(
        feature="batches without a reduce",
        program=LENGTHS,
        files={"a.txt": b"one\n\nthree\n"},
        output={"output.tsv": b"0\t3\n5\t5\n"},
        counters={"lines": 3},
    ),
]
