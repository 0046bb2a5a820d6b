"""What ends a run of `--sequential`: from outside, or what only looks like it; and what is told then."""

import os
import signal
from pathlib import Path

import pytest

from mapreduce import history
from mapreduce.program import Program
from mapreduce.spec import JobSpec
from mapreduce_cli import sequential
from mapreduce_cli.failures import JobFailed
from mapreduce_cli.progress import Silent

SOURCE = """
import os, signal
import mapreduce as mr
class J(mr.Job):
    def map(self, line):
        {line}
        yield line, 1
    reduce = mr.Sum()
"""


def run(root: Path, line: str) -> None:
    (root / "in.txt").write_bytes(b"a\n")
    program = Program("job.py", SOURCE.format(line=line).encode())
    spec = JobSpec(uid="u1", name="job", program=program, inputs=("in.txt",), output="folder/out", reducers=1)
    sequential.run(spec, root, Silent())


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "GeneratorExit"])
def test_what_the_program_raises_itself_is_its_failure_with_place_and_traceback(tmp_path: Path, raised: str) -> None:
    with pytest.raises(JobFailed) as caught:
        run(tmp_path, f"raise {raised}")
    assert (caught.value.reason, caught.value.where) == ("UserCodeFailed", "in.txt:0")
    assert "in map" in caught.value.traceback
    (kept,) = tmp_path.glob("folder/.*/_history/events.ndjson")
    (failed,) = [event for event in history.parse(kept.read_bytes()) if event["event"] == "Failed"]
    assert (failed["where"], failed["traceback"]) == ("in.txt:0", caught.value.traceback)


@pytest.mark.parametrize("name", [number.name for number in sequential.SIGNALS])
def test_a_signal_interrupts_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    before = signal.getsignal(signal.Signals[name])
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, f"os.kill(os.getpid(), signal.{name})")
    assert os.listdir(tmp_path) == ["in.txt"]
    assert signal.getsignal(signal.Signals[name]) == before


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run(tmp_path, "os.kill(os.getpid(), signal.SIGINT)")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "folder" / "out" / "_SUCCESS").exists()


def test_how_a_job_ended_is_told_even_where_nothing_can_be_tidied_up(tmp_path: Path) -> None:
    folder = str(tmp_path / "folder")
    with pytest.raises(JobFailed) as caught:
        run(
            tmp_path,
            f"os.rename({folder!r}, {folder!r} + '2'); open({folder!r}, 'w').close(); raise ValueError('mine')",
        )
    assert (caught.value.reason, caught.value.message) == ("UserCodeFailed", "ValueError: mine")
