"""`mapreduce replay`: a map of a job that is over, once more, in this process."""

import json
import os
import re
import subprocess
import sys

import pytest

from mapreduce_cli import past_attempts
from tests.support import hostile
from tests.support.fake_cluster import over, run, run_json

COUNTS = """
import mapreduce as mr

class Lengths(mr.Job):
    class Params:
        least: int = 0

    def map(self, line):
        print("reading", line)
        breakpoint()
        self.counters["lines"] += 1
        if not line:
            raise ValueError(f"an empty line: {line!r}")
        yield line, len(line) + self.params.least

    reduce = mr.Sum()
"""
MAP_ONLY = """
def map(line):
    yield line.upper(), 1
"""
PARSED = """
import mapreduce as mr

class Sums(mr.Job):
    def map(self, row):
        yield row["name"], int(row["n"])

    reduce = mr.Sum()
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The folder is an empty one, and nobody debugs by accident."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")
    return tmp_path


def ran(source, text, *options):
    """Run a job on this machine; return its exit status."""
    with open("job.py", "w") as file:
        file.write(source)
    with open("in.txt", "w", newline="") as file:
        file.write(text)
    return run("run", "job.py", "in.txt", "--output", "out", "--sequential", "--json", *options).exit_code


def replay(*words):
    return run("replay", "./out", "--task", *words)


def debugged(task, keys):
    """Replay under pdb, in a process that is not pytest's, and type these keys."""
    command = [sys.executable, "-m", "mapreduce_cli", "replay", "./out", "--task", task, "--pdb"]
    return subprocess.run(command, input=keys, capture_output=True, text=True, check=False, timeout=60)


def test_a_map_that_failed_fails_again_at_the_same_place():
    assert ran(COUNTS, "a\n\nb\n", "--param", "least=2") == 1
    done = replay("map-0")
    assert done.exit_code == 1
    assert done.stdout.startswith("reading a\nreading \nmap-0 failed: UserCodeFailed: ValueError: an empty line: ''\n")
    assert '  at in.txt:2\n  Traceback (most recent call last):\n    File "job.py", line 13, in map\n' in done.stdout
    assert done.stdout.endswith("as in the job, where map-0.e1.0 had the same error at the same place\n")
    assert "map-0 of job reads in.txt from 0 to 5\n" in done.stderr
    assert re.search(r"sha256 [0-9a-f]{64}, is job.py, which is written below .*/mapreduce-replay-", done.stderr)
    assert "it runs here, in this process, with your rights" in done.stderr


def test_only_the_ranges_of_the_map_are_read_and_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    text = "".join(f"line {number}\n" for number in range(30))
    assert ran(COUNTS, text, "--split-size", "100") == 0
    before = sorted(os.listdir())
    done = replay("map-1")
    assert done.exit_code == 0
    read = re.findall("^reading line ([0-9]+)$", done.stdout, re.MULTILINE)
    assert 5 < len(read) < 20
    assert f"map-1 ended well: {len(read)} records read, {len(read)} rows made\n  lines: {len(read)}\n" in done.stdout
    assert "as in the job, where map-1.e1.0 had the same output" in done.stdout
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("source", "text", "options"),
    [
        (MAP_ONLY, "a\nb\n" * 200, ("--split-size", "100")),
        (PARSED, "name,n\n" + "x,1\ny,2\n" * 100, ("--format", "csv", "--split-size", "100")),
        (COUNTS, "a\nb\n" * 200, ("--order", "total", "--split-size", "100")),
    ],
    ids=["map only", "csv", "total order"],
)
def test_every_kind_of_map_makes_the_same_again(source, text, options):
    assert ran(source, text, *options) == 0
    told = json.loads(replay("map-2", "--json").stdout)
    assert (told["task"], told["same"]) == ("map-2", True)
    assert told["made"]["records"] > 5


