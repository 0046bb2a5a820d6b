"""`mr.testing.run`: the reference's output, if the engine agrees."""

import re
import subprocess
import sys

import pytest

import mapreduce as mr
from mapreduce.errors import CombineError, MapReduceError, ProgramError
from mapreduce.testing import comparison, entry_points


class WordCount(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()


class Numbered(WordCount):
    """Takes for granted that one instance sees all records."""

    def setup(self):
        self.seen = 0

    def map(self, line):
        self.seen += 1
        yield line, self.seen


class CountsValues(mr.Job):
    """Counts in `reduce` what `combine` has added up already."""

    map = WordCount.map

    def combine(self, key, values):
        yield key, sum(values)

    def reduce(self, key, values):
        yield key, len(list(values))


def test_a_job_that_both_run_alike_gives_its_output():
    assert mr.testing.run(WordCount, ["a b", "a"]) == [("a", 2), ("b", 1)]
    assert mr.testing.run(WordCount, []) == []
    assert mr.testing.run(WordCount, (line for line in ["a", "b", "c", "d"])) == [(word, 1) for word in "abcd"]


def test_the_engine_is_the_one_that_the_worker_registers_and_it_divides_the_work(monkeypatch):
    asked = []

    def engine(job_class, records, *, splits, partitions, **_given):
        asked.append((job_class, records, splits >= 2, partitions >= 2))
        return mr.testing.Outcome([("a", 1)], {})

    assert comparison.installed_engine().__module__ == "mapreduce_worker.engine.local"
    monkeypatch.setattr(comparison, "installed_engine", lambda: engine)
    assert mr.testing.run(WordCount, iter(["a"])) == [("a", 1)]
    assert asked == [(WordCount, ["a"], True, True)]


def test_state_that_is_kept_from_record_to_record_shows():
    expected = "Pair 1 of 2 is ('b', 2) when all records are in one place, and ('b', 1) of 2 with 3 splits"
    with pytest.raises(AssertionError, match=re.escape(expected)):
        mr.testing.run(Numbered, ["a", "b"])


def test_a_reduce_that_cannot_take_what_combine_gives_shows():
    with pytest.raises(mr.testing.DifferentOutputError, match="the output of CountsValues depends on"):
        mr.testing.run(CountsValues, ["a a a"])


def test_a_combiner_that_changes_the_key_is_an_error_though_the_reference_never_calls_it():
    class Changes(CountsValues):
        def combine(self, key, values):
            yield key + "!", sum(values)

    with pytest.raises(MapReduceError) as caught:
        mr.testing.run(Changes, ["a a"])
    assert isinstance(caught.value.__cause__, CombineError)


@pytest.mark.parametrize("got", [[], [("a", 2), ("b", 1)], [("a", 2.0)], [("a", True)]])
def test_a_pair_that_is_missing_too_many_or_of_another_type_shows(monkeypatch, got):
    monkeypatch.setattr(comparison, "installed_engine", lambda: lambda *_, **__: mr.testing.Outcome(got, {}))
    with pytest.raises(AssertionError):
        mr.testing.run(WordCount, ["a a"])


def test_what_the_codec_cannot_tell_apart_is_the_same():
    class Tuples(mr.Job):
        map = WordCount.map

        def reduce(self, key, values):
            yield (key, float("nan")), [(1, 2), 2**70]

    ((key, value),) = mr.testing.run(Tuples, ["a"])
    assert (key[0], value) == ("a", [(1, 2), 2**70])


def test_without_the_workers_distribution_a_job_of_frames_says_what_to_install(monkeypatch):
    monkeypatch.setattr(entry_points, "GROUP", "nobody.registers.this")

    class Batches(mr.Job):
        def map_batch(self, batch):
            return batch

    with pytest.raises(ProgramError, match="install mapreduce-worker"):
        mr.testing.run(Batches, ["a"])


def test_without_the_workers_distribution_the_reference_runs_alone(monkeypatch):
    monkeypatch.setattr(entry_points, "GROUP", "nobody.registers.this")
    assert mr.testing.run(Numbered, ["a", "b"]) == [("a", 1), ("b", 2)]


def test_the_contract_alone_imports_nothing_of_the_engine():
    code = "import sys, mapreduce; sys.exit(any(name.startswith(('mapreduce_', 'polars')) for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Loud(mr.Job):
    """Keeps lines of some length, in the order of the input, and counts the others."""

    class Params:
        least: int = 2

    def map(self, line):
        if len(line) < self.params.least or line in self.file("stop.txt").read_text().split():
            self.counters["skipped"] += 1
            return
        yield (self.input.file, self.input.offset), line.upper()


def test_parameters_and_side_files_are_given_and_counters_come_back():
    outcome = mr.testing.outcome(Loud, ["b", "abc", "zz", "aa"], params={"least": "2"}, files={"stop.txt": "zz"})
    assert outcome.pairs == [(("record", 1), "ABC"), (("record", 3), "AA")]
    assert outcome.counters == {"skipped": 2}


def test_counters_that_depend_on_the_division_show():
    class Uncounted(Loud):
        def map(self, line):
            if self.counters["seen"] == 0:
                self.counters["seen"] += 1
            yield line, 1

    with pytest.raises(mr.testing.DifferentOutputError, match="the counters of Uncounted depend on"):
        mr.testing.outcome(Uncounted, ["b", "abc", "zz", "aa"])


def test_what_setup_counts_is_no_difference():
    class SetUp(WordCount):
        def setup(self):
            self.counters["begun"] += 1

    assert mr.testing.outcome(SetUp, ["a", "b"]).counters == {"begun": 2}


def test_a_program_that_is_not_tested_does_not_wait_for_what_looks_for_the_engine():
    code = "import sys, mapreduce; assert 'importlib.metadata' not in sys.modules"
    subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"], check=True)
