"""Frames of parquet hold the rows of their range in the file's own types, and never much more than their share."""

import datetime
import io

import polars as pl
import pytest

from mapreduce.plan import FileRange, ListedFile, Split, split_files
from mapreduce_worker.engine import batches, cuts, map_task, parquet_footer, parquet_rows, ranges
from mapreduce_worker.engine.batch_window import Window
from mapreduce_worker.engine.failure import InputDamaged
from mapreduce_worker.engine.options import TaskOptions
from tests.support.engine_runs import write_input
from tests.support.parquet_files import parquet, written
from tests.unit.engine.test_batches import in_chunks, whole

OPTIONS = TaskOptions(format="parquet")
ROWS = [(f"name {number}", number) for number in range(120)]


def windows(content, size=batches.WINDOW):
    return list(batches.windows(whole(content), in_chunks(content, 1000), OPTIONS, window=size))


def frame(found):
    return pl.concat([window.frame for window in found])


def test_a_frame_has_the_files_own_types_and_says_where_each_row_is():
    table = pl.DataFrame(
        {
            "day": [datetime.date(2024, 2, 29), None],
            "small": pl.Series([1, 2], dtype=pl.Int16),
            "large": pl.Series([2**63, 2**64 - 1], dtype=pl.UInt64),
            "names": [["a", None], []],
            "kind": pl.Series(["x", "y"], dtype=pl.Categorical),
        }
    )
    (window,) = windows(written(table))
    assert window.frame.select(table.columns).equals(table)
    assert window.frame.select("file", "offset").rows() == [("f", 0), ("f", 1)]
    assert window.span() == "f:0 to f:1"


@pytest.mark.parametrize("size", [1, 300, batches.WINDOW])
def test_frames_hold_the_rows_that_are_read_one_by_one(size):
    content = parquet([*ROWS, (None, 120)], rows=50)
    single = map_task.batches(whole(content), in_chunks(content, 1000), OPTIONS)
    wanted = [(batch.name, batch.offset(at), row) for batch in single for at, row in enumerate(batch.records)]
    found = windows(content, size)
    assert [(row.pop("file"), row.pop("offset"), row) for row in frame(found).to_dicts()] == wanted
    assert sum(window.size for window in found) == sum(
        batch.size for batch in map_task.batches(whole(content), in_chunks(content, 1000), OPTIONS)
    )


def test_no_frame_has_rows_of_two_groups():
    assert [window.frame.height for window in windows(parquet(ROWS, rows=50))] == [50, 50, 20]


def test_every_row_is_in_one_frame_wherever_the_plan_divides_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(cuts, "TAIL_SHARE", 1)
    file = write_input(tmp_path, parquet(ROWS, rows=7, compression="uncompressed", statistics=False))
    splits = list(split_files([file], 500, "parquet", cuts.finder(tmp_path, "parquet", 1, skips=False)))
    assert len(splits) > 1
    found: list[Window] = []
    for split in splits:
        found += batches.windows(split, lambda part, _: ranges.read_range(tmp_path, part), OPTIONS, scratch=tmp_path)
    assert frame(found).select("name", "size").rows() == ROWS
    assert frame(found)["offset"].to_list() == list(range(120))


@pytest.mark.parametrize("value", [7, None, "x", True])
def test_few_bytes_that_stand_for_many_rows_are_read_in_pieces(value):
    """The footer says what the pages take, which is next to nothing where all values are the same."""
    content = written(pl.DataFrame({"a": pl.Series([value] * 200_000)}), rows=200_000)
    assert len(content) < 10_000
    found = windows(content, 1 << 20)
    assert max(window.frame.height for window in found) <= (1 << 20) // 8
    assert sum(window.frame.height for window in found) == 200_000


@pytest.mark.parametrize("text", ["x" * 10_000, b"x" * 10_000])
def test_one_long_text_that_stands_in_many_rows_is_read_in_pieces(text, monkeypatch):
    content = written(pl.DataFrame({"a": [text, None] * 500, "b": range(1000)}), rows=1000)
    assert len(content) < 100_000
    found = windows(content, 1 << 20)
    assert max(window.frame["a"].drop_nulls().len() for window in found) <= (1 << 20) // len(text) + 1
    assert frame(found)["b"].to_list() == list(range(1000))
    monkeypatch.setattr(parquet_rows, "WINDOW", 1 << 20)
    single = list(map_task.batches(whole(content), in_chunks(content, 1000), OPTIONS))
    assert max(len(batch.records) for batch in single) <= 2 * ((1 << 20) // len(text) + 1)
    assert [row["b"] for batch in single for row in batch.records] == list(range(1000))


def test_a_damaged_page_is_told_with_the_place_of_its_group_after_the_rows_before_it():
    content = bytearray(parquet(ROWS, rows=50, compression="zstd"))
    second = parquet_footer.read(io.BytesIO(bytes(content)), "f").groups[1]
    content[second.start : second.start + 30] = b"\xff" * 30
    taken: list[int] = []
    made = batches.windows(whole(bytes(content)), in_chunks(bytes(content), 1000), OPTIONS)
    with pytest.raises(InputDamaged, match="f cannot be read as parquet, at byte") as told:
        taken.extend(window.frame.height for window in made)
    assert (taken, told.value.where) == ([50], f"f:{second.start}")


@pytest.mark.parametrize("content", [parquet(ROWS)[:-20], parquet(ROWS)[:200], b"PAR1"])
def test_a_file_that_is_cut_short_is_told_with_its_name_and_place(content):
    with pytest.raises(InputDamaged, match="cut short") as told:
        windows(content)
    assert told.value.where.startswith("f:")


def test_a_file_that_is_compressed_as_a_whole_is_refused():
    split = Split(0, (FileRange(ListedFile("a.parquet.gz", "a.parquet.gz", 9, ""), 0, 9),))
    with pytest.raises(InputDamaged, match="compressed as a whole"):
        list(batches.windows(split, in_chunks(b"123456789", 9), OPTIONS))
