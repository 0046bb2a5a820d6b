"""With `skip_bad_records` a bad record leaves nothing behind but what is kept of it; without, it is an error."""

import base64
import random

import msgspec
import pytest

import mapreduce as mr
from mapreduce import bad_records
from mapreduce.errors import UserError
from mapreduce_worker.engine import failure, map_part, map_task, merge, ranges
from mapreduce_worker.engine.failure import UserTaskError
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.quarantine import Quarantine
from mapreduce_worker.slots.messages import MAX_ANSWER
from tests.support.engine_runs import add, attempt, collect, map_file, nothing, one_split, rows_of, write_input

NO_TEXT = {1: "a", "1": "b"}
"""A value that can be carried to a reduce, and not be written: JSON has no such dictionary."""


def job_of(emit, **members):
    """A job whose map counts, emits what `emit` gives, and raises at the end of a line with a `!`."""

    def map_line(self, line):
        for pair in emit(line):
            self.counters["pairs"] += 1
            yield pair
        if "!" in line:
            raise ValueError(f"bad {line[:5]}")

    return type("Spoiled", (mr.Job,), {"map": map_line} | members)


def words(line):
    return ((word, len(word)) for word in line.split())


def mostly_keys(line):
    return line.split()


class ListedKeys(mr.Job):
    """Returns a list, and not a generator."""

    def map(self, line):
        self.counters["pairs"] += len(line.split())
        if "!" in line:
            raise ValueError("bad")
        return line.split()

    reduce = mr.Count()


JOBS = {
    "sum": job_of(words, reduce=mr.Sum()),
    "max": job_of(words, reduce=mr.Max()),
    "float sum": job_of(lambda line: ((word, 0.1) for word in line.split()), reduce=mr.Sum()),
    "keys": job_of(mostly_keys, reduce=mr.Count()),
    "a list of keys": ListedKeys,
    "collect": job_of(words, reduce=collect),
    "combine": job_of(words, reduce=add, combine=add),
    "sort_values": job_of(words, reduce=collect, sort_values=True),
}


def lines(seed=5, count=120):
    drawn = random.Random(seed)
    for number in range(count):
        line = " ".join(drawn.choice("abcdefgh") * drawn.randint(1, 3) for _ in range(6))
        yield f"{number} {line}" + (" !" if drawn.random() < 0.1 else "")


def text_of(some):
    return "".join(f"{line}\n" for line in some).encode()


@pytest.mark.parametrize("memory", [1 << 30, 6000])
@pytest.mark.parametrize("name", JOBS)
def test_the_output_is_that_of_the_input_without_the_bad_records(tmp_path, name, memory):
    job = JOBS[name]
    all_lines = list(lines())
    good = write_input(tmp_path, text_of(line for line in all_lines if "!" not in line), "good.txt")
    expected, _ = map_file(job, tmp_path, good, memory=memory, flush_bytes=3000)
    rows = rows_of(tmp_path / "map.out")
    assert sum(map(len, rows)) > 0
    made, _ = map_file(
        job, tmp_path, write_input(tmp_path, text_of(all_lines)), memory=memory, flush_bytes=3000, skip=99
    )
    assert rows_of(tmp_path / "map.out") == rows
    assert (made.checksum, made.counters) == (expected.checksum, expected.counters)
    assert [bad.record for bad in made.bad] == [line for line in all_lines if "!" in line]


@pytest.mark.parametrize("name", JOBS)
def test_by_default_the_first_bad_record_is_an_error_with_its_place(tmp_path, name):
    with pytest.raises(UserTaskError, match="bad") as caught:
        map_file(JOBS[name], tmp_path, write_input(tmp_path, b"a b\nc !\nd\n"))
    assert failure.describe(caught.value).where == "input.txt:4"


def part_of(folder, content, skip=0):
    job = job_of(words)
    run = map_part.MapPartRun(job, TaskOptions(skip_bad_records=skip), nothing)
    split = one_split(write_input(folder, content))
    batches = map_task.batches(split, lambda part, _: ranges.read_range(folder, part), TaskOptions())
    made = run.run(batches, folder / "part")
    return list(merge.pairs([folder / "part"])), made


def test_a_map_without_reduce_leaves_no_half_record_either(tmp_path):
    pairs, made = part_of(tmp_path, b"a bb\nc d !\nee\n", skip=1)
    assert pairs == [("a", 1), ("bb", 2), ("ee", 2)]
    assert (made.counters, made.records, [bad.where for bad in made.bad]) == ({"pairs": 3}, 3, ["input.txt:5"])