def test_for_programs_it_is_one_document_and_what_the_program_prints_is_on_stderr():
    assert ran(COUNTS, "a\n\n") == 1
    done = replay("map-0", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert told["error"]["where"] == "in.txt:2"
    assert told["error"]["reason"] == "UserCodeFailed"
    assert told["same"] is True
    assert "reading a" in done.stderr


def test_pdb_opens_where_the_program_raised():
    assert ran(COUNTS, "a\n\n") == 1
    done = debugged("map-0", "p line\np self.params.least\nup\nq\n")
    assert done.returncode == 1
    assert "(Pdb) ''\n(Pdb) 0\n" in done.stdout
    assert "/job.py(13)map()" in done.stdout
    assert "*** Oldest frame" in done.stdout, "frames of the engine are none of the user's"


def test_a_breakpoint_stops_under_pdb_and_nowhere_else(monkeypatch):
    assert ran(COUNTS, "a\nb\n") == 0
    monkeypatch.delenv("PYTHONBREAKPOINT")
    assert replay("map-0", "--no-pdb").exit_code == 0
    done = debugged("map-0", "p line\nc\np line\nc\n")
    assert done.returncode == 0
    assert [text for text in ("'a'", "'b'") if f"(Pdb) {text}" in done.stdout] == ["'a'", "'b'"]
    left = debugged("map-0", "q\n")
    assert (left.returncode, "the debugger was left" in left.stderr) == (130, True)


def test_input_that_changed_is_told_and_read_only_if_that_is_wanted():
    assert ran(COUNTS, "a\n\nb\n") == 1
    with open("in.txt", "w") as file:
        file.write("a\nb\nc\nd\n")
    done = replay("map-0")
    assert (done.exit_code, "reading" in done.stdout) == (2, False)
    assert "changed: in.txt has 8 bytes, " in done.stderr
    assert "--force reads it as it is now" in done.stderr
    forced = replay("map-0", "--force")
    assert forced.exit_code == 0
    assert "map-0 ended well: 4 records read" in forced.stdout
    assert "otherwise than in the job, where it was map-0.e1.0: UserCodeFailed: ValueError" in forced.stdout
    os.unlink("in.txt")
    gone = replay("map-0", "--force")
    assert (gone.exit_code, "in.txt cannot be read: No such file" in gone.stderr) == (2, True)


def test_input_may_have_been_copied_to_another_folder(tmp_path):
    assert ran(COUNTS, "a\nb\n") == 0
    copy = tmp_path / "copy" / str(tmp_path).lstrip("/")
    copy.mkdir(parents=True)
    os.rename("in.txt", copy / "in.txt")
    assert replay("map-0").exit_code == 2
    done = replay("map-0", "--root", "copy")
    assert "as in the job, where map-0.e1.0 had the same output" in done.stdout


def test_a_program_that_depends_on_more_than_its_input_is_told_apart():
    assert ran("import os\n\ndef map(line):\n    yield str(os.environ.get('NOW')), 1\n", "a\n") == 0
    os.environ["NOW"] = "later"
    try:
        done = replay("map-0")
    finally:
        del os.environ["NOW"]
    assert "map-0.e1.0 made another output, so it depends on more than its input" in done.stdout


@pytest.mark.parametrize("task", ["reduce-3", "map", "map-0.e1.0", "s1-map-0", "map-99999999999"])
def test_what_is_no_map_is_refused_with_what_can_be(task):
    done = replay(task)
    assert (done.exit_code, f"{task!r} cannot be replayed" in done.stderr) == (2, True)
    assert "hint: what can be replayed today is a map, such as map-17" in done.stderr


def test_a_map_that_the_job_did_not_have_is_told():
    assert ran(COUNTS, "a\n") == 0
    done = replay("map-7")
    assert (done.exit_code, "there is no map-7: the plan has 1 maps" in done.stderr) == (2, True)


def test_a_job_on_the_cluster_is_refused_with_what_there_is(cluster, tmp_path):
    cluster.job("wc", over("Failed"))
    done = run("replay", "wc", "--task", "map-17")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "wc is a job on the cluster, which cannot be replayed from there yet" in done.stderr
    assert "mapreduce logs wc --task map-17 shows what it said" in done.stderr
    (tmp_path / "out").mkdir()
    assert "mapreduce replay ./out --task map-17 takes the folder" in run("replay", "out", "--task", "map-17").stderr


def test_a_history_without_a_plan_or_of_another_user_is_refused(tmp_path, monkeypatch):
    assert ran(COUNTS, "a\n") == 0
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    done = replay("map-0")
    assert (done.exit_code, "reading" in done.stdout) == (2, False)
    assert "belongs to another user, whose program would run with your rights" in done.stderr
    assert replay("map-0", "--yes").exit_code == 0
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "_history" / "plan.ndjson").unlink()
    done = replay("map-0")
    assert (done.exit_code, "has no plan and no job" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("name", "word"), [("job.json", b"in.txt"), ("plan.ndjson", b"in.txt"), ("events.ndjson", b"sequential")]
)
def test_files_that_were_changed_are_not_believed(tmp_path, name, word):
    assert ran(COUNTS, "a\n") == 0
    path = tmp_path / "out" / "_history" / name
    path.write_bytes(path.read_bytes().replace(word, b"X" + word[1:]))
    done = replay("map-0")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "damaged" in done.stderr


@pytest.mark.parametrize("text", [*hostile.ALL.values(), hostile.SURROGATES], ids=[*hostile.ALL, "surrogates"])
def test_what_a_program_raises_is_shown_as_text(text):
    assert ran(f"def map(line):\n    raise ValueError({text!a})\n", "a\n") == 1
    done = replay("map-0")
    assert done.exit_code == 1
    assert all(row.isprintable() for row in (done.stdout + done.stderr).split("\n"))
    assert "as in the job, where map-0.e1.0 had the same error" in done.stdout


def test_the_history_that_is_replayed_is_the_one_that_logs_shows():
    assert ran(COUNTS, "a\n\n") == 1
    assert past_attempts.of_folder("./out").parent.name == "_history"
    assert run_json("logs", "./out")["attempts"][0]["where"] == "in.txt:2"
