"""Features of frames: jobs with map_batch and reduce_batch."""

from __future__ import annotations

import datetime

from tests.support.features.case import Case
from tests.support.parquet_files import parquet

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

TABLE = """
import mapreduce as mr
import polars as pl

class Table(mr.Job):
    def map_batch(self, batch):
        self.counters["rows"] += batch.height
        return batch.select(key=pl.col("name"), value=pl.col("size").cast(pl.Int64) * 10)

    reduce = mr.Sum()
"""

DAYS = """
import polars as pl

def map_batch(batch):
    place = pl.format("{}:{}", "file", "offset")
    return batch.select(key=place, value=pl.col("name").fill_null("-") + pl.col("size").dt.year().cast(pl.String))
"""

TEXT = {"a.txt": b"to be or\r\nnot to be\n", "b.txt": "\ufeffbe ä".encode()}

_SHORT = rb"""{"file":"c.csv","offset":10,"reason":"RecordMalformed","message":"the row at offset 10 of c.csv has 1 field, but the first line of the file names 2 columns","record":"x"}
"""  # noqa: E501 - a line of the file

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
    Case(
        feature="batches of csv",
        program=TABLE,
        files={
            "a.csv": b'name,size\r\nx,1\r\n"y, or ""why""\nnot",2\r\n\r\nx,3\r\n',
            "b.csv": b"size,name\n4,z",
            "c.csv": b"name,size\nx\nx,5\n",
        },
        options={"format": "csv", "skip-bad-records": "1", "split-size": "40"},
        output={"output.tsv": b'x\t90\ny, or "why"\\nnot\t20\nz\t40\n'},
        counters={"rows": 5},
        bad_records=_SHORT,
    ),
    Case(
        feature="batches of parquet",
        program=DAYS,
        files={
            "a.parquet": parquet([("x", datetime.date(2024, 1, 1)), (None, datetime.date(2025, 1, 1))], rows=1),
            "b.parquet": parquet([("y", datetime.date(2023, 1, 1))]),
        },
        options={"format": "parquet"},
        output={"output.tsv": b"a.parquet:0\tx2024\na.parquet:1\t-2025\nb.parquet:0\ty2023\n"},
    ),
]
