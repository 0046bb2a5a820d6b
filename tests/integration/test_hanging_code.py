"""User code that hangs is ended, and its task tried again; code that always hangs fails the job."""

from pathlib import Path

import pytest

from tests.support.local_runs import events, finished, succeeded, write_program

HANGS_ONCE = """
import time
from pathlib import Path
import mapreduce as mr

class Hangs(mr.Job):
    def map(self, line):
        mark = Path("hung")
        if line == "bad" and not mark.exists():
            mark.touch()
            time.sleep(600)
        yield line, 1

    reduce = mr.Sum()
"""

HANGS_ALWAYS = """
import time
import mapreduce as mr

def map(line):
    if line == "bad":
        time.sleep(600)
    yield line, 1
"""


def arguments(folder: Path, program: str, seconds: int) -> list[object]:
    """Return what a run of the program is given: one split, one worker, and how long code may stand still."""
    (folder / "in.txt").write_text("good\nbad\n")
    job = write_program(folder, program.replace('"hung"', repr(str(folder / "hung"))))
    return [job, "in.txt", "--output", "out", "--workers", "1", "--task-timeout", seconds]


@pytest.mark.feature("task timeout", "local")
def test_a_map_that_hangs_once_runs_again(tmp_path: Path) -> None:
    succeeded(tmp_path, *arguments(tmp_path, HANGS_ONCE, 4))
    assert (tmp_path / "out" / "output.tsv").read_text() == "bad\t1\ngood\t1\n"
    charged = [event for event in events(tmp_path / "out") if event["event"] == "Charged"]
    assert [event["reason"] for event in charged] == ["NoProgress"]


def test_a_map_that_always_hangs_fails_the_job_and_says_where(tmp_path: Path) -> None:
    status, _, stderr = finished(tmp_path, *arguments(tmp_path, HANGS_ALWAYS, 1))
    assert status == 1
    assert "NoProgress: map-0 failed 4 times, at last: no progress for 1 s: no record, " in stderr
    assert "and no call of self.progress() (at job.py on " in stderr
    assert "in.txt, bytes 0 to 9, after " in stderr
    assert "hint: call self.progress() within long work, or raise --task-timeout" in stderr
    assert not (tmp_path / "out").exists()
