"""The sorter writes the same rows, however many of them it may hold, and however they are compressed."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce_worker.engine import blocks, folding, map_output
from mapreduce_worker.engine.sorter import Sorter
from tests.support import budget
from tests.support.engine_runs import as_many, rows_of, unblamed

PARTITIONS = 3
ROWS = st.lists(st.tuples(st.sampled_from([b"", b"a", b"ab", b"b"]), st.integers(0, 2), st.integers(-3, 3)), max_size=6)


def add(sorter, rows):
    """Hand rows (key, partition, value) to a sorter."""
    made = blocks.of_objects([key for key, _, _ in rows], [value for _, _, value in rows])
    sorter.add(made, [number for _, number, _ in rows])


@budget.examples(50)
@given(
    st.lists(ROWS, max_size=4), st.sampled_from([1, 1 << 20]), st.sampled_from(["none", "lz4", "zstd"]), st.booleans()
)
def test_rows_come_sorted_by_partition_and_key_then_as_they_were_added(added, memory, codec, many):
    with TemporaryDirectory() as folder, as_many() if many else nullcontext():
        out = Path(folder) / "out"
        sorter = Sorter(out, partitions=PARTITIONS, memory=memory, codec=codec)
        for rows in added:
            add(sorter, rows)
        index = sorter.finish("bytes", "f:0")
        sorter.close()
        assert list(Path(folder).iterdir()) == [out]
        found = rows_of(out)
    flat = [row for rows in added for row in rows]
    expected = [
        sorted(((key, value) for key, number, value in flat if number == wanted), key=lambda row: row[0])
        for wanted in range(PARTITIONS)
    ]
    assert found == expected
    assert index.rows == len(flat)


@pytest.mark.parametrize(
    ("codec", "limit", "compressed"), [("lz4", 1 << 20, False), ("lz4", 1000, True), ("zstd", 1 << 20, True)]
)
def test_an_output_of_few_bytes_is_not_compressed_by_what_is_chosen_for_speed(
    codec, limit, compressed, tmp_path, monkeypatch
):
    monkeypatch.setattr("mapreduce_worker.engine.sorter.SMALL", limit)
    made = Sorter(tmp_path / "out", partitions=PARTITIONS, memory=1 << 20, codec=codec)
    add(made, [(f"{number:09}".encode(), number % PARTITIONS, 7) for number in range(3000)])
    index = made.finish("bytes", "f:0")
    # A row is nine bytes, a number of eight, and a place of eight.
    assert all((segment.length < 15 * 1000) == compressed for segment in index.segments)


@pytest.mark.parametrize("memory", [1, 1 << 20])
def test_rows_that_fold_are_folded_wherever_they_meet(memory, tmp_path):
    fold = partial(folding.folded, reducer=mr.Sum(), blame=unblamed)
    sorter = Sorter(tmp_path / "out", partitions=PARTITIONS, memory=memory, fold=fold)
    add(sorter, [(b"a", 0, 1), (b"b", 0, 2)])
    add(sorter, [(b"c", 1, 3), (b"a", 0, 2**63 - 1)])
    sorter.finish("bytes", "f:0")
    assert rows_of(tmp_path / "out") == [[(b"a", 2**63), (b"b", 2)], [(b"c", 3)], []]


def test_what_is_flushed_is_combined_and_combined_again_where_it_meets(tmp_path):
    calls = []

    def combine(rows):
        found = [row for block in rows for row in zip(block.keys, block.unpacked(), strict=True)]
        calls.append(len(found))
        return iter([blocks.of_objects([key for key, _ in found[:1]], [sum(value for _, value in found)])])

    sorter = Sorter(tmp_path / "out", partitions=1, memory=1, combine=combine)
    for _ in range(2):
        add(sorter, [(b"a", 0, 1), (b"a", 0, 2)])
        add(sorter, [(b"a", 0, 3)])
        sorter.flush()
    index = sorter.finish("bytes", "f:0")
    sorter.close()
    assert rows_of(tmp_path / "out") == [[(b"a", 12)]]
    assert calls == [3, 3, 2]
    assert [segment.rows for segment in map_output.segments_of(tmp_path / "out", index)] == [1]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
