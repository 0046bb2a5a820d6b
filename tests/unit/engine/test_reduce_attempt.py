"""A reduce attempt: order, streaming, bounded memory, and damage that user code cannot hide."""

import tracemalloc

import msgspec
import pytest

import mapreduce as mr
from mapreduce.errors import CorruptionError
from mapreduce_worker.engine import map_output, merge, part, reduce_task
from mapreduce_worker.engine.blocks import MAX_ROWS
from mapreduce_worker.engine.map_output import SegmentFile
from tests.support.engine_runs import WordCount, add, collect, emitter, reduce_segments, write_segment


def records_of(folder):
    return list(merge.pairs([folder / "part.out"]))


def segments_in(folder, *rows_of_maps):
    return [write_segment(folder / f"m{n}", rows) for n, rows in enumerate(rows_of_maps)]


def test_values_come_in_map_order_then_in_the_order_of_their_emission(tmp_path):
    segments = segments_in(tmp_path, [(b"a", 1), (b"b", 2), (b"b", 3)], [], [(b"b", 4)], [(b"a", 5), (b"b", 6)])
    result = reduce_segments(emitter(collect), segments, tmp_path)
    assert records_of(tmp_path) == [(b"a", [1, 5]), (b"b", [2, 3, 4, 6])]
    assert result == part.verify(tmp_path / "part.out", deep=True)


def test_little_memory_gives_the_same_part_and_leaves_nothing_else(tmp_path):
    segments = segments_in(tmp_path, *[[(b"%d" % (number % 5), number)] for number in range(13)])
    before = {path.name for path in tmp_path.iterdir()}
    for job in (emitter(collect), emitter(mr.Sum())):
        plenty = reduce_segments(job, segments, tmp_path)
        made = reduce_segments(job, segments, tmp_path, memory=1)
        assert plenty.spills < made.spills
        assert msgspec.structs.replace(made, spills=0) == plenty
        assert {path.name for path in tmp_path.iterdir()} == before | {"part.out"}


def test_the_part_keeps_the_group_key_when_another_is_yielded(tmp_path):
    def rename(self, key, group):
        yield "z", 1
        yield "a", sum(group)

    reduce_segments(emitter(rename), segments_in(tmp_path, [(b"k", 2), (b"l", 3)]), tmp_path)
    (block,) = part.read(tmp_path / "part.out")
    assert block.keys == [b"k", b"k", b"l", b"l"]
    assert block.unpacked() == [["z", 1], ["a", 2], ["z", 1], ["a", 3]]


def test_a_reducer_need_not_read_its_values_and_may_yield_nothing(tmp_path):
    def first(self, key, group):
        if key == b"b":
            return None
        return [(key, next(group))]

    segments = segments_in(tmp_path, [(b"a", 1), (b"a", 2), (b"b", 3)], [(b"a", 4), (b"c", 5)])
    reduce_segments(emitter(first), segments, tmp_path)
    assert records_of(tmp_path) == [(b"a", 1), (b"c", 5)]


def test_one_key_with_many_values_streams(tmp_path, monkeypatch):
    rows = 3 * 4096
    segments = segments_in(tmp_path, [(b"k", number) for number in range(rows)])
    seen = []
    original = map_output.read

    def watched(segment):
        for block in original(segment):
            seen.append(len(block.keys))
            yield block

    monkeypatch.setattr(map_output, "read", watched)

    def reduce(self, key, group):
        next(group)
        first = len(seen)
        yield first, sum(1 for _ in group)

    reduce_segments(emitter(reduce), segments, tmp_path)
    assert records_of(tmp_path) == [(1, rows - 1)]


def test_a_reducer_of_accumulators_finishes_once(tmp_path):
    segments = segments_in(tmp_path, [(b"a", [0, 0.1]), (b"b", 2**63)], [(b"a", [0, 0.2]), (b"b", 2**63)], [(b"a", 3)])
    reduce_segments(emitter(mr.Sum()), segments, tmp_path)
    assert records_of(tmp_path) == [(b"a", 3.3), (b"b", 2**64)]


