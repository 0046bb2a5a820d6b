"""`mapreduce submit` makes nothing for a job that cannot run."""

import pytest
import yaml

from tests.support.fake_cluster import make_job, run, run_json

PROGRAM = """import mapreduce as mr


class WordCount(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()
"""
BROKEN = PROGRAM.replace("yield word, 1", "yield word, 1)")
PLACES = ("--input", "pvc:data/texts", "--output", "pvc:data/counts")


@pytest.mark.parametrize("beside", [False, True])
def test_a_program_that_is_no_python_is_refused_before_anything_is_made(cluster, tmp_path, beside):
    path = tmp_path / "word_count.py"
    path.write_text(BROKEN)
    words = ("--files", __file__) if beside else ()
    done = run("submit", str(path), *PLACES, *words)
    assert done.exit_code == 2
    assert "word_count.py, line 7: SyntaxError: unmatched ')'" in done.stderr
    assert not cluster.objects


def test_a_program_for_another_image_may_be_of_another_python(tmp_path):
    path = tmp_path / "word_count.py"
    path.write_text(BROKEN)
    (made,) = run_json("submit", str(path), *PLACES, "--image", "own:1", "--dry-run")["documents"]
    assert made["spec"]["program"] == {"inline": BROKEN}


@pytest.mark.parametrize("output", ["pvc:data/texts/counts", "pvc:data/texts/"])
def test_an_output_inside_the_input_is_refused(cluster, tmp_path, output):
    program = str(tmp_path / "word_count.py")
    (tmp_path / "word_count.py").write_text(PROGRAM)
    done = run("submit", program, "--input", "pvc:data/texts", "--output", output)
    assert done.exit_code == 2
    assert "lies in the input 'texts': the next run would read it" in done.stderr
    assert not cluster.objects
    assert run("submit", program, "--input", "pvc:data/texts/*.txt", "--output", output).exit_code == 0


def test_a_resource_with_a_program_that_is_no_python_is_refused(cluster, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(make_job("wc", program={"inline": BROKEN})))
    done = run("submit", str(path))
    assert (done.exit_code, f"the program of {path}, line 7: SyntaxError" in done.stderr) == (2, True)
    assert not cluster.objects
