"""Keys that are divided by ranges, in their order: the same output, by parts that follow each other."""

import itertools
import zlib
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import given

import mapreduce as mr
from mapreduce import boundaries
from mapreduce.boundaries import KeyRange
from mapreduce.errors import ProgramError
from mapreduce.testing import reference
from mapreduce_worker.engine import job_checks, local, map_output, merge, ordered
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.map_output import SegmentCorrupt
from mapreduce_worker.engine.options import TaskOptions
from tests.support import budget
from tests.support.engine_runs import add, canonical, collect, emitter, job_with, run_pairs, write_segment
from tests.support.kinds_of_keys import WIDE

shapes = st.fixed_dictionaries(
    {"splits": st.integers(1, 4), "partitions": st.integers(1, 5), "memory": st.sampled_from([3000, 512 << 20])}
)
REDUCES = {
    "own": collect,
    "Each": mr.Each(),
    "Sum": mr.Sum(),
    "Unique": mr.Unique(),
    "Mean": mr.Mean(),
    "Top": mr.Top(2),
}


def small_blocks():
    return mock.patch.object(map_output, "BLOCK_BYTES", 40)


@pytest.mark.parametrize("kind", WIDE)
@budget.examples(25)
@given(
    data=st.data(),
    shape=shapes,
    descending=st.booleans(),
    sort_values=st.sampled_from([False, True, "descending"]),
)
def test_the_output_is_that_of_the_reference_whatever_keys_and_values_are(kind, data, shape, descending, sort_values):
    pair = st.tuples(WIDE[kind], WIDE[data.draw(st.sampled_from(sorted(WIDE)))])
    records = data.draw(st.lists(st.lists(pair, max_size=5), max_size=12))
    job = job_with(descending=descending, sort_values=sort_values)
    with small_blocks():
        found = run_pairs(job, records, order="total", **shape)
    assert canonical(found) == canonical(reference.run(job, records).pairs)


@pytest.mark.parametrize("name", REDUCES)
@pytest.mark.parametrize("frames", [False, True])
def test_every_reducer_gives_what_it_gives_by_hash(name, frames):
    records = [[(f"k{number * number % 700}", number)] for number in range(2500)]
    job = job_with(REDUCES[name])
    by_hash = run_pairs(job, records, splits=3, partitions=4)
    with small_blocks():
        for memory in (20_000, 512 << 20):
            shape = {"splits": 3, "partitions": 4, "memory": memory, "frames": frames}
            assert run_pairs(job, records, order="total", **shape) == by_hash


@pytest.mark.parametrize("memory", [1000, 512 << 20])
def test_a_combiner_is_called_as_ever(memory):
    job = emitter(add, combine=add)
    records = [[(number % 50, 1)] for number in range(500)]
    found = run_pairs(job, records, splits=3, partitions=3, memory=memory, flush_bytes=2000, order="total")
    assert found == [(key, 10) for key in range(50)]


def parts_of(tmp_path, records, partitions, splits=3, job=None):
    asked = boundaries.samples(splits, partitions, 0)
    options = TaskOptions(partitions=partitions, order="total", samples=asked)
    run = local._Run(job or job_with(mr.Each()), options, tmp_path)
    return [list(merge.pairs([part])) for part in run.run(records, splits)]


def test_parts_follow_each_other_and_have_about_as_many_rows(tmp_path):
    records = [[(number * 7919 % 20_011, number)] for number in range(20_000)]
    with small_blocks():
        parts = parts_of(tmp_path, records, 5)
    assert [pair for part in parts for pair in part] == sorted(pair for (pair,) in records)
    assert all(3000 < len(part) < 5000 for part in parts), list(map(len, parts))


def test_all_keys_alike_go_to_one_reduce(tmp_path):
    records = [[("k", number)] for number in range(500)]
    with small_blocks():
        parts = parts_of(tmp_path, records, 3)
    assert [len(part) for part in parts] == [500, 0, 0]
    assert [value for _, value in parts[0]] == list(range(500))


