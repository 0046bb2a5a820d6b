"""A file becomes the job in it, or an error that says what to change."""

import random
import sys

import pytest

import mapreduce as mr
from mapreduce.errors import ProgramError
from mapreduce.program import Program, Shape
from mapreduce_worker.engine import failure, program

ONE = b"""
import mapreduce as mr

class WordCount(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()
"""
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
        (
            b"import mapreduce as mr\nclass A(mr.Job):\n    def map(self, r): return []\n    sort_values = True",
            "A has sort_values but no reduce",
        ),
        (
            b"import mapreduce as mr\nclass A(mr.Job):\n    def map(self, r): return []\n    combine = map",
            "A has combine",
        ),
        (
            b"import mapreduce as mr\nclass A(mr.Job):\n    def map(self, r): return []\n    partition = map",
            "A has part",
        ),
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
