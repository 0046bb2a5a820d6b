"""What a running job shows: bars on a terminal, plain lines elsewhere. All of it on stderr.

Neighbours: `local.py` and `sequential.py` make a `Snapshot` whenever something changed; `bars.py` is
for terminals.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

import click
import msgspec

from mapreduce_cli import sizes, terminal

PAUSE = 5.0
"""Seconds between two plain lines of the same phase."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job is. records and size: input records and bytes of the maps that are done."""

    phase: str
    maps: tuple[int, int] = (0, 0)
    """(done, total)"""
    reduces: tuple[int, int] = (0, 0)
    records: int = 0
    size: int = 0
    message: str = ""
    """Why the job waits; empty while it moves."""


class Display(Protocol):
    """Shows snapshots and lines of text."""

    def show(self, snapshot: Snapshot) -> None:
        """Show how far the job is."""

    def say(self, text: str) -> None:
        """Show one line about something that happened."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def display() -> Display:
    """Return bars if stderr is a terminal, else plain lines."""
    if not sys.stderr.isatty():
        return Lines()
    # rich takes 30 ms to import, and most runs have no terminal: those of a script or a test.
    from mapreduce_cli.bars import Bars  # noqa: PLC0415 - see above

    return Bars()


class Silent:
    """Shows nothing: a program reads the result."""

    def show(self, snapshot: Snapshot) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def close(self) -> None:
        """There is nothing to leave behind."""


class Rate:
    """Records and bytes per second since the first map began to count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._text = ""

    def text(self, snapshot: Snapshot) -> str:
        """Return the rate of the map phase; after it, the one that it had."""
        now = self._clock()
        if self._began is None:
            if snapshot.phase in ("Pending", "Planning"):
                return ""
            self._began = now
        done, total = snapshot.maps
        elapsed = now - self._began
        if snapshot.records and elapsed > 0 and (done < total or not self._text):
            records, size = sizes.count(snapshot.records / elapsed), sizes.render(snapshot.size / elapsed)
            self._text = f"{records} records/s, {size}/s"
        return self._text


class Lines:
    """Plain lines: one a phase, then one every few seconds while something changes."""

    def __init__(self, write: Callable[[str], None] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write or (lambda text: click.echo(terminal.safe(text), err=True))
        self._clock = clock
        self._rate = Rate(clock)
        self._phase = ""
        self._last = ""
        self._at = 0.0

    def show(self, snapshot: Snapshot) -> None:
        """Print a line if the phase is new, or if the last one is old and says something else."""
        rate = self._rate.text(snapshot)
        parts = [snapshot.phase.lower()]
        for word, (done, total) in (("maps", snapshot.maps), ("reduces", snapshot.reduces)):
            if total:
                parts.append(f"{word} {done}/{total}")
        if rate:
            parts.append(rate)
        if snapshot.message:
            parts.append(snapshot.message)
        text = "  ".join(parts)
        now = self._clock()
        if snapshot.phase == self._phase and (text == self._last or now - self._at < PAUSE):
            return
        self._phase, self._last, self._at = snapshot.phase, text, now
        self._write(text)

    def say(self, text: str) -> None:
        """Print the line."""
        self._write(text)

    def close(self) -> None:
        """There is nothing to leave behind."""
