"""A file becomes the job in it, or an error that says what to change."""

import random
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import mapreduce as mr
from mapreduce.errors import ProgramError
from mapreduce.program import Program, Shape, SideFile
from mapreduce_worker.engine import failure, local, program, program_files
from mapreduce_worker.engine.options import TaskOptions
from tests.support.engine_runs import WordCount, run_pairs

ONE = b"""
import mapreduce as mr

class WordCount(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()
"""
JOB = b"import mapreduce as mr\nclass A(mr.Job):\n    def map(self, r): return []\n"
JOB = b"import mapreduce as mr\nclass A(mr.Job):\n    def map(self, r): return []\n"
TWO = (
    ONE
    + b"""
class Other(WordCount):
    def reduce(self, key, values):
        yield key, list(values)
"""
)


def load(tmp_path, source, file="job.py", class_name=""):
    return program.load(Program(file, source, class_name), tmp_path)


def refused(tmp_path, source, **options):
    with pytest.raises(ProgramError) as caught:
        load(tmp_path, source, **options)
    info = failure.describe(caught.value)
    assert (info.kind, info.reason) == ("refused", "ProgramInvalid")
    return info


def test_the_only_job_of_a_file_is_found(tmp_path):
    job = load(tmp_path, ONE)
    assert program.shape(job) == Shape("WordCount", has_reduce=True, has_combine=True)
    assert list(job().map("a b")) == [("a", 1), ("b", 1)]


def test_a_job_without_reduce_is_one_too(tmp_path):
    job = load(tmp_path, b"import mapreduce as mr\nclass A(mr.Job):\n    def map(self, r): return []")
    assert program.shape(job) == Shape("A", has_reduce=False, has_combine=False)


def test_of_two_jobs_one_must_be_chosen(tmp_path):
    info = refused(tmp_path, TWO)
    assert "WordCount, Other" in info.message
    assert "job.py:WordCount" in info.message
    chosen = load(tmp_path, TWO, class_name="Other")
    assert program.shape(chosen) == Shape("Other", has_reduce=True, has_combine=False)
    assert "no job named Third; it has WordCount, Other" in refused(tmp_path, TWO, class_name="Third").message


def test_a_syntax_error_is_told_with_its_line(tmp_path):
    assert "job.py, line 2: SyntaxError" in refused(tmp_path, b"a = 1\nb = = 2\n").message
    assert "IndentationError" in refused(tmp_path, b"def f():\nreturn\n").message
    refused(tmp_path, b"\xff\xfe")
    refused(tmp_path, b"a\x00b")


def test_what_the_import_raises_is_told_with_the_users_frames_only(tmp_path):
    info = refused(tmp_path, b"def f():\n    1 / 0\n\nf()\n")
    assert "ZeroDivisionError" in info.message
    assert 'File "job.py", line 4' in info.traceback
    assert 'File "job.py", line 2' in info.traceback
    assert "importlib" not in info.traceback
    assert str(tmp_path) not in info.traceback
    assert "SystemExit" in refused(tmp_path, b"raise SystemExit(3)").message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "has no job"),
        (b"from mapreduce import Job", "has no job"),
        (b"import mapreduce as mr\nclass A(mr.Job):\n    reduce = mr.Sum()", "A has no map"),
        (JOB + b"    sort_values = True", "A has sort_values but no reduce"),
        (JOB + b"    combine = map", "A has combine but no reduce"),
        (JOB + b"    partition = map", "A has partition but no reduce"),
        (JOB + b"    combine = map\n    reduce = mr.Count()", "A has combine, but mr.Count() counts keys alone"),
        (JOB + b"    sort_values = True\n    reduce = mr.Count()", "A has sort_values, but mr.Count()"),
        (JOB + b"    sort_values = True\n    combine = reduce = map", "A has sort_values and combine"),
        (
            JOB + b"    sort_values = 1\n    reduce = mr.Sum()",
            'A.sort_values must be True, False or "descending", not 1',
        ),
        (JOB + b"    sort_values = 'up'\n    reduce = mr.Sum()", "or \"descending\", not 'up'"),
        (JOB + b"    descending = 1\n    reduce = mr.Sum()", "A.descending must be True or False, not 1"),
        (JOB + b"    descending = True", "A has descending but no reduce"),
        (
            JOB + b"    combine = mr.Sum()\n    reduce = mr.Sum()",
            "A.combine cannot be mr.Sum(): mr.Sum() combines by itself",
        ),
        (
            JOB + b"    combine = mr.Mean()\n    reduce = map",
            "A.combine cannot be mr.Mean(): what it makes of some values",
        ),
        (JOB + b"    combine = mr.Max()", "A has combine but no reduce"),
        (JOB + b"    combine = mr.Max\n    reduce = map", "A.combine is the class Max: write combine = mr.Max()"),
        (JOB + b"    partition = mr.Sum()\n    reduce = map", "A.partition cannot be mr.Sum(), which is a reducer"),
        (JOB + b"    partition = 3\n    reduce = mr.Sum()", "A.partition must be a method"),
        (JOB + b"    Params = {}", "A.Params must be a class, not dict"),
        (b"import mapreduce as mr\nclass A(mr.Job):\n    def map(self, r): 0\n    reduce = mr.Sum", "mr.Sum()"),
        (b"import mapreduce as mr\nclass A(mr.Job):\n    map = 3\n    reduce = mr.Sum()", "not int"),
    ],
)
def test_what_a_job_lacks_is_told(body, says, tmp_path):
    assert says in refused(tmp_path, body).message


