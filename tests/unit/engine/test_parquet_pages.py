"""Pages of a parquet file that cannot be what their headers say: told with their byte, before Polars reads them."""

import io

import polars as pl
import pytest

from mapreduce_worker.engine import map_task, parquet_footer, parquet_pages, ranges
from mapreduce_worker.engine.failure import InputDamaged
from mapreduce_worker.engine.options import TaskOptions
from tests.support.engine_runs import one_split, write_input
from tests.support.parquet_files import OF_ARROW_WITH_CHECKSUMS, written

PARQUET = TaskOptions(format="parquet")
VERSIONS = pytest.mark.parametrize("version", OF_ARROW_WITH_CHECKSUMS)
ROWS = [{"b": 1}, {"b": None}, {"b": 3}]
WORDS = pl.DataFrame({"word": [f"k{row % 3}" for row in range(40)]})


def rows_of(folder, content):
    split = one_split(write_input(folder, content, "f.parquet"))
    found = map_task.batches(split, lambda part, _: ranges.read_range(folder, part), PARQUET)
    return [record for batch in found for record in batch.records]


def group_of(content):
    return parquet_footer.read(io.BytesIO(content), "f", within=range(len(content))).groups[0]


def flipped(content, bit):
    made = bytearray(content)
    made[bit // 8] ^= 1 << bit % 8
    return bytes(made)


@VERSIONS
def test_pages_with_a_checksum_are_read(tmp_path, version):
    assert rows_of(tmp_path, OF_ARROW_WITH_CHECKSUMS[version]) == ROWS


@VERSIONS
def test_a_flipped_bit_in_a_page_with_a_checksum_is_told_with_the_byte_of_the_page(tmp_path, version):
    content = OF_ARROW_WITH_CHECKSUMS[version]
    last = group_of(content).end - 1
    with pytest.raises(InputDamaged, match="at byte 4: a page does not have the checksum") as told:
        rows_of(tmp_path, flipped(content, 8 * last))
    assert told.value.where == "f.parquet:4"


@VERSIONS
def test_no_flipped_bit_in_a_group_of_rows_with_checksums_ends_the_process_or_changes_a_row(tmp_path, version):
    content = OF_ARROW_WITH_CHECKSUMS[version]
    told = 0
    for bit in range(8 * 4, 8 * group_of(content).end):
        try:
            assert rows_of(tmp_path, flipped(content, bit)) == ROWS
        except InputDamaged:
            told += 1
    assert told > 300


@pytest.mark.parametrize("compression", ["uncompressed", "snappy", "zstd"])
def test_a_page_of_more_values_than_its_column_has_is_told_before_memory_is_taken_for_them(tmp_path, compression):
    content = written(WORDS, compression=compression)
    column = group_of(content).columns[0]
    # The header says: values, of 16 bits and more; then the encoding of them. Where the first is 40, it is in one byte.
    at = content.index(b"\x15\x50\x15", column.start, column.end) + 1
    with pytest.raises(InputDamaged, match="the header of a page cannot be") as told:
        rows_of(tmp_path, flipped(content, 8 * at + 7))
    assert "it is damaged" in str(told.value)


@pytest.mark.parametrize("at", ["values", "size"])
def test_a_footer_that_says_other_than_the_pages_is_told(at):
    content = written(WORDS)
    group = group_of(content)
    column = group.columns[0]
    lied = {
        "values": parquet_footer.Column(column.start, column.end, column.values + 1, column.size),
        "size": parquet_footer.Column(column.start, column.end, column.values, 10),
    }
    with pytest.raises(InputDamaged, match="the header of a page cannot be"):
        parquet_pages.check(
            io.BytesIO(content), "f", parquet_footer.RowGroup(group.start, group.end, 40, group.size, (lied[at],))
        )
    parquet_pages.check(io.BytesIO(content), "f", group)


def test_columns_are_told_of_the_groups_that_are_read():
    content = written(WORDS, rows=10)
    groups = parquet_footer.read(io.BytesIO(content), "f").groups
    second = groups[1].start
    found = parquet_footer.read(io.BytesIO(content), "f", within=range(second, second + 1)).groups
    assert [len(group.columns) for group in found] == [0, 1, 0, 0]


def test_a_header_that_is_longer_than_usual_is_read(tmp_path):
    frame = pl.DataFrame({"word": [f"{row}" + "x" * 3000 for row in range(20)]})
    assert rows_of(tmp_path, written(frame, statistics="full")) == frame.to_dicts()