def test_values_of_one_key_are_not_divided_where_they_are_sorted(tmp_path):
    records = [[("k" * (number % 3 // 2 + 1), number * 7 % 1000)] for number in range(1000)]
    job = job_with(sort_values=True)
    with small_blocks():
        parts = parts_of(tmp_path, records, 4, job=job)
    assert [[key for key, _ in part] for part in parts if part] == [["k"], ["kk"]]


@pytest.mark.parametrize("records", [[], [[]], [[("a", 1)]]])
def test_little_or_no_input_leaves_empty_parts(tmp_path, records):
    parts = parts_of(tmp_path, records, 3)
    assert [pair for part in parts for pair in part] == [pair for record in records for pair in record]
    assert len(parts) == 3


# --- blocks -------------------------------------------------------------------------------------


def written(path, rows, most_bytes=40, samples=0, number=0):
    notes = ordered.Notes(samples, lambda key: key, number)
    with mock.patch.object(map_output, "BLOCK_BYTES", most_bytes), path.open("wb") as file:
        writer = map_output.Writer(file, notes=notes)
        writer.segment([Block([key for key, _ in rows], [packed for _, packed in rows])])
        return writer.finish("bytes", ""), notes.sample


long_keys = st.binary(max_size=4) | st.binary(max_size=3).map(lambda end: b"x" * 70 + end)
ends = st.none() | long_keys


@budget.examples(150)
@given(found=st.lists(long_keys, max_size=30), low=long_keys, high=ends, most=st.sampled_from([1, 40, 400]))
def test_a_range_is_cut_out_of_the_blocks_with_its_checksum(tmp_path_factory, found, low, high, most):
    path = tmp_path_factory.mktemp("cut") / "out"
    rows = [(key, b"\x01") for key in sorted(found)]
    index, _ = written(path, rows, most)
    wanted = KeyRange(low, high)
    file = map_output.segment_file(path, index, 7, wanted)
    content = path.read_bytes()[file.offset : file.offset + file.length]
    assert zlib.crc32(content) == file.crc
    kept = [key for block in map_output.read(file) for key in block.keys]
    assert kept == [key for key, _ in rows if key >= low and (high is None or key < high)]


def test_few_blocks_beside_the_range_are_read(tmp_path):
    rows = [(b"%04d" % number, b"\x01") for number in range(1000)]
    index, _ = written(tmp_path / "out", rows)
    assert len(index.marks) > 50
    file = map_output.segment_file(tmp_path / "out", index, 0, KeyRange(b"0400", b"0500"))
    assert 100 <= file.rows < 120
    assert map_output.segment_file(tmp_path / "out", index, 0, boundaries.NONE).rows == 0
    assert map_output.segment_file(tmp_path / "out", index, 0).rows == 1000


def test_the_sample_stands_at_equal_distances_and_is_bounded(tmp_path):
    rows = [(b"%04d" % number, b"\x01") for number in range(1000)]
    for most, number in itertools.product((1, 7, 64, 1000, 2000), (0, 1, 2, 31)):
        _, sample = written(tmp_path / "out", rows, samples=most, number=number)
        places = [int(key) for key in sample]
        steps = {after - before for before, after in itertools.pairwise(places)}
        assert most >= len(places) > min(most, 1000) // 2
        assert len(steps) <= 1
    assert written(tmp_path / "out", [(b"k" * 100, b"\x01")], samples=1)[1] == (b"k" * 64,)


@pytest.mark.parametrize("maps", [4, 32, 64])
def test_ranges_are_nearly_alike_where_all_maps_have_as_many_rows(tmp_path, maps):
    partitions, count = 8, 3000
    rows = [(b"%04d" % number, b"\x01") for number in range(count)]
    told = []
    for number in range(maps):
        most = boundaries.samples(maps, partitions, number)
        _, sample = written(tmp_path / "out", rows, most_bytes=4000, samples=most, number=number)
        told.append((count, sample))
    starts = [0, *map(int, boundaries.choose(told, partitions)), count]
    sizes = [end - start for start, end in itertools.pairwise(starts)]
    assert len(sizes) == partitions
    assert max(sizes) <= 1.1 * count / partitions


def test_a_damaged_block_is_found_where_only_a_range_is_read(tmp_path):
    path = tmp_path / "out"
    rows = [(b"%04d" % number, b"\x01") for number in range(1000)]
    index, _ = written(path, rows)
    file = map_output.segment_file(path, index, 0, KeyRange(b"0400", b"0500"))
    content = bytearray(path.read_bytes())
    content[file.offset + file.length // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(SegmentCorrupt):
        list(map_output.read(file))


def test_an_output_by_hash_has_one_segment_a_partition_whatever_range_is_asked_for(tmp_path):
    write_segment(tmp_path / "out", [(b"a", 1), (b"b", 2)])
    index = map_output.read_index(tmp_path / "out")
    found = map_output.segment_of(index, 0, KeyRange(b"b", None))
    assert found is not None
    assert found.rows == 2
    assert map_output.segment_of(index, 1) is None


# --- what is refused ----------------------------------------------------------------------------


def test_a_partition_of_the_user_is_refused_beside_ranges():
    job = job_with(partition=lambda self, key, n: 0)
    job_checks.check_order(job, "hash")
    with pytest.raises(ProgramError, match="Made has partition, but with the order total"):
        job_checks.check_order(job, "total")


def test_a_job_without_reduce_has_no_order():
    job_checks.check_order(job_with(None), "hash")
    with pytest.raises(ProgramError, match=r"reduce = mr.Each\(\)"):
        job_checks.check_order(job_with(None), "total")
