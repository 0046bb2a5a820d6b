"""The command on a real terminal, in a pipe, and for programs: what stands where, and the exit status."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.local_runs import PATIENCE, WORD_COUNT, finished, slow_program, write_program, write_texts
from tests.support.terminals import Terminal


def test_a_terminal_shows_bars_and_the_result(tmp_path: Path) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), write_texts(tmp_path)
    terminal = Terminal(tmp_path, "run", program, texts, "--output", "out", "--split-size", "2KiB")
    shown = terminal.rest()
    assert terminal.process.wait(PATIENCE) == 0, shown
    assert "\x1b[" in shown, "nothing was drawn"
    assert "━" in shown
    assert "out/output.tsv: " in shown
    assert "Traceback" not in shown


def test_control_c_on_a_terminal_ends_the_run_and_says_so(tmp_path: Path) -> None:
    program, marks = slow_program(tmp_path)
    (marks / "hold-map").touch()
    terminal = Terminal(tmp_path, "run", program, write_texts(tmp_path), "--output", "out")
    deadline = time.monotonic() + PATIENCE
    while not list(marks.glob("map-*")):
        assert time.monotonic() < deadline, "no map began"
        terminal.until("map")
        time.sleep(0.02)
    os.killpg(terminal.process.pid, signal.SIGINT)
    shown = terminal.rest()
    assert terminal.process.wait(PATIENCE) == 130, shown
    assert "interrupted: every process was ended, and nothing was published" in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()


def test_in_a_pipe_progress_is_plain_lines_on_stderr(tmp_path: Path) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), write_texts(tmp_path)
    status, stdout, stderr = finished(tmp_path, program, texts, "--output", "out")
    assert status == 0, stderr
    assert stdout.startswith("out/output.tsv: ")
    assert len(stdout.split("\n")) == 2
    assert "\x1b" not in stdout + stderr
    assert [row.split()[0] for row in stderr.split("\n")[:-1]][-1] == "succeeded"


@pytest.mark.feature("run --json", "sequential")
@pytest.mark.feature("run --json", "local")
@pytest.mark.parametrize("mode", [(), ("--sequential",)], ids=["local", "sequential"])
def test_for_programs_there_is_one_document_and_nothing_else(tmp_path: Path, mode: tuple[str, ...]) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), write_texts(tmp_path)
    status, stdout, stderr = finished(tmp_path, program, texts, "--output", "out", "--merge", "none", "--json", *mode)
    assert (status, stderr) == (0, "")
    document = json.loads(stdout)
    assert document["output"]["path"] == "out"
    assert document["output"]["data"] == [f"part-r-{number:05}.tsv" for number in range(8)]
    assert document["output"]["files"] == 8
    assert document["seconds"] > 0


FAILING = WORD_COUNT.replace("for word in", "1 / len(line)\n        for word in")


@pytest.mark.parametrize(
    ("source", "arguments", "status", "reason"),
    [
        (FAILING, (), 1, "UserCodeFailed"),
        (WORD_COUNT, ("--reducers", "0"), 2, "Refused"),
        (WORD_COUNT, ("--max-record", "0"), 2, "Refused"),
        (WORD_COUNT, ("--no-such-option",), 2, "Refused"),
        ("x = 1\n", (), 2, "ProgramInvalid"),
    ],
    ids=["failed", "refused", "refused option", "unknown option", "no job"],
)
def test_for_programs_an_error_is_a_document_too(
    tmp_path: Path, source: str, arguments: tuple[str, ...], status: int, reason: str
) -> None:
    program, texts = write_program(tmp_path, source), tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("one\n\n")
    found, stdout, stderr = finished(tmp_path, program, texts, "--output", "out", "--json", "--sequential", *arguments)
    assert (found, stderr) == (status, "")
    error = json.loads(stdout)["error"]
    assert error["reason"] == reason
    assert error["message"]
    if status == 1:
        assert error["where"] == "a.txt:4"
        assert "ZeroDivisionError" in error["traceback"]