def test_a_program_may_be_named_like_a_module_and_does_not_hide_it(tmp_path):
    job = load(tmp_path, ONE, file="random.py")
    assert issubclass(job, mr.Job)
    assert sys.modules["random"] is random


def test_a_program_is_a_bare_file_name(tmp_path):
    for name in ("../job.py", "a/b.py", ""):
        refused(tmp_path, ONE, file=name)
    assert "must end in .py" in refused(tmp_path, ONE, file="job.txt").message


def test_loading_twice_gives_a_fresh_class(tmp_path):
    assert load(tmp_path, ONE) is not load(tmp_path, ONE)


def with_files(source, file="job.py", **files):
    return Program(file, source, files=tuple(SideFile(f"{name}.py", content) for name, content in files.items()))


USES = b"""
import helper_of_words
import mapreduce as mr

class Uses(mr.Job):
    def map(self, line):
        return helper_of_words.words(line)

    reduce = mr.Count()
"""
HELPS = b"def words(line):\n    return line.split()\n"


def test_side_files_are_imported_by_name(tmp_path):
    job: Any = program.load(with_files(USES, helper_of_words=HELPS), tmp_path)
    assert job().map("a b") == ["a", "b"]


def test_the_side_files_of_another_program_are_forgotten(tmp_path):
    for body, expected in ((HELPS, ["a"]), (HELPS.replace(b"split()", b"upper()"), "A"), (HELPS, ["a"])):
        job: Any = program.load(with_files(USES, helper_of_words=body), tmp_path)
        assert job().map("a") == expected
    assert "No module named 'helper_of_words'" in refused(tmp_path, USES).message


def test_a_side_file_may_import_another_and_its_errors_have_their_line(tmp_path):
    files = {"helper_of_words": b"import deeper_words\ndef words(line): return deeper_words.fail(line)\n"}
    loaded = program.load(with_files(USES, **files, deeper_words=b"def fail(line):\n    return line / 2\n"), tmp_path)
    with pytest.raises(failure.UserTaskError) as caught:
        run_pairs(loaded, ["a"], splits=1)
    trace = failure.describe(caught.value).traceback
    assert 'File "deeper_words.py", line 2' in trace
    assert 'File "job.py", line 7' in trace
    assert str(tmp_path) not in trace


@pytest.mark.parametrize(("name", "whose"), [("random", "Python's own library"), ("msgspec", "an installed package")])
def test_a_side_file_must_not_hide_a_module(tmp_path, name, whose):
    with pytest.raises(ProgramError, match=rf"the side file {name}.py has the name of a module of {whose}"):
        program.load(with_files(ONE, **{name: b""}), tmp_path)


def test_a_program_named_like_a_module_does_not_hide_it_from_side_files(tmp_path):
    helper = b"import random\ndef words(line): return [random.__file__]\n"
    job: Any = program.load(with_files(USES, file="random.py", helper_of_words=helper), tmp_path)
    assert job().map("") == [random.__file__]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ((SideFile("a/b.txt", b""),), "a bare name"),
        ((SideFile("..", b""),), "a bare name"),
        ((SideFile("a", b""), SideFile("a", b"1")), "two files of the program have the name a"),
        ((SideFile("job.py", b""),), "two files of the program have the name job.py"),
        ((SideFile("a", b"x" * (1 << 20)),), "at most 1048576 are accepted"),
    ],
)
def test_side_files_that_cannot_be_written_are_refused(tmp_path, files, says):
    with pytest.raises(ProgramError, match=says):
        program.load(Program("job.py", ONE, files=files), tmp_path)


def test_a_program_that_is_ready_knows_its_files_and_its_parameters_fit(tmp_path):
    source = ONE + b"    class Params:\n        n: int\n"
    given = Program("job.py", source, files=(SideFile("data.bin", b"\0\1"),))
    _, options = program.ready(given, tmp_path, TaskOptions(params={"n": "3"}))
    assert Path(options.files["data.bin"]).read_bytes() == b"\0\1"
    assert options.params == {"n": "3"}
    with pytest.raises(ProgramError, match="needs the parameter n: int"):
        program.ready(given, tmp_path, TaskOptions())


PLAIN = b"""
from functools import reduce

def map(line):
    return [(word, 1) for word in line.split()]
"""


def test_plain_functions_are_a_job(tmp_path):
    job = load(tmp_path, PLAIN + b"\ndef reduce(word, counts):\n    yield word, sum(counts)\n")
    assert program.shape(job) == Shape("Functions", has_reduce=True, has_combine=False)
    assert run_pairs(job, ["a b", "a"]) == [("a", 2), ("b", 1)]


