"""`make bench` counts all processes of a command, compares every output, and says what failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.check import WrongOutput
from bench.compare import Play
from bench.contenders import Contender
from bench.measure import Measured
from bench.truth import Truth, Truths, reference

PROGRAM = """
import mapreduce as mr

class Where(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, self.input.file

    reduce = mr.Unique()
"""


# Measuring waits for every child of its process, so it has one of its own: argv has the log, then the command.
MEASURE = """
import os, sys
from pathlib import Path
from bench.measure import CommandFailed, run_command
try:
    print(*run_command(sys.argv[2:], Path(sys.argv[1]), env=os.environ))
except CommandFailed as error:
    print("failed:", error)
"""
# Two children, one after the other: each takes a fifth of a second of processor time, and 100 MiB.
CHILDREN = """
import subprocess, sys
child = "import time; full = b'x' * (100 << 20)\\nwhile time.process_time() < 0.2: pass"
for _ in "ab":
    subprocess.run([sys.executable, "-c", child])
"""


def measured(tmp_path, *command):
    """Return what is printed of the measurement of a command."""
    whole = [sys.executable, "-c", MEASURE, str(tmp_path / "log"), *command]
    return subprocess.run(whole, check=True, capture_output=True, text=True).stdout


def test_processor_time_and_memory_of_children_count(tmp_path):
    wall, cpu, peak = map(float, measured(tmp_path, sys.executable, "-c", CHILDREN).split())
    assert wall > 0
    assert cpu >= 0.4
    assert 100 << 20 <= peak < 200 << 20


def test_a_command_that_fails_is_told_with_what_it_printed(tmp_path):
    told = measured(tmp_path, "sh", "-c", "echo it went wrong; exit 3")
    assert told.startswith("failed: status 3 from sh")
    assert "it went wrong" in told
    assert "does not start" in measured(tmp_path, "/nonexistent")


def writing(name, text, source):
    """Return a contender whose command is its name and what it writes; right is what the source holds."""
    truth = Truth("", source, 1 << 40, ("cp", str(source)))
    return Contender(name, lambda folder: (name, str(folder / "output.tsv"), text), truth)


class Runner:
    """Runs such commands without a process, and notes their turns."""

    def __init__(self):
        self.turns = ""

    def __call__(self, command, log):
        name, output, text = command
        self.turns += name
        Path(output).write_text(text)
        return Measured(len(self.turns), 1.0, 1)


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").write_text("a\t1\n")
    return tmp_path / "source"


def play(tmp_path, *contenders):
    runner = Runner()
    return Play(contenders, tmp_path / "work", runner, Truths(tmp_path, os.environ).learn), runner


def test_contenders_take_turns_after_a_warm_up(tmp_path, source):
    told = []
    both, runner = play(tmp_path, writing("A", "a\t1\n", source), writing("B", "a\t1\n", source))
    found = both.rounds(2, lambda number, who, measured: told.append((number, who)))
    assert runner.turns == "ABABAB"
    assert told == [(0, "A"), (0, "B"), (1, "A"), (1, "B")]
    assert {who: [run.wall for run in runs] for who, runs in found.items()} == {"A": [3, 5], "B": [4, 6]}


def test_a_wrong_output_ends_the_row_and_is_told(tmp_path, source):
    both, runner = play(tmp_path, writing("A", "a\t1\n", source), writing("B", "a\t2\n", source))
    with pytest.raises(WrongOutput, match=r"B wrote .*B-warm-up"):
        both.rounds(1, lambda number, who, measured: None)
    assert runner.turns == "AB"


def test_a_truth_is_learned_once(tmp_path, source):
    truths, truth = Truths(tmp_path, os.environ), Truth("", source, 1 << 40, ("cp", str(source)))
    learned = truths.learn(truth)
    source.unlink()
    assert truths.learn(Truth("", source, 1 << 40, ("cp", str(source)))) == learned


def test_the_reference_tells_a_job_the_file_of_its_line(tmp_path):
    (tmp_path / "job.py").write_text(PROGRAM)
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "1.txt").write_text("a b\na\n")
    (folder / "2.txt").write_text("b")
    assert reference(f"{tmp_path / 'job.py'}:Where", folder) == b'a\t["1.txt"]\nb\t["1.txt","2.txt"]\n'
