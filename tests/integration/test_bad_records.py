"""`--skip-bad-records` on one machine: a map that runs again leaves each record out once, and the limit holds."""

import json
from pathlib import Path

import pytest

from mapreduce.history import parse
from tests.support.local_runs import finished, reference, succeeded, write_program

LINES = [f"{number} x" if number % 10 == 3 else f"{number % 4} {number}" for number in range(40)]
JOB = """
import mapreduce as mr

class Numbers(mr.Job):
    def map(self, line):
        {first}
        for word in line.split():
            yield int(word), 1

    reduce = mr.Sum()
"""
DIES_ONCE = """import os, pathlib
        mark = pathlib.Path({mark!r}) / (self.input.file + str(self.input.offset))
        if not mark.exists():
            mark.touch()
            if line == "3 39":
                os._exit(3)"""


def run(folder: Path, program: Path, output: str, limit: int, *options: str) -> tuple[int, str, str]:
    (folder / "in.txt").write_text("\n".join(LINES))
    words = ("--split-size", "60", "--reducers", "2", "--skip-bad-records", str(limit), *options)
    return finished(folder, program, "in.txt", "--output", output, *words)


def test_a_map_that_runs_again_leaves_each_record_out_once(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    program = write_program(tmp_path, JOB.format(first=DIES_ONCE.format(mark=str(tmp_path / "marks"))))
    status, _, stderr = run(tmp_path, program, "local", 4, "--workers", "2")
    assert status == 0, stderr
    assert "4 bad records are left out of the output: see local/_bad_records.jsonl" in stderr
    history = parse((tmp_path / "local" / "_history" / "events.ndjson").read_bytes())
    assert [event["reason"] for event in history if event["event"] == "Failed"] == ["SlotExited"]
    left_out = [
        int(str(event["bad_records"])) for event in history if event["event"] == "Finished" and "bad_records" in event
    ]
    assert sorted(left_out) == [1, 1, 2]
    kept = [json.loads(line) for line in (tmp_path / "local" / "_bad_records.jsonl").read_text().splitlines()]
    assert [bad["record"] for bad in kept] == ["3 x", "13 x", "23 x", "33 x"]
    # Now it dies no more: the same bytes in one process.
    assert run(tmp_path, program, "alone", 4, "--sequential")[0] == 0
    for name in ("output.tsv", "_bad_records.jsonl"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
    (tmp_path / "good.txt").write_text("\n".join(line for line in LINES if "x" not in line))
    tame = write_program(tmp_path, JOB.format(first="pass"), "tame.py")
    assert (tmp_path / "local" / "output.tsv").read_bytes() == reference(tame, tmp_path / "good.txt")


@pytest.mark.parametrize("mode", [("--sequential",), ("--workers", "2")], ids=["sequential", "local"])
def test_one_bad_record_more_than_allowed_fails_the_job_and_names_one(tmp_path: Path, mode: tuple[str, ...]) -> None:
    program = write_program(tmp_path, JOB.format(first="pass"))
    status, _, stderr = run(tmp_path, program, "out", 3, *mode)
    assert status == 1
    assert "TooManyBadRecords: more bad records than the 3 that may be left out; the last one is at in.txt:" in stderr
    assert "a larger --skip-bad-records" in stderr
    assert not (tmp_path / "out").exists()


def test_for_programs_the_number_is_in_the_document(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("1\nx\n")
    program = write_program(tmp_path, JOB.format(first="pass"))
    words = ("in.txt", "--output", "out", "--skip-bad-records", "1", "--sequential", "--json")
    assert json.loads(succeeded(tmp_path, program, *words))["output"]["bad_records"] == 1