def test_functions_may_have_everything_that_a_class_has(tmp_path):
    source = b"""
import mapreduce as mr

class Params:
    least: int = 2

def setup(job):
    job.seen = []

def map(job, line):
    job.counters["lines"] += 1
    if len(line) >= job.params.least:
        yield line[0], (line, job.input.offset)

def partition(key, n):
    return len(key) % n

def teardown():
    pass

sort_values = True
reduce = mr.Collect()
"""
    made = local.run_job(load(tmp_path, source), ["ab", "b", "aa"])
    assert made == ([("a", [["aa", 2], ["ab", 0]])], {"lines": 3})


def test_functions_without_a_reduce_are_map_only_whatever_they_import(tmp_path):
    assert not program.shape(load(tmp_path, PLAIN)).has_reduce


def test_functions_beside_a_class_are_chosen_by_map(tmp_path):
    info = refused(tmp_path, ONE + PLAIN)
    assert "WordCount, map; choose one" in info.message
    assert program.shape(load(tmp_path, ONE + PLAIN, class_name="map")).class_name == "Functions"
    assert "has no job: define a class that derives from mapreduce.Job, or a function map" in (
        refused(tmp_path, b"reduce = 1").message
    )


def test_a_module_of_the_installation_is_a_program(tmp_path):
    job = program.load(Program("", b"", "WordCount", module="tests.support.engine_runs"), tmp_path)
    assert job is WordCount
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "class_name", "says"),
    [
        ("no.such.place", "", r"there is no module no.such.place where the program runs: the worker's image"),
        ("tests.support.nowhere", "", "there is no module tests.support.nowhere"),
        ("no_such_job", "", r"there is no module no_such_job .*; a file is named with its ending, \.py$"),
        ("tests.support.engine_runs", "", "tests.support.engine_runs has 2 jobs: WordCount, FirstWords; choose one"),
        ("tests.support.engine_runs", "Third", "tests.support.engine_runs has no job named Third"),
    ],
)
def test_a_module_that_is_not_there_or_has_no_such_job_is_refused(tmp_path, module, class_name, says):
    with pytest.raises(ProgramError, match=says):
        program.load(Program("", b"", class_name, module=module), tmp_path)


@pytest.mark.parametrize("name", ["polars.py", "zstandard.py", "click.py", "polars.pyc", "polars.abi3.so"])
def test_a_side_file_must_not_hide_what_is_imported_later(tmp_path, monkeypatch, name):
    monkeypatch.delitem(sys.modules, name.partition(".")[0], raising=False)
    with pytest.raises(ProgramError, match=rf"the side file {name} has the name of a module of an installed package"):
        program.load(Program("job.py", ONE, files=(SideFile(name, b""),)), tmp_path)


def test_a_program_named_like_a_library_does_not_hide_it_when_it_is_imported_later(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "zstandard", raising=False)
    assert load(tmp_path, ONE, file="zstandard.py").__name__ == "WordCount"
    assert "zstandard" not in sys.modules


def test_what_the_system_needs_has_names_that_are_taken_everywhere():
    names = {name for part in ("", "-operator", "-worker") for name in metadata.requires(f"mapreduce{part}") or ()}
    wanted = {re.split(r"[^\w-]", name)[0].lower().replace("_", "-") for name in names}
    assert "polars" in wanted
    for package, owners in metadata.packages_distributions().items():
        if wanted & {owner.lower().replace("_", "-") for owner in owners} and not package.startswith("_"):
            assert package in program_files.LIBRARIES


def test_functions_that_are_imported_are_no_part_of_the_job(tmp_path):
    helper = b"""
def partition(items, n): return 1 / 0
def combine(left, right): return 1 / 0
def setup(): raise ValueError
class Params:
    n: int
"""
    imports = b"import mapreduce as mr\nfrom helper_of_lists import Params, combine, partition, setup\n"
    source = PLAIN + imports + b"reduce = mr.Sum()\n"
    job: Any = program.load(with_files(source, helper_of_lists=helper), tmp_path)
    assert run_pairs(job, ["a b", "a"], partitions=2) == [("a", 2), ("b", 1)]
    source = b"from helper_of_maps import map\n"
    with pytest.raises(ProgramError, match="has no job"):
        program.load(with_files(source, helper_of_maps=PLAIN), tmp_path)


def test_functions_may_be_decorated(tmp_path):
    source = b"""
import functools
import mapreduce as mr

def loud(function):
    @functools.wraps(function)
    def called(*arguments):
        return function(*arguments)
    return called

@loud
def map(job, line):
    job.counters["lines"] += 1
    return [(word, 1) for word in line.split()]

@functools.lru_cache
def partition(key, n):
    return len(key) % n

@loud
def reduce(key, values):
    yield key, sum(values)
"""
    made = local.run_job(load(tmp_path, source), ["a bb", "a"], partitions=2)
    assert (sorted(made.pairs), made.counters) == ([("a", 2), ("bb", 1)], {"lines": 2})
