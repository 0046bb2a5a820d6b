"""In a run of real processes, a reduce begins to gather while the last map runs, and the output is the same."""

from pathlib import Path

from mapreduce import history, paths
from mapreduce.history import HistoryEvent
from tests.support import history_checker
from tests.support.local_runs import WORD_COUNT, events, hidden, reference, running, write_program

PROGRAM = """
import pathlib
import time

import mapreduce as mr


class LastWaits(mr.Job):
    def map(self, line):
        while self.input.file == "z.txt" and not pathlib.Path({go!r}).exists():
            time.sleep(0.01)
        for word in line.split():
            yield word, 1

    def reduce(self, word, counts):
        yield word, sum(counts)
"""


def begun_early(folder: Path) -> bool:
    """Tell whether the journal of the run in this folder has a reduce that began before the last map had ended."""
    for staging in hidden(folder, "out"):
        journal = folder / staging / paths.JOURNAL
        if journal.exists():
            entries = (frame.entry for frame in history.unpack(journal.read_bytes())[0])
            return any(isinstance(entry, HistoryEvent) and entry.reason == "Early" for entry in entries)
    return False


def test_a_reduce_gathers_while_the_last_map_runs(tmp_path: Path) -> None:
    go = tmp_path / "go"
    program = write_program(tmp_path, PROGRAM.format(go=str(go)))
    texts = tmp_path / "in"
    texts.mkdir()
    for name, lines in (("a", 500), ("z", 100)):
        (texts / f"{name}.txt").write_text("one two two\n" * lines)
    # On a slow machine a second attempt of the last map would take the place of the reduce.
    options = ("--split-size", "2000", "--reducers", "3", "--workers", "2", "--no-speculation")
    with running(tmp_path, program, texts, "--output", "out", *options) as run:
        run.until(lambda: begun_early(tmp_path))
        go.touch()
        assert run.wait() == 0, run.stderr
    plain = write_program(tmp_path, WORD_COUNT, "plain.py")
    assert (tmp_path / "out/output.tsv").read_bytes() == reference(plain, *sorted(texts.iterdir()))
    told = events(tmp_path / "out")
    maps = {event["task"] for event in told if event.get("task", "").startswith("map-")}
    assert history_checker.check(told, maps=len(maps), reduces=3) == []
    early = [event["attempt"] for event in told if event.get("reason") == "Early"]
    finished = [event.get("attempt", "") for event in told if event["event"] == "Finished"]
    assert early
    assert {attempt for attempt in finished if attempt.startswith("reduce-")} >= {early[0]}
