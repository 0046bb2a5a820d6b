"""`--sequential --max-failed-tasks`: the job goes on without tasks whose code fails, and says so."""

import json
from pathlib import Path

from tests.support import history_checker
from tests.support.local_runs import events, finished, write_program

FAILING = """
import mapreduce as mr

class Fails(mr.Job):
    def map(self, line):
        self.counters["lines"] += 1
        if line == "bad":
            raise ValueError("a bad line")
        yield line, 1

    def reduce(self, key, values):
        self.counters["keys"] += 1
        if key == "worse":
            raise ValueError("a bad key")
        yield key, sum(values)
"""


def run(folder: Path, limit: int, program: str = FAILING) -> tuple[int, str, str]:
    """Run the job over one split a line."""
    (folder / "in.txt").write_text("good\nbad\nworse\nok\n")
    job = write_program(folder, program)
    options = ("--split-size", "4", "--reducers", "20", "--max-failed-tasks", str(limit), "--sequential")
    return finished(folder, job, "in.txt", "--output", "out", *options)


def test_failed_maps_and_reduces_are_left_out_and_named(tmp_path: Path) -> None:
    status, _, stderr = run(tmp_path, 2)
    assert status == 0, stderr
    assert (tmp_path / "out" / "output.tsv").read_text() == "good\t1\nok\t1\n"
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_bytes())
    assert [task.split("-")[0] for task in manifest["left_out"]] == ["map", "reduce"]
    assert manifest["counters"] == {"keys": 2, "lines": 3}
    assert "2 tasks failed and were left out (map-1, reduce-" in stderr
    noted = events(tmp_path / "out")
    assert history_checker.left_out(noted) == set(manifest["left_out"])
    assert history_checker.wrong_counters(noted, manifest["counters"]) == []


def test_one_task_too_many_fails_the_job(tmp_path: Path) -> None:
    status, _, stderr = run(tmp_path, 1)
    assert status == 1
    assert "ValueError: a bad key" in stderr
    assert not (tmp_path / "out").exists()


def test_a_failed_map_of_a_job_without_reduce_leaves_a_gap(tmp_path: Path) -> None:
    status, _, stderr = run(tmp_path, 1, FAILING[: FAILING.index("    def reduce")])
    assert status == 0, stderr
    assert (tmp_path / "out" / "output.tsv").read_text() == "good\t1\nworse\t1\nok\t1\n"