def test_values_are_plain_where_the_job_has_a_combiner_of_its_own(tmp_path):
    reduce_segments(emitter(mr.Sum(), combine=add), segments_in(tmp_path, [(b"a", 1), (b"a", 2.5)]), tmp_path)
    assert records_of(tmp_path) == [(b"a", 3.5)]


def test_no_rows_make_an_empty_part(tmp_path):
    result = reduce_segments(WordCount, segments_in(tmp_path, []), tmp_path, key_type="")
    assert (result.rows, records_of(tmp_path)) == (0, [])


def test_rows_without_a_key_type_are_no_part(tmp_path):
    with pytest.raises(CorruptionError, match="key type"):
        reduce_segments(WordCount, segments_in(tmp_path, [(b"a", 1)]), tmp_path, key_type="")


def test_damage_is_told_though_user_code_swallows_it(tmp_path):
    rows = [(b"a", number) for number in range(2 * 4096)]
    (segment,) = segments_in(tmp_path, rows)
    data = bytearray((tmp_path / "m0").read_bytes())
    data[segment.offset + segment.length - 20] ^= 4
    (tmp_path / "m0").write_bytes(data)

    def careless(self, key, group):
        count = 0
        try:
            for _ in group:
                count += 1
        except Exception:  # noqa: BLE001 - that is what careless code does
            count = -1
        yield key, count

    with pytest.raises(map_output.SegmentCorrupt, match="m0"):
        reduce_segments(emitter(careless), [segment], tmp_path)
    assert not (tmp_path / "part.out").exists()


def test_a_segment_that_lost_its_rows_or_its_file_is_told(tmp_path):
    (segment,) = segments_in(tmp_path, [(b"a", 1)])
    emptied = SegmentFile(segment.path, segment.offset, 0, segment.rows, 0)
    with pytest.raises(map_output.SegmentCorrupt, match="no bytes"):
        reduce_segments(WordCount, [emptied], tmp_path)
    segment.path.unlink()
    with pytest.raises(map_output.SegmentCorrupt, match="gone"):
        reduce_segments(WordCount, [segment], tmp_path)


@pytest.mark.parametrize("reducer", [mr.Sum(), mr.Mean()])
def test_long_keys_are_not_added_up_beyond_memory(tmp_path, reducer):
    def value(number):
        return number if isinstance(reducer, mr.Sum) else [1, number]

    def rows_of_map(at):
        return [(b"%05d" % number + b"x" * 100_000, value(number)) for number in range(100) if number % 3 != at]

    segments = segments_in(tmp_path, *map(rows_of_map, range(3)))
    expected = reduce_segments(emitter(reducer), segments, tmp_path)
    found = [(key[:5], value) for key, value in records_of(tmp_path)]
    assert found[:2] == [(b"00000", 0), (b"00001", 2 if isinstance(reducer, mr.Sum) else 1)]
    assert len(found) == 100
    tracemalloc.start()
    try:
        narrow = reduce_segments(emitter(reducer), segments, tmp_path, memory=4 << 20)
        assert (narrow.checksum, narrow.rows) == (expected.checksum, expected.rows)
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()


def test_a_key_with_very_many_values_shows_progress_before_it_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(reduce_task, "PROGRESS_SECONDS", -1)
    told: list[tuple[int, int]] = []
    seen: list[int] = []

    def reduce(self, key, values):
        for value in values:
            seen.append(len(told))
            yield key, value

    segment = write_segment(tmp_path / "m", [(b"k", number) for number in range(3 * MAX_ROWS)])
    reduce_segments(emitter(reduce), [segment], tmp_path, progress=lambda *done: told.append(done))
    assert [rows for rows, _ in told[: seen[-1]]] == [MAX_ROWS, 2 * MAX_ROWS]
    assert told[-1][0] == 3 * MAX_ROWS
