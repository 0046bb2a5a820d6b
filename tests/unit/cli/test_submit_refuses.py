"""`mapreduce submit` makes nothing for a job that cannot run."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from mapreduce_cli.cluster import refusals
from mapreduce_worker.engine import syntax
from tests.support.fake_cluster import make_job, run, run_json
from tests.support.submitted import WORD_COUNT

BROKEN = WORD_COUNT.replace("yield word, 1", "yield word, 1)")
PLACES = ("--input", "pvc:data/texts", "--output", "pvc:data/counts")
HERE = sys.version_info[:2]
KNOWN_IMAGE_PYTHON = refusals.IMAGE_PYTHON
NEWER = (HERE[0], HERE[1] + 1)


@pytest.fixture(autouse=True)
def _image_of_this_python(monkeypatch):
    monkeypatch.setattr(refusals, "IMAGE_PYTHON", HERE)


def test_the_python_of_the_worker_image_is_known():
    dockerfile = (Path(__file__).parents[3] / "worker" / "Dockerfile").read_text()
    found = set(re.findall(r"^FROM python:(\d+)[.](\d+)", dockerfile, re.MULTILINE))
    assert [tuple(map(int, version)) for version in found] == [KNOWN_IMAGE_PYTHON]


@pytest.mark.parametrize("beside", [False, True])
def test_a_program_that_is_no_python_is_refused_before_anything_is_made(cluster, tmp_path, beside):
    path = tmp_path / "word_count.py"
    path.write_text(BROKEN)
    words = ("--files", __file__) if beside else ()
    done = run("submit", str(path), *PLACES, *words)
    assert done.exit_code == 2
    assert "word_count.py, line 7: SyntaxError: unmatched ')'" in done.stderr
    assert not cluster.objects


def test_a_program_may_be_of_the_newer_python_of_the_image(cluster, tmp_path, monkeypatch):
    path = tmp_path / "word_count.py"
    path.write_text(BROKEN)
    monkeypatch.setattr(refusals, "IMAGE_PYTHON", NEWER)
    done = run("submit", str(path), *PLACES)
    assert done.exit_code == 0, done.output
    assert "word_count.py, line 7: SyntaxError: unmatched ')'" in done.stderr
    assert f"the worker image's {NEWER[0]}.{NEWER[1]} may take it: not refused" in done.stderr
    assert done.stdout.endswith(": submitted\n")
    assert cluster.objects


@pytest.mark.parametrize("kind", [RecursionError, MemoryError])
def test_a_program_that_is_nested_too_deeply_to_be_looked_at_is_submitted_with_a_note(
    cluster, tmp_path, monkeypatch, kind
):
    def look(source, shown):
        raise kind("too much")

    path = tmp_path / "word_count.py"
    path.write_text(WORD_COUNT)
    monkeypatch.setattr(syntax, "check", look)
    done = run("submit", str(path), *PLACES)
    assert (done.exit_code, cluster.objects != {}) == (0, True)
    assert f"word_count.py is nested too deeply to be compiled here ({kind.__name__})" in done.stderr


def test_a_program_for_another_image_may_be_of_another_python(tmp_path):
    path = tmp_path / "word_count.py"
    path.write_text(BROKEN)
    (made,) = run_json("submit", str(path), *PLACES, "--image", "own:1", "--dry-run")["documents"]
    assert made["spec"]["program"] == {"inline": BROKEN}


@pytest.mark.parametrize("output", ["pvc:data/texts/counts", "pvc:data/texts/"])
def test_an_output_inside_the_input_is_refused(cluster, tmp_path, output):
    program = str(tmp_path / "word_count.py")
    (tmp_path / "word_count.py").write_text(WORD_COUNT)
    done = run("submit", program, "--input", "pvc:data/texts", "--output", output)
    assert done.exit_code == 2
    assert "lies in the input 'texts': the next run would read it" in done.stderr
    assert not cluster.objects
    assert run("submit", program, "--input", "pvc:data/texts/*.txt", "--output", output).exit_code == 0


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("results/*/output.tsv", ()),
        ("**/*.tsv", ()),
        ("results/*/*.jsonl.gz", ("--output-format", "jsonl", "--compress", "gzip")),
        ("**/part-*", ("--merge", "none")),
    ],
)
def test_a_pattern_that_takes_the_files_that_the_job_makes_is_refused(cluster, tmp_path, pattern, words):
    program = tmp_path / "word_count.py"
    program.write_text(WORD_COUNT)
    done = run("submit", str(program), "--input", f"pvc:data/{pattern}", "--output", "pvc:data/results/x", *words)
    assert (done.exit_code, f"lies in the input '{pattern}': the next run" in done.stderr) == (2, True)
    assert not cluster.objects


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("results/*/data", ()),
        ("**/data", ()),
        ("**/d*", ()),
        ("**/????", ()),
        ("results/*/output.tsv", ("--output-format", "jsonl")),
        ("results/*/output.tsv", ("--merge", "none")),
    ],
)
def test_a_pattern_that_takes_no_file_that_the_job_makes_is_not(cluster, tmp_path, pattern, words):
    program = tmp_path / "word_count.py"
    program.write_text(WORD_COUNT)
    done = run("submit", str(program), "--input", f"pvc:data/{pattern}", "--output", "pvc:data/results/x", *words)
    assert done.exit_code == 0, done.output


def test_a_resource_with_a_program_that_is_no_python_is_refused(cluster, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(make_job("wc", program={"inline": BROKEN})))
    done = run("submit", str(path))
    assert (done.exit_code, f"the program of {path}, line 7: SyntaxError" in done.stderr) == (2, True)
    assert not cluster.objects
