"""What is told of a parquet file that cannot be read, or of a value in it."""

import io
from decimal import Decimal

import polars as pl
import pytest

from mapreduce_worker.engine import batches, failure, map_task, ranges
from mapreduce_worker.engine.failure import InputDamaged
from mapreduce_worker.engine.options import TaskOptions
from tests.support.engine_runs import one_split, write_input
from tests.support.parquet_files import written

PARQUET = TaskOptions(format="parquet")
READERS = {"batches": batches.windows, "records": map_task.batches}
reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


def rows_of(folder, content, read):
    file = write_input(folder, content, "f.parquet")
    return list(read(one_split(file), lambda part, _: ranges.read_range(folder, part), PARQUET))


def far_dates(rows, bad, dtype, inner=lambda series: series):
    """Return a file in which one row's time is beyond the years that Polars knows."""
    days = pl.Series("when", [2**31 - 1 if row == bad else row for row in range(rows)], dtype=pl.Int32)
    times = days.cast(pl.Date) if dtype == pl.Date else (days.cast(pl.Int64) * 2**31).cast(dtype)
    return written(pl.DataFrame([pl.Series("n", range(rows)), inner(times.rename("when"))]), rows=400)


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("ms")])
@pytest.mark.parametrize("bad", [0, 399, 400, 733, 999])
def test_a_time_beyond_the_years_that_have_text_is_told_with_its_row_and_column(tmp_path, dtype, bad):
    content = far_dates(1000, bad, dtype)
    with pytest.raises(InputDamaged, match=f"^row {bad} of f.parquet has a value in the column 'when', of the") as told:
        rows_of(tmp_path, content, map_task.batches)
    assert told.value.where == f"f.parquet:{bad}"
    assert str(dtype) in str(told.value)
    assert "map_batch" in str(told.value)


def test_it_is_found_inside_of_lists_too(tmp_path):
    content = far_dates(10, 7, pl.Date, lambda series: pl.DataFrame([series]).select(pl.concat_list("when"))["when"])
    with pytest.raises(InputDamaged, match=r"^row 7 of f.parquet has a value in the column 'when', of the type List"):
        rows_of(tmp_path, content, map_task.batches)


def test_a_batch_gets_it_as_it_is(tmp_path):
    (window,) = rows_of(tmp_path, far_dates(10, 7, pl.Date), batches.windows)
    assert window.frame["when"].cast(pl.Int32).to_list() == [*range(7), 2**31 - 1, 8, 9]


@reader
def test_a_page_at_which_polars_panics_is_damage_with_the_byte_of_its_group(tmp_path, read):
    content = bytearray(written(pl.DataFrame({"n": [f"k{row % 3}" for row in range(20)]}), compression="uncompressed"))
    # In the header of the dictionary's page: less than the page holds.
    content[40] ^= 4
    with pytest.raises(pl.exceptions.PanicException):
        pl.read_parquet(io.BytesIO(bytes(content)))
    with pytest.raises(InputDamaged, match=r"at byte 4: .*it is damaged") as told:
        rows_of(tmp_path, bytes(content), read)
    assert told.value.where == "f.parquet:4"
    assert failure.describe(told.value).reason == "InputDamaged"


@reader
def test_rows_without_a_column_are_told_as_such(tmp_path, read):
    with pytest.raises(InputDamaged, match="a group has 3 rows, and no column"):
        rows_of(tmp_path, written(pl.DataFrame(height=3)), read)


@reader
def test_a_type_that_polars_does_not_know_is_told_as_such_and_not_only_as_damage(tmp_path, read):
    number = pl.Series("d", [Decimal(1)], dtype=pl.Decimal(38, 0))
    content = written(number.to_frame(), compression="uncompressed", statistics=False)
    # More digits than Polars has, in both places where the footer tells them: 48 in place of 38.
    body, footer = content[:74], content[74:]
    assert footer.count(b"\x4c") == 2
    with pytest.raises(InputDamaged, match=r"the columns of f.parquet .*precision 48.* does not know") as told:
        rows_of(tmp_path, body + footer.replace(b"\x4c", b"\x60"), read)
    assert told.value.where == "f.parquet:0"
