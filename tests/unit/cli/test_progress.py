"""What progress shows, on a terminal and in a pipe."""

import io
import json

import pytest
from rich.console import Console

from mapreduce_cli.bars import Bars
from mapreduce_cli.progress import JsonLines, Lines, Silent, Snapshot, display

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
        "mapping  maps 2/4  reduces 0/2  5000 records/s, 300 kB/s  10s left",
    ]


def test_a_line_says_how_often_was_tried_again_and_how_long_the_phase_may_still_take() -> None:
    screen = Screen()
    screen.lines.show(Snapshot(phase="Mapping", maps=(0, 4), total_size=8_000_000))
    screen.now = 10.0
    screen.lines.show(
        Snapshot(phase="Mapping", maps=(1, 4), records=100, size=2_000_000, total_size=8_000_000, retries=1)
    )
    screen.now = 20.0
    screen.lines.show(Snapshot(phase="Reducing", maps=(4, 4), reduces=(0, 4), retries=2))
    screen.now = 40.0
    screen.lines.show(Snapshot(phase="Reducing", maps=(4, 4), reduces=(1, 4), retries=2))
    assert screen.rows[1:] == [
        "mapping  maps 1/4  10 records/s, 200 kB/s  1 retry  30s left",
        "reducing  maps 4/4  reduces 0/4  10 records/s, 200 kB/s  2 retries",
        "reducing  maps 4/4  reduces 1/4  10 records/s, 200 kB/s  2 retries  60s left",
    ]


def test_nothing_is_printed_while_nothing_happens() -> None:
    screen = Screen()
    half = Snapshot(phase="Mapping", maps=(2, 4), records=10, size=10)
    for now in range(0, 600, 10):
        screen.now = float(now)
        screen.lines.show(MAPPING if now == 0 else half)
    assert len(screen.rows) == 2


def test_who_comes_while_a_job_runs_is_told_no_rate_of_what_was_before() -> None:
    screen = Screen()
    screen.lines.show(Snapshot(phase="Mapping", maps=(2, 4), records=1_000_000, size=9_000_000))
    screen.now = 10.0
    screen.lines.show(Snapshot(phase="Mapping", maps=(3, 4), records=1_000_100, size=9_001_000))
    assert screen.rows == ["mapping  maps 2/4", "mapping  maps 3/4  10 records/s, 100 B/s  10s left"]


def test_programs_get_a_document_a_line() -> None:
    screen = Screen()
    lines = JsonLines(screen.rows.append, lambda: screen.now)
    lines.show(Snapshot(phase="Mapping", maps=(0, 4), reduces=(0, 2), total_size=4000))
    screen.now = 0.5
    lines.show(Snapshot(phase="Mapping", maps=(1, 4), reduces=(0, 2), records=9, size=1000, total_size=4000))
    screen.now = 10.0
    lines.show(
        Snapshot(phase="Mapping", maps=(2, 4), reduces=(0, 2), records=20, size=2000, total_size=4000, retries=1)
    )
    lines.say("WorkerLost: w-0 \x1b\x7f\u202e\udc80 is gone")
    assert all(row.isascii() and row.isprintable() for row in screen.rows)
    first, second, said = [json.loads(row) for row in screen.rows]
    assert first["progress"]["seconds_left"] is None
    assert second == {
        "progress": {
            "phase": "Mapping",
            "maps": {"done": 2, "total": 4},
            "reduces": {"done": 0, "total": 2},
            "records": 20,
            "bytes": 2000,
            "total_bytes": 4000,
            "records_per_second": 2.0,
            "bytes_per_second": 200.0,
            "seconds_left": 10.0,
            "retries": 1,
            "message": "",
        }
    }
    assert said == {"note": "WorkerLost: w-0 \x1b\x7f\u202e\udc80 is gone"}


def test_what_is_shown_is_chosen_or_follows_from_where_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(display(), Lines)
    assert isinstance(display(as_json=True), Silent)
    assert isinstance(display("none"), Silent)
    assert isinstance(display("lines", as_json=True), Lines)
    assert isinstance(display("json"), JsonLines)
    bars = display("bars")
    bars.close()
    assert isinstance(bars, Bars)


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


def test_the_bar_that_moves_says_how_long_it_may_take_and_what_was_tried_again() -> None:
    out, now = io.StringIO(), [0.0]
    bars = Bars(Console(file=out, force_terminal=True, width=120, color_system=None), lambda: now[0])
    bars.show(MAPPING)
    now[0] = 10.0
    bars.show(Snapshot(phase="Mapping", maps=(1, 4), reduces=(0, 2), records=10, size=10, retries=3))
    bars.close()
    assert "1 records/s, 1 B/s  30s left  3 retries" in out.getvalue()


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
