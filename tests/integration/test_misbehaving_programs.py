"""Whole jobs whose program misbehaves: the user reads what and where; a job that recovers gives the oracle's bytes."""

import re
import time
from pathlib import Path

import pytest

from tests.support import misbehaving
from tests.support.local_runs import PATIENCE, events, finished, running, started, succeeded, write_program

ORACLE = "bad\t1\nfine\t1\ngood\t2\n"


def program(folder: Path, body: str) -> Path:
    """Write a program that does `body` at the record `bad`, and its input."""
    (folder / "in.txt").write_text("".join(f"{line}\n" for line in misbehaving.LINES))
    return write_program(folder, misbehaving.program(folder, body))


def fails(folder: Path, body: str, *options: object) -> str:
    """Run a job that fails; return what the user reads."""
    arguments = (program(folder, body), "in.txt", "--output", "out", "--workers", "1", *options)
    status, _, stderr = finished(folder, *arguments)
    assert status == 1, stderr
    assert not (folder / "out").exists()
    return stderr


def charged(output: Path) -> list[tuple[str, str]]:
    """Return which budget paid for what, in a published history."""
    return [(str(event["budget"]), str(event["reason"])) for event in events(output) if event.get("budget")]


ONCE: dict[str, tuple[str, str, str]] = {
    "exits": ("if first(): os._exit(7)", "user", "SlotExited"),
    "raises SystemExit": ("if first(): sys.exit(3)", "user", "UserCodeFailed"),
    "crashes": ("if first(): ctypes.string_at(0)", "user", "SlotKilled"),
    "closes its descriptors": ("if first(): os.closerange(0, 200)", "user", "SlotDamaged"),
    "closes standard output": ("if first(): os.close(1)", "user", "SlotDamaged"),
    "writes to its channel": ("if first(): os.write(int(sys.argv[1]), b'x' * 99)", "user", "SlotDamaged"),
    "is killed": ("if first(): os.kill(os.getpid(), signal.SIGKILL)", "disruption", "SlotKilled"),
    "hangs": ("if first(): time.sleep(600)", "user", "NoProgress"),
}


@pytest.mark.parametrize("name", ONCE)
def test_a_program_that_misbehaves_once_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    body, budget, reason = ONCE[name]
    options = ("--task-timeout", "4") if name == "hangs" else ()
    succeeded(tmp_path, program(tmp_path, body), "in.txt", "--output", "out", "--workers", "1", *options)
    assert (tmp_path / "out" / "output.tsv").read_text() == ORACLE
    assert charged(tmp_path / "out") == [(budget, reason)]


HARMLESS = {
    "prints a lot": "for _ in range(300): print('x' * 9999)",
    "changes its folder": "os.chdir('/')",
    "leaves a thread": "threading.Thread(target=time.sleep, args=(600,)).start()",
    "leaves a child": "subprocess.Popen(['sleep', '600'], start_new_session=True)",
    "leaves a copy": "if not os.fork(): time.sleep(600)",
    "forks and goes on in both": "os.fork()",
    "handles signals": "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGUSR1, print)",
    "sets an alarm": "signal.setitimer(signal.ITIMER_REAL, 30)",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_no_harm_costs_nothing_and_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    job = program(tmp_path, HARMLESS[name])
    with running(tmp_path, job, "in.txt", "--output", "out", "--workers", "1", "--split-size", "8B") as run:
        assert run.wait() == 0, run.stderr
        deadline = time.monotonic() + PATIENCE
        while left := run.processes():
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
    assert (tmp_path / "out" / "output.tsv").read_text() == ORACLE
    assert charged(tmp_path / "out") == []


ALWAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "exits": (
        "print('going'); os._exit(7)",
        (
            "SlotExited: map-0 failed 4 times, at last: the process that ran the program ended with exit status 7",
            "memory: .* at most",
            "printed: going",
            "hint: let the program raise an exception",
        ),
    ),
    "crashes": (
        "print('going', flush=True); ctypes.string_at(0)",
        (
            r"SlotKilled: map-0 failed 4 times, at last: .* crashed: segmentation fault \(SIGSEGV\)",
            r'File "job.py", line 26 in misbehave',
            r'File "job.py", line 22 in map',
            "printed: going",
            "hint: look for a native library that crashes",
        ),
    ),
    "closes its descriptors": (
        "os.closerange(0, 200)",
        ("SlotDamaged: map-0 failed 4 times", "control channel was damaged", "hint: let the program close only"),
    ),
    "is killed": (
        "print('my last words'); os.kill(os.getpid(), signal.SIGKILL)",
        (
            "DisruptionLimit: map-0 was disrupted 20 times while no task finished; the last time: SlotKilled: "
            r"the process that ran the program was killed by signal 9 \(SIGKILL\)",
            r"it runs job.py on .*in.txt, bytes 0 to 19",
            "printed: my last words",
            "hint: .*does the program end their processes",
        ),
    ),
}


