"""A task that is much slower than the others gets a second attempt elsewhere, and nothing of the slow one stays.

The program sleeps, once: whoever takes the record first is as slow as on a machine that is overloaded.
"""

from pathlib import Path
from typing import Any

import pytest

from mapreduce import keys
from mapreduce.partitioning import partition
from tests.support import history_checker
from tests.support.local_runs import WORD_COUNT, Run, events, hidden, reference, running, write_program

SLEEPS_ONCE = """
import os, time
from pathlib import Path
import mapreduce as mr

MARKS = Path({marks!r})

def linger(phase, word):
    if word != "slow":
        return
    try:
        (MARKS / phase).touch(exist_ok=False)
    except FileExistsError:
        return
    time.sleep(600)

class SleepsOnce(mr.Job):
    def map(self, line):
        for word in line.split():
            if {phase!r} == "map":
                linger("map", word)
            yield word, 1

    def reduce(self, word, counts):
        if {phase!r} == "reduce":
            linger("reduce", word)
        while {phase!r} == "map" and (MARKS / "hold").exists():
            time.sleep(0.02)
        yield word, sum(counts)
"""
REDUCES = 8
WORDS = "to be or not to be that is the question whether"


class SlowOnce:
    """A run of eight maps, one a text, and eight reduces; one task sleeps the first time."""

    def __init__(self, folder: Path, phase: str) -> None:
        self.folder, self.phase = folder, phase
        self.marks = folder / "marks"
        self.marks.mkdir()
        self.program = write_program(folder, SLEEPS_ONCE.format(marks=str(self.marks), phase=phase))
        self.texts = folder / "texts"
        self.texts.mkdir()
        for number in range(8):
            (self.texts / f"{number}.txt").write_text(f"{WORDS} {'slow' if number == 0 else 'fast'}\n")

    def arguments(self, *more: str) -> tuple[object, ...]:
        return (self.program, self.texts, "--output", "out", "--split-size", "54", "--reducers", REDUCES, *more)

    def check(self, run: Run) -> list[dict[str, Any]]:
        """The run ends well, with the right bytes and a good history; return that."""
        assert run.wait() == 0, run.stderr
        plain = write_program(self.folder, WORD_COUNT, "plain.py")
        texts = sorted(self.texts.iterdir())
        assert (self.folder / "out" / "output.tsv").read_bytes() == reference(plain, *texts)
        told = events(self.folder / "out")
        maps = len({event["task"] for event in told if event.get("task", "").startswith("map-")})
        assert history_checker.check(told, maps=maps, reduces=REDUCES) == []
        assert run.processes() == []
        assert hidden(self.folder, "out") == []
        return told


def race(told: list[dict[str, Any]], phase: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how the task that sleeps was backed up, and what was cancelled."""
    slow = "map-0" if phase == "map" else f"reduce-{partition(keys.encode('slow'), REDUCES)}"
    (backup,) = [event for event in told if event.get("reason") == "Speculative" and event["task"] == slow]
    (cancelled,) = [event for event in told if event["event"] == "Cancelled" and event["task"] == backup["task"]]
    return backup, cancelled


@pytest.mark.feature("speculation", "local")
@pytest.mark.parametrize("phase", ["map", "reduce"], ids=["speculation-map", "speculation-reduce"])
def test_a_task_that_sleeps_on_one_worker_only_is_done_by_another_one(tmp_path: Path, phase: str) -> None:
    slow = SlowOnce(tmp_path, phase)
    with running(tmp_path, *slow.arguments("--workers", "3")) as run:
        told = slow.check(run)
    backup, cancelled = race(told, phase)
    assert cancelled["attempt"] != backup["attempt"]
    assert cancelled["worker"] != backup["worker"]
    finished = [event["attempt"] for event in told if event["event"] == "Finished" and event["task"] == backup["task"]]
    assert finished == [backup["attempt"]]
    assert [event for event in told if event["event"] in ("Charged", "Failed")] == []


def test_no_file_of_the_attempt_that_lost_stays_on_its_worker(tmp_path: Path) -> None:
    slow = SlowOnce(tmp_path, "map")
    (slow.marks / "hold").touch()
    with running(tmp_path, *slow.arguments("--workers", "3")) as run:
        # All maps are done, that which sleeps by its backup, and the reduces wait for the test.
        run.until(lambda: sum(name.endswith(".mapout") for name in of_maps(tmp_path)) == 8)
        begun = {path.name for path in slow.marks.iterdir()}
        run.until(lambda: len(of_maps(tmp_path)) == 8)
        left = of_maps(tmp_path)
        (slow.marks / "hold").unlink()
        told = slow.check(run)
    backup, cancelled = race(told, "map")
    assert begun == {"hold", "map"}
    assert f"{backup['attempt']}.mapout" in left
    assert not any(cancelled["attempt"] in name for name in left)


def of_maps(folder: Path) -> list[str]:
    """Return the names of the files that map attempts have on the disks of the workers, finished or not."""
    return [path.name for path in folder.glob("mapreduce-*/**/*map-*") if path.is_file()]
