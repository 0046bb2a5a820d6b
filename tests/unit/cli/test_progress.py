"""What progress shows, on a terminal and in a pipe."""

import io

import pytest
from rich.console import Console

from mapreduce_cli.bars import Bars
from mapreduce_cli.progress import Lines, Snapshot

MAPPING = Snapshot(phase="Mapping", maps=(0, 4), reduces=(0, 2))


class Screen:
    """Plain lines, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rows: list[str] = []
        self.lines = Lines(self.rows.append, lambda: self.now)


def test_every_phase_gets_a_line_at_once() -> None:
    screen = Screen()
    screen.lines.show(Snapshot(phase="Planning"))
    screen.lines.show(MAPPING)
    assert screen.rows == ["planning", "mapping  maps 0/4  reduces 0/2"]


def test_within_a_phase_lines_come_seconds_apart_and_only_when_they_say_something_new() -> None:
    screen = Screen()
    done = Snapshot(phase="Mapping", maps=(2, 4), reduces=(0, 2), records=50_000, size=3_000_000)
    screen.lines.show(MAPPING)
    screen.now = 4.0
    screen.lines.show(done)
    screen.now = 10.0
    screen.lines.show(done)
    screen.lines.show(done)
    assert screen.rows == [
        "mapping  maps 0/4  reduces 0/2",
        "mapping  maps 2/4  reduces 0/2  5000 records/s, 300 kB/s",
    ]


def test_a_job_that_waits_says_why() -> None:
    screen = Screen()
    screen.lines.show(Snapshot(phase="Pending", message="waiting for a worker"))
    assert screen.rows == ["pending  waiting for a worker"]


def test_a_terminal_gets_bars_with_counts_and_rate() -> None:
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=True, width=120))
    bars.show(MAPPING)
    bars.show(Snapshot(phase="Reducing", maps=(4, 4), reduces=(1, 2), records=10, size=10))
    bars.say("WorkerLost: [w-0] is gone")
    bars.close()
    text = out.getvalue()
    assert "4/4" in text
    assert "1/2" in text
    assert "records/s" in text
    assert "[w-0] is gone" in text


def test_what_others_wrote_plays_no_tricks_on_a_terminal() -> None:
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=True, width=120, color_system=None))
    bars.say("ValueError: \x1b]0;renamed\x07 [red]name[/red]")
    bars.show(Snapshot(phase="Pending", message="no \x1b[2Jroom [bold]here[/bold]"))
    bars.close()
    text = out.getvalue()
    assert r"ValueError: \x1b]0;renamed\x07 [red]name[/red]" in text
    assert r"no \x1b[2Jroom [bold]here[/bold]" in text


def test_plain_lines_carry_no_escape_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.say("ValueError: \x1b[2J")
    lines.show(Snapshot(phase="Pending", message="\x1b[2J"))
    assert capsys.readouterr().err == "ValueError: \\x1b[2J\npending  \\x1b[2J\n"