def test_what_is_kept_tells_where_and_why_with_the_users_own_frames(tmp_path):
    made, _ = map_file(JOBS["sum"], tmp_path, write_input(tmp_path, b"a\nbc !\r\nd\n"), skip=1)
    (bad,) = made.bad
    assert (bad.file, bad.offset, bad.record, bad.base64, bad.cut) == ("input.txt", 2, "bc !", False, False)
    assert (bad.reason, bad.message) == ("UserCodeFailed", "ValueError: bad bc !")
    assert bad.traceback.startswith("Traceback (most recent call last):\n")
    assert 'raise ValueError(f"bad {line[:5]}")' in bad.traceback
    assert "quarantine" not in bad.traceback


def test_a_long_record_and_a_long_traceback_are_cut(tmp_path):
    content = "é".encode() * 2000 + b" !\n"
    made, _ = map_file(JOBS["sum"], tmp_path, write_input(tmp_path, content), skip=1)
    (bad,) = made.bad
    assert (bad.record, bad.cut) == ("é" * (bad_records.RECORD_BYTES // 2), True)
    assert len(bad.message) <= bad_records.MESSAGE_CHARACTERS


def test_a_record_of_bytes_that_is_no_text_is_kept_in_base64(tmp_path):
    job = type("Bytes", (mr.Job,), {"map": lambda self, line: [(line[9], 1)], "reduce": mr.Sum()})
    made, _ = map_file(job, tmp_path, write_input(tmp_path, b"\xff\xfe\n"), errors="bytes", skip=1)
    (bad,) = made.bad
    assert (base64.b64decode(bad.record), bad.base64) == (b"\xff\xfe", True)


@pytest.mark.parametrize(
    ("reduce", "yielded", "reason"),
    [
        (mr.Sum(), [("a", 1), (["b"], 1)], "UnsupportedKey"),
        (mr.Sum(), [("a", 1), ("b", "one")], "UserCodeFailed"),
        (collect, [("a", 1), ("b", object())], "ValueNotEncodable"),
        (collect, [("a", 1), "b"], "UserCodeFailed"),
        (collect, [("a", 1), "bb"], "UserCodeFailed"),
        (mr.Count(), ["a", ["b"]], "UnsupportedKey"),
        (mr.Count(), "ab", "UserCodeFailed"),
        (None, [("a", 1), ("b", object())], "ValueNotEncodable"),
        (None, [("a", 1), ("b", NO_TEXT)], "ValueNotEncodable"),
        (mr.Each(), [("a", 1), ("b", NO_TEXT)], "ValueNotEncodable"),
        (mr.Collect(), [("a", 1), ("b", NO_TEXT)], "ValueNotEncodable"),
        (mr.Unique(), [("a", 1), ("b", [NO_TEXT])], "ValueNotEncodable"),
    ],
)
def test_what_cannot_be_carried_makes_its_whole_record_bad(tmp_path, reduce, yielded, reason):
    good = "a" if isinstance(reduce, mr.Count) else ("a", 1)
    members = {"map": lambda self, line: yielded if line == "bad" else [good], "reduce": reduce}
    job = type("Odd", (mr.Job,), members)
    file = write_input(tmp_path, b"good\nbad\ngood\n")
    if reduce is None:
        run = map_part.MapPartRun(job, TaskOptions(skip_bad_records=1), nothing)
        source = lambda part, _: ranges.read_range(tmp_path, part)  # noqa: E731 - one line, used once
        found = run.run(map_task.batches(one_split(file), source, TaskOptions()), tmp_path / "part").bad
        assert list(merge.pairs([tmp_path / "part"])) == [("a", 1), ("a", 1)]
    else:
        found = map_file(job, tmp_path, file, skip=1)[0].bad
        values = [value for part in rows_of(tmp_path / "map.out") for _, value in part]
        assert values in ([1, 1], [2], [[1]])
    assert [(bad.where, bad.reason) for bad in found] == [("input.txt:5", reason)]


def counted(self, key, values):
    yield key, len(list(values))


@pytest.mark.parametrize(
    "members", [{"reduce": counted}, {"reduce": mr.Each(), "combine": counted}], ids=["reduce", "combine"]
)
def test_a_value_without_a_text_is_good_where_it_need_not_be_in_the_output(tmp_path, members):
    job = job_of(lambda line: [("a", NO_TEXT)], **members)
    made, _ = map_file(job, tmp_path, write_input(tmp_path, b"good\n"), skip=1)
    assert made.bad == ()


@pytest.mark.parametrize("raises", [False, True])
def test_what_a_generator_counts_when_it_is_closed_is_forgotten_with_its_record(tmp_path, raises):
    def map_line(self, line):
        try:
            yield (line if line != "bad" else ["no key"]), 1
        finally:
            self.counters["done"] += 1
            if raises and line == "bad":
                raise ValueError("while it ended")

    job = type("Closed", (mr.Job,), {"map": map_line, "reduce": mr.Sum()})
    made, _ = map_file(job, tmp_path, write_input(tmp_path, b"good\nbad\ngood\n"), skip=1)
    assert (made.counters, [bad.reason for bad in made.bad]) == ({"done": 2}, ["UnsupportedKey"])


def test_keys_of_two_types_are_no_bad_record(tmp_path):
    members = {"map": lambda self, line: [(int(line) if line > "1" else line, 1)], "reduce": mr.Sum()}
    job = type("Mixed", (mr.Job,), members)
    with pytest.raises(UserTaskError, match="key 2 is int"):
        map_file(job, tmp_path, write_input(tmp_path, b"1\n2\n"), skip=9)


def test_a_value_that_is_changed_after_it_was_yielded_is_what_it_was(tmp_path):
    def growing(self, line):
        held = []
        for word in line.split():
            held.append(word)
            yield "all", held

    job = type("Growing", (mr.Job,), {"map": growing, "reduce": collect})
    file = write_input(tmp_path, b"a b c\n")
    map_file(job, tmp_path, file)
    expected = rows_of(tmp_path / "map.out")
    map_file(job, tmp_path, file, skip=1)
    assert rows_of(tmp_path / "map.out") == expected
    assert [value for part in expected for _, value in part] == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_a_value_that_python_does_not_copy_is_good_if_it_can_be_carried(tmp_path):
    members = {"map": lambda self, line: [("k", [memoryview(line.encode())])], "reduce": collect}
    made, _ = map_file(type("Views", (mr.Job,), members), tmp_path, write_input(tmp_path, b"a\n"), skip=1)
    assert (made.bad, [row for part in rows_of(tmp_path / "map.out") for row in part]) == ((), [(b"k", [b"a"])])


def test_one_more_than_the_limit_ends_the_attempt_for_good_and_names_the_last(tmp_path):
    with pytest.raises(UserTaskError) as caught:
        map_file(JOBS["sum"], tmp_path, write_input(tmp_path, b"a !\nb !\nc !\n"), skip=2)
    told = failure.describe(caught.value)
    assert (told.kind, told.reason, told.where) == ("refused", "TooManyBadRecords", "input.txt:8")
    assert "the last one is at input.txt:8: ValueError: bad c !" in told.message
    assert "raise ValueError" in told.traceback
    assert not (tmp_path / "map.out").exists()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_what_ends_a_process_is_no_bad_record(tmp_path, error):
    def map_line(self, line):
        raise error

    job = type("Ending", (mr.Job,), {"map": map_line, "reduce": mr.Sum()})
    with pytest.raises((UserError, KeyboardInterrupt)):
        map_file(job, tmp_path, write_input(tmp_path, b"a\n"), skip=9)


def test_the_same_split_again_reports_the_same(tmp_path):
    file = write_input(tmp_path, text_of(lines()))
    first, _ = map_file(JOBS["combine"], tmp_path, file, skip=50)
    again, _ = map_file(JOBS["combine"], tmp_path, file, skip=50, memory=6000)
    assert (first.bad, first.attempt) == (again.bad, attempt("map"))
    assert bad_records.render(first.bad) == bad_records.render(again.bad)


def test_all_bad_records_of_a_split_fit_into_one_message_of_a_slot():
    kept = Quarantine(bad_records.MOST)
    for number in range(bad_records.MOST):
        error = UserTaskError(f"ü.txt:{number}", "ü" * 5000)
        error.__cause__ = ValueError("ü" * 5000)
        kept.refuse(error, "ü" * 200, number, "ü".encode() * 5000)
    assert [record.offset for record in kept.kept] == list(range(bad_records.MOST))
    assert len(msgspec.msgpack.encode(kept.kept)) < MAX_ANSWER // 2
    first, last = kept.kept[0], kept.kept[-1]
    assert len(first.message) == bad_records.MESSAGE_CHARACTERS - 1
    assert (first.record, last.record, last.cut) == ("ü" * (bad_records.RECORD_BYTES // 2), "", True)
    assert len(last.message) < bad_records.FEW_CHARACTERS
