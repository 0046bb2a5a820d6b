"""A map output tells how much it has for each partition, and which keys have much of it."""

from random import Random

import pytest

import mapreduce as mr
from mapreduce import partition_sizes
from mapreduce.partition_sizes import KEY_CHARACTERS, MOST_HEAVY
from mapreduce_worker.engine import map_output
from mapreduce_worker.engine.local import ListBatch
from mapreduce_worker.engine.map_run import MapRun
from mapreduce_worker.engine.options import TaskOptions
from tests.support.engine_runs import attempt, collect, emitter, nothing


def outputs(tmp_path, pairs, *, reduce=collect, memory=512 << 20, job=None, partitions=3):
    path = tmp_path / "out"
    run = MapRun(job or emitter(reduce), TaskOptions(partitions=partitions, memory=memory), path, nothing)
    made = run.run(iter([ListBatch([pairs], 0)]), attempt("map"))
    return made, map_output.read_index(path)


def hot(key, count, others=20_000):
    """Return pairs where one key has `count`, and each of the others one."""
    return [(key, f"{number:040}") for number in range(count)] + [(f"k{n}", f"{n:040}") for n in range(others)]


def test_the_sizes_are_those_of_the_segments(tmp_path):
    made, index = outputs(tmp_path, hot("hot", 10))
    lengths = [segment.length for segment in index.segments]
    assert partition_sizes.unpack(made.sizes) == partition_sizes.unpack(partition_sizes.pack(lengths))
    assert len(lengths) == 3
    assert min(lengths) > 0


def test_a_key_with_much_of_the_output_is_told_with_its_partition_and_about_its_rows(tmp_path):
    made, index = outputs(tmp_path, hot("hot", 10_000))
    (heavy,) = made.heavy
    assert heavy.key == "'hot'"
    assert heavy.partition == max(range(3), key=lambda number: index.segments[number].rows)
    assert 9_500 < heavy.rows < 10_500
    assert 0.2 * made.size < heavy.size < 0.5 * made.size


def test_where_every_key_has_little_none_is_heavy(tmp_path):
    assert outputs(tmp_path, hot("hot", 100))[0].heavy == ()


def test_what_is_added_up_in_the_map_is_not_heavy(tmp_path):
    assert (
        outputs(tmp_path, [("hot", 1)] * 50_000 + [(str(n), 1) for n in range(20_000)], reduce=mr.Sum())[0].heavy == ()
    )


@pytest.mark.parametrize("memory", [512 << 20, 1 << 20])
def test_heavy_keys_are_found_however_little_memory_there_is(tmp_path, memory):
    random = Random(6)
    pairs = [(number % 4, random.randbytes(50).hex()) for number in range(6_000)] + [(n, "") for n in range(9, 2_000)]
    heavy = outputs(tmp_path, pairs, memory=memory)[0].heavy
    assert sorted(key.key for key in heavy) == ["0", "1", "2", "3"]
    assert len(heavy) == MOST_HEAVY


def test_a_long_key_is_cut_short(tmp_path):
    (heavy,) = outputs(tmp_path, hot("h" * 1000, 10_000))[0].heavy
    assert heavy.key == "'" + "h" * (KEY_CHARACTERS - 1)


def test_with_sorted_values_the_key_alone_is_told(tmp_path):
    job = emitter(collect)
    job.sort_values = True
    (heavy,) = outputs(tmp_path, hot("hot", 10_000), job=job)[0].heavy
    assert (heavy.key, heavy.rows > 9_000) == ("'hot'", True)


def test_an_empty_output_has_sizes_and_no_heavy_key(tmp_path):
    made, _ = outputs(tmp_path, [])
    assert (partition_sizes.unpack(made.sizes), made.heavy) == ([0, 0, 0], ())
