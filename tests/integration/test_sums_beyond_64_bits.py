"""Integers that no column of 64 bits holds are added exactly, by records and by batches, in both local modes."""

from pathlib import Path

import pytest

from tests.support.local_runs import succeeded, write_program

MODES = pytest.mark.parametrize("mode", [("--workers", "1"), ("--sequential",)], ids=["local", "sequential"])
SOURCES = {
    "records": """
import mapreduce as mr

class Total(mr.Job):
    def map(self, line):
        yield "all", int(line)

    reduce = mr.Sum()
""",
    "batches": """
import mapreduce as mr
import polars as pl

class Total(mr.Job):
    def map_batch(self, batch):
        return batch.select(key=pl.lit("all"), value=pl.col("value").cast(pl.Int64))

    reduce = mr.Sum()
""",
}


@MODES
@pytest.mark.parametrize("kind", SOURCES)
def test_an_integer_sum_beyond_64_bits_is_exact(tmp_path: Path, mode: tuple[str, ...], kind: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"9223372036854775807\n" * 5)
    (tmp_path / "b.txt").write_bytes(b"-9223372036854775808\n9223372036854775807\n")
    job = write_program(tmp_path, SOURCES[kind])
    # A map for each line: their sums meet in the reduce, too large for 64 bits from the second on.
    succeeded(tmp_path, job, "a.txt", "b.txt", "--output", "out", "--split-size", "20", *mode)
    expected = b"all\t%d\n" % (6 * (2**63 - 1) - 2**63)
    assert (tmp_path / "out" / "output.tsv").read_bytes() == expected
