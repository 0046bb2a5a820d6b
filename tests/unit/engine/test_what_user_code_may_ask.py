"""What an attempt gives to user code beside records: parameters, counters, its place, side files, progress."""

import pytest

import mapreduce as mr
from mapreduce.errors import ProgramError
from mapreduce_worker.engine import failure, local
from mapreduce_worker.engine.failure import UserTaskError
from mapreduce_worker.engine.options import TaskOptions
from tests.support.engine_runs import add, attempt, map_file, one_split, run_pairs, write_input


class Asking(mr.Job):
    """Counts in every method, and shifts by a parameter that its constructor has already."""

    class Params:
        shift: int = 1

    def __init__(self):
        self.shift = self.params.shift
        self.counters["made"] += 1

    def setup(self):
        self.counters["setup"] += 1

    def map(self, record):
        self.counters["mapped"] += 1
        yield record, self.shift

    def reduce(self, key, values):
        self.counters["reduced"] += 1
        yield key, sum(values)

    def teardown(self):
        self.counters["torn down"] += 1


@pytest.mark.parametrize("memory", [20_000, 512 << 20])
def test_the_counters_of_all_attempts_are_added_up(memory):
    made = local.run_job(Asking, ["a", "b", "a"] * 100, splits=3, partitions=2, memory=memory, params={"shift": "2"})
    assert made.pairs == [("a", 400), ("b", 200)]
    assert made.counters == {"made": 5, "mapped": 300, "reduced": 2, "setup": 5, "torn down": 5}


def test_what_cannot_be_a_counter_is_laid_to_the_record_where_it_was_counted():
    class Wrong(Asking):
        def map(self, record):
            self.counters[record] += 1

    with pytest.raises(UserTaskError, match="a counter's name is a str, not int: 7") as caught:
        run_pairs(Wrong, ["a", "b", 7], splits=1)
    assert caught.value.where == "record:2"


def test_a_counter_that_is_no_number_is_laid_to_the_counters():
    class Wrong(Asking):
        def teardown(self):
            self.counters["x"] = "y"  # type: ignore[assignment]  # that is the point

    with pytest.raises(UserTaskError, match="the counter 'x' is 'y'") as caught:
        run_pairs(Wrong, ["a"], splits=1)
    assert caught.value.where == "the job's counters"


def test_parameters_that_do_not_fit_are_refused_and_not_tried_again():
    with pytest.raises(ProgramError) as caught:
        run_pairs(Asking, ["a"], params={"shift": "up"})
    assert failure.describe(caught.value).kind == "refused"


class Places(mr.Job):
    """Yields where each record came from, after it has looked at the next ones' work."""

    def map(self, line):
        yield line, [self.input.file, self.input.offset]

    def reduce(self, key, values):
        yield key, sorted(values)


def test_the_input_is_the_current_records_file_and_offset(tmp_path):
    seen = []

    class Seeing(Places):
        def map(self, line):
            yield line, 1
            seen.append((line, self.input.file, self.input.offset))

    map_file(Seeing, tmp_path, write_input(tmp_path, b"ab\r\n\nc\nd", "in.txt"))
    assert seen == [("ab", "in.txt", 0), ("", "in.txt", 4), ("c", "in.txt", 5), ("d", "in.txt", 7)]


@pytest.mark.parametrize("method", ["reduce", "setup", "teardown", "combine"])
def test_there_is_no_input_where_there_is_no_record(method):
    def ask(self, *_args):
        return [self.input.file]

    job = type("Asks", (mr.Job,), {"map": lambda _self, record: [(record, 1)], "reduce": add, method: ask})
    with pytest.raises(UserTaskError, match=r"self.input.file is known while map runs on a record") as caught:
        run_pairs(job, ["a", "b"], splits=1, flush_bytes=1)
    assert caught.value.where


def test_a_side_file_is_found_by_its_name():
    class Stop(mr.Job):
        def setup(self):
            self.stop = set(self.file("stop.txt").read_text().split("\n"))

        def map(self, line):
            return [(word, 1) for word in line.split() if word not in self.stop]

        reduce = mr.Sum()

    assert run_pairs(Stop, ["the cat and the dog"], files={"stop.txt": b"the\nand"}) == [("cat", 1), ("dog", 1)]
    with pytest.raises(UserTaskError, match=r"there is no side file 'stop.txt'; there are other, stopp.txt: give it"):
        run_pairs(Stop, ["the cat"], files={"stopp.txt": b"", "other": b""})


def test_saying_that_it_is_alive_shows_progress_within_a_record(tmp_path):
    shown = []

    class Slow(Places):
        def map(self, line):
            self.progress()
            self.progress()
            return []

    map_file(Slow, tmp_path, write_input(tmp_path, b"a\n"), progress=lambda *done: shown.append(done))
    assert shown == [(0, 0), (0, 0), (1, 2), (1, 2)]


def test_without_an_engine_a_job_still_has_counters_and_default_parameters():
    job = Asking()
    assert list(job.map("x")) == [("x", 1)]
    assert job.counters == {"made": 1, "mapped": 1}
    job.progress()


def test_an_attempt_begins_with_nothing_counted(tmp_path):
    file = write_input(tmp_path, b"a\nb\n")
    assert [map_file(Asking, tmp_path, file)[0].counters["mapped"] for _ in range(2)] == [2, 2]
    assert (one_split(file).index, attempt("map").number, TaskOptions().params) == (0, 0, {})
