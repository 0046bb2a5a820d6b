"""`mr.Collect()` packs the values of a key block by block; the output is that of the reference."""

import pytest

import mapreduce as mr
from mapreduce import values
from mapreduce.testing import reference
from mapreduce_worker.engine import blocks, list_heads, merge
from mapreduce_worker.engine.failure import UserTaskError
from tests.support.engine_runs import canonical, reduce_segments, run_pairs, write_segment


def gather(**members):
    return type("Gather", (mr.Job,), {"map": lambda self, record: record, "reduce": mr.Collect(), **members})


@pytest.fixture(params=[1, 3, 1000], ids="blocks of {} rows".format)
def rows_in_a_block(request, monkeypatch):
    monkeypatch.setattr(blocks, "MAX_ROWS", request.param)
    return request.param


@pytest.mark.parametrize("count", [1, 15, 16, 17, 200, 70_000])
def test_a_list_of_any_length_comes_out_as_it_went_in(tmp_path, count):
    segment = write_segment(tmp_path / "m", [(b"a", "first"), *((b"k", number) for number in range(count)), (b"z", 0)])
    reduce_segments(gather(), [segment], tmp_path)
    assert list(merge.pairs([tmp_path / "part.out"])) == [(b"a", ["first"]), (b"k", list(range(count))), (b"z", [0])]


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize(
    "values",
    [["x", "", "é", "longer than what a view holds"], [1, -1, 2**63 - 1], [1, 2.5, "x", None], [2**70, 0], [[1, (2,)]]],
)
def test_values_of_any_types_are_those_of_the_reference(rows_in_a_block, values, frames):
    given = [[(f"k{number % 4}", value)] for number, value in enumerate(values * 11)]
    expected = canonical(reference.run(gather(), given).pairs)
    assert canonical(run_pairs(gather(), given, frames=frames, splits=3)) == expected


@pytest.mark.parametrize("by", [True, "descending"])
def test_sorted_values_are_collected_in_their_order(rows_in_a_block, by):
    given = [[(number % 3, (number * 7) % 11)] for number in range(40)]
    job = gather(sort_values=by)
    assert run_pairs(job, given, splits=3) == reference.run(job, given).pairs


def test_a_value_that_cannot_be_written_is_told_with_its_key(tmp_path):
    alike = {1: "as text", "1": "the same"}
    segment = write_segment(tmp_path / "m", [(b"a", 1), (b"b", 2), (b"b", alike), (b"c", 3)])
    with pytest.raises(UserTaskError, match="cannot be written as text") as told:
        reduce_segments(gather(), [segment], tmp_path)
    assert told.value.where == "key b'b', partition 3"


def test_more_than_a_row_may_have_is_told_with_its_key_as_soon_as_it_is_there(tmp_path, monkeypatch):
    alike = {1: "as text", "1": "the same"}
    rows = [(b"a", "x"), *[(b"k", "x" * 99)] * 10, (b"k", alike), (b"l", "x")]
    monkeypatch.setattr(blocks, "MAX_ROWS", 1)
    segment = write_segment(tmp_path / "m", rows)
    monkeypatch.setattr(blocks, "MAX_RAW", 1000)
    with pytest.raises(UserTaskError, match="a key and the list of its values take more than 1000 bytes") as told:
        reduce_segments(gather(), [segment], tmp_path)
    assert told.value.where == "key b'k', partition 3"


@pytest.mark.parametrize(("most", "fits"), [(1016, True), (1015, False)])
def test_what_a_row_may_have_is_the_same_however_values_come(tmp_path, monkeypatch, rows_in_a_block, most, fits):
    segment = write_segment(tmp_path / "m", [(b"k", "x" * 99)] * 10)
    monkeypatch.setattr(blocks, "MAX_RAW", most)
    if fits:
        reduce_segments(gather(), [segment], tmp_path)
    else:
        with pytest.raises(UserTaskError, match="more than 1015 bytes"):
            reduce_segments(gather(), [segment], tmp_path)


def test_what_no_value_is_at_fault_for_is_not_laid_to_the_program(tmp_path, monkeypatch):
    def exhausted(_):
        raise MemoryError

    segment = write_segment(tmp_path / "m", [(b"a", 1)])
    monkeypatch.setattr("mapreduce_worker.engine.emitted.pack_value", exhausted)
    with pytest.raises(MemoryError):
        reduce_segments(gather(), [segment], tmp_path)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 65_535, 65_536])
def test_heads_of_lists_are_those_of_the_codec(count):
    packed = values.encode([0] * count)
    assert list_heads.head(count) + bytes(count) == packed
    assert list_heads.size(packed) == len(packed) - count
