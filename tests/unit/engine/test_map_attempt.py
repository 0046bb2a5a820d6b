"""A map attempt: what its output holds, that memory does not show in it, and what is left on the disk."""

import random
import time

import pytest

import mapreduce as mr
from mapreduce import keys, partitioning
from mapreduce.plan import FileRange, Split
from mapreduce_worker.engine.failure import UserTaskError
from mapreduce_worker.engine.map_output import read_index
from tests.support.engine_runs import (
    FirstWords,
    WordCount,
    add,
    attempt,
    collect,
    emitter,
    map_file,
    rows_of,
    write_input,
)

TEXT = b"b a\nc b\n\nb\n"


def words(line):
    return ((word, 1) for word in line.split())


def tenths(line):
    return ((word, 0.1 * number) for number, word in enumerate(line.split()))


def random_text(lines=80):
    drawn = random.Random(7)
    return "".join(
        " ".join(drawn.choice("abcdefgh") * drawn.randint(1, 3) for _ in range(6)) + "\n" for _ in range(lines)
    )


def test_every_key_is_once_in_its_partition_with_its_sum(tmp_path):
    output, count = map_file(WordCount, tmp_path, write_input(tmp_path, TEXT), partitions=3)
    expected: list[list[tuple[bytes, int]]] = [[], [], []]
    for word, total in (("a", 1), ("b", 3), ("c", 1)):
        encoded = keys.encode(word)
        expected[partitioning.partition(encoded, 3)].append((encoded, total))
    assert rows_of(tmp_path / "map.out") == expected
    assert (count, output.rows, output.key_type, output.key_at) == (4, 3, "str", "input.txt:0")
    assert (output.attempt, output.size) == (attempt("map"), (tmp_path / "map.out").stat().st_size)


def test_without_a_combiner_all_pairs_are_kept_in_their_order(tmp_path):
    map_file(FirstWords, tmp_path, write_input(tmp_path, b"bz\nax\nby\n"), partitions=1)
    assert rows_of(tmp_path / "map.out") == [[(b"a", "ax"), (b"b", "bz"), (b"b", "by")]]


@pytest.mark.parametrize(
    "job",
    [
        WordCount,
        FirstWords,
        emitter(add, combine=add, emit=words),
        emitter(mr.Sum(), emit=tenths),
        emitter(collect, emit=tenths),
    ],
    ids=["sum", "collect", "combine", "float sum", "float collect"],
)
def test_less_memory_gives_the_same_rows_and_checksum(job, tmp_path):
    file = write_input(tmp_path, random_text().encode())
    outputs = [
        (map_file(job, tmp_path, file, flush_bytes=9000, memory=memory)[0].checksum, rows_of(tmp_path / "map.out"))
        for memory in (1 << 30, 12_000, 6000)
    ]
    assert outputs[1:] == outputs[:1] * 2


def test_with_a_built_in_reducer_the_plans_flush_size_does_not_show_either(tmp_path):
    file = write_input(tmp_path, random_text().encode())
    job = emitter(mr.Sum(), emit=tenths)
    found = {map_file(job, tmp_path, file, flush_bytes=size)[0].checksum for size in (1 << 20, 700, 2000)}
    assert len(found) == 1


def test_the_combiner_is_called_where_the_encoded_bytes_say_whatever_the_memory(tmp_path):
    file = write_input(tmp_path, random_text(40).encode())

    def calls_with(memory, flush_bytes):
        calls = []

        def combine(self, key, group):
            group = list(group)
            calls.append((key, group))
            yield key, sum(group)

        map_file(emitter(add, combine=combine, emit=words), tmp_path, file, memory=memory, flush_bytes=flush_bytes)
        return calls

    once = calls_with(1 << 30, 1 << 30)
    assert len(once) == len({key for key, _ in once})
    often = calls_with(1 << 30, 5000)
    assert len(often) > 2 * len(once)
    assert calls_with(3000, 5000) == often
    assert calls_with(1, 1 << 30) == once


def test_nothing_but_the_output_is_left(tmp_path):
    file = write_input(tmp_path, random_text().encode())
    for job in (WordCount, FirstWords, emitter(add, combine=add, emit=words)):
        map_file(job, tmp_path, file, flush_bytes=4000, memory=6000)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["input.txt", "map.out"]


def test_a_failed_attempt_leaves_nothing(tmp_path):
    def emit(line):
        yield from words(line)
        if "\n" not in line and line.startswith("last"):
            raise RuntimeError

    file = write_input(tmp_path, random_text().encode() + b"last\n")
    with pytest.raises(mr.MapReduceError):
        map_file(emitter(mr.Sum(), emit=emit), tmp_path, file, flush_bytes=2000)
    assert [path.name for path in tmp_path.iterdir()] == ["input.txt"]


def test_ranges_of_a_split_are_read_in_order_and_offsets_are_those_of_their_file(tmp_path):
    one, two = write_input(tmp_path, b"a\nb\n", "one"), write_input(tmp_path, b"c\nd", "two")
    seen = []

    def emit(line):
        seen.append(line)
        return [(1 if line == "d" else line, 1)]

    split = Split(0, (FileRange(one, 2, 4), FileRange(two, 0, 3)))
    with pytest.raises(UserTaskError, match="first key, at one:2, is str") as caught:
        map_file(emitter(mr.Sum(), emit=emit), tmp_path, one, split=split)
    assert caught.value.where == "two:2"
    assert seen == ["b", "c", "d"]


def test_progress_grows_to_the_whole(tmp_path):
    told = []
    text = random_text(2000).encode()
    map_file(WordCount, tmp_path, write_input(tmp_path, text), progress=lambda *now: told.append(now))
    assert told == sorted(told)
    assert told[-1] == (2000, len(text))
    assert len(told) > 5


def test_slow_records_are_told_one_by_one(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def emit(line):
        clock[0] += 1.0
        return [(line, 1)]

    told = []
    file = write_input(tmp_path, b"x\n" * 40)
    map_file(emitter(mr.Sum(), emit=emit), tmp_path, file, progress=lambda *now: told.append(now[0]))
    assert told == [*range(1, 41), 40]


def test_setup_and_teardown_enclose_everything_and_every_attempt_has_its_own_job(tmp_path):
    calls = []

    class Loud(WordCount):
        def setup(self):
            calls.append(("setup", id(self)))

        def map(self, line):
            calls.append(("map", id(self)))
            return ()

        def teardown(self):
            calls.append(("teardown", id(self)))

    file = write_input(tmp_path, b"a\nb\n")
    map_file(Loud, tmp_path, file)
    assert [word for word, _ in calls] == ["setup", "map", "map", "teardown"]
    assert len({number for _, number in calls}) == 1


def test_an_attempt_without_a_pair_has_no_key_type(tmp_path):
    output, count = map_file(WordCount, tmp_path, write_input(tmp_path, b"\n \n"))
    assert (output.rows, output.key_type, output.key_at, count) == (0, "", "", 2)
    assert read_index(tmp_path / "map.out").key_type == ""