@pytest.mark.parametrize("name", ALWAYS)
def test_a_program_that_always_misbehaves_fails_with_what_is_known(tmp_path: Path, name: str) -> None:
    body, says = ALWAYS[name]
    stderr = fails(tmp_path, body)
    for text in says:
        assert re.search(text, stderr), f"{text!r} is not in:\n{stderr}"


def test_a_hang_is_told_with_the_line_where_the_code_was(tmp_path: Path) -> None:
    stderr = fails(tmp_path, "print('slow'); time.sleep(600)", "--task-timeout", "1")
    for text in ("NoProgress: map-0 failed 4 times", 'File "job.py", line 26 in misbehave', "printed: slow"):
        assert text in stderr


LEAKS = "hoard = []\nwhile {condition}: hoard.append(bytearray(8 << 20)); time.sleep(0.002)"


SMALL = """
import sys
import mapreduce_cli.run
from mapreduce_cli.main import main
mapreduce_cli.run._slot_memory = lambda slots: 300 << 20
sys.argv[0] = "mapreduce"
main()
"""
"""The command line on a machine with little memory: 300 MiB a slot."""


def leaking(folder: Path, body: str) -> tuple[int, str]:
    """Run a job with two slots of 300 MiB in one worker; return exit status and stderr."""
    arguments = (
        "-c",
        SMALL,
        "run",
        program(folder, body),
        "in.txt",
        "--output",
        "out",
        "--workers",
        "1",
        "--slots",
        "2",
    )
    with started(folder, *arguments, "--split-size", "5B") as run:
        return run.wait(), run.stderr


def test_a_leak_on_the_first_try_costs_one_attempt_which_runs_again_alone(tmp_path: Path) -> None:
    status, stderr = leaking(tmp_path, LEAKS.format(condition="first() or hoard"))
    assert status == 0, stderr
    assert (tmp_path / "out" / "output.tsv").read_text() == ORACLE
    assert charged(tmp_path / "out") == [("user", "SlotOverMemory")]
    assert "more memory than it may, 300 MiB; it runs again alone on a worker" in stderr


def test_a_task_that_needs_more_than_its_share_gets_it_when_it_is_alone(tmp_path: Path) -> None:
    status, stderr = leaking(tmp_path, "pause = 600 if first() else 1; x = bytearray(350 << 20); time.sleep(pause)")
    assert status == 0, stderr
    assert (tmp_path / "out" / "output.tsv").read_text() == ORACLE
    assert charged(tmp_path / "out") == [("user", "SlotOverMemory")]


def test_a_leak_that_always_comes_fails_the_job_with_limit_and_advice(tmp_path: Path) -> None:
    status, stderr = leaking(tmp_path, LEAKS.format(condition="True"))
    assert status == 1
    assert re.search(
        r"SlotOverMemory: map-\d failed 4 times, at last: .* used more memory than it may, \d+ MiB", stderr
    )
    assert re.search(r"memory: [0-9.]+ [KMG]i?B at most", stderr), stderr
    assert "hint: let map or reduce keep less in memory, or use fewer --workers or --slots" in stderr
