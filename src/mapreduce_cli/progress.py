"""What a running job shows: bars on a terminal, plain lines elsewhere, or a line of JSON each. All of it on stderr.

Neighbours: `local.py`, `sequential.py` and `cluster/following.py` make a `Snapshot` whenever something changed;
`bars.py` is for terminals; `mapreduce_page.estimate` knows how long a phase may still take.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol, TypeVar

import click
import msgspec

from mapreduce_cli import sizes, terminal
from mapreduce_page.estimate import Estimator

PAUSE = 5.0
"""Seconds between two plain lines of the same phase."""
BEAT: Final = 1.0
"""Seconds between two lines of JSON of the same phase."""

Choice = Literal["auto", "bars", "lines", "json", "none"]
_CHOICES: Final = ("auto", "bars", "lines", "json", "none")
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job is. records and size: input records and bytes of the maps that are done."""

    phase: str
    maps: tuple[int, int] = (0, 0)
    """(done, total)"""
    reduces: tuple[int, int] = (0, 0)
    records: int = 0
    size: int = 0
    total_size: int = 0
    """Bytes of the whole input; 0 where that is not known."""
    retries: int = 0
    """Attempts that had to be repeated, whoever was at fault."""
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


def option(command: FunctionT) -> FunctionT:
    """Give a command the option `--progress`; it gets the choice as `shown`, for `display`."""
    return click.option(
        "--progress",
        "shown",
        type=click.Choice(_CHOICES),
        default="auto",
        show_default=True,
        help="How progress is shown, on stderr. auto: bars on a terminal, else lines; none with --json.",
    )(command)


def display(choice: Choice = "auto", *, as_json: bool = False) -> Display:
    """Return what shows progress; `as_json`: the result is one document for a program."""
    if choice == "none" or (choice == "auto" and as_json):
        return Silent()
    if choice == "json":
        return JsonLines()
    if choice == "lines" or (choice == "auto" and not sys.stderr.isatty()):
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


class Speed(msgspec.Struct, frozen=True):
    """How fast a job moves: input records and bytes per second, and the seconds that its phase may still take."""

    records: float = 0.0
    size: float = 0.0
    left: float | None = None

    def rate(self) -> str:
        """Return the records and bytes per second as people read them."""
        return f"{sizes.count(self.records)} records/s, {sizes.render(self.size)}/s" if self.records else ""

    def time_left(self) -> str:
        """Return the time left of the phase as people read it; nothing where it is not known."""
        return f"{terminal.duration(math.ceil(self.left))} left" if self.left else ""


class Pace:
    """Turns snapshots into a speed: of the maps since the first was seen to count, of a phase as `Estimator` says."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: tuple[float, int, int] | None = None
        self._speed = Speed()
        self._phase = ""
        self._estimator = Estimator()

    def of(self, snapshot: Snapshot) -> Speed:
        """Return the speed; after the map phase, the rate is the one that it had."""
        now = self._clock()
        self._speed = msgspec.structs.replace(self._rated(now, snapshot), left=self._left(now, snapshot))
        return self._speed

    def _rated(self, now: float, snapshot: Snapshot) -> Speed:
        if self._began is None:
            if snapshot.phase in ("Waiting", "Pending", "Planning"):
                return self._speed
            # Who looks at a job that has run for a while counts from here.
            self._began = (now, snapshot.records, snapshot.size)
        began, records, size = self._began
        elapsed, (done, total) = now - began, snapshot.maps
        if snapshot.records > records and elapsed > 0 and (done < total or not self._speed.records):
            return Speed((snapshot.records - records) / elapsed, (snapshot.size - size) / elapsed)
        return self._speed

    def _left(self, now: float, snapshot: Snapshot) -> float | None:
        if snapshot.phase != self._phase:
            self._phase, self._estimator = snapshot.phase, Estimator()
        if snapshot.phase == "Mapping":
            done, total = (snapshot.size, snapshot.total_size) if snapshot.total_size else snapshot.maps
        elif snapshot.phase == "Reducing":
            done, total = snapshot.reduces
        else:
            return None
        self._estimator.note(now, done)
        return self._estimator.left(now, total)


def retries(snapshot: Snapshot) -> str:
    """Return how many attempts had to be repeated, if any had to."""
    return f"{snapshot.retries} {'retry' if snapshot.retries == 1 else 'retries'}" if snapshot.retries else ""


class _Paced:
    """Chooses the snapshots that are shown: each that begins a phase, and others a pause apart if they are new."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._last: Snapshot | None = None
        self._at = 0.0

    def lets(self, snapshot: Snapshot, now: float) -> bool:
        """Tell whether this one is shown, as it then is."""
        last = self._last
        if last is not None and last.phase == snapshot.phase and (snapshot == last or now - self._at < self._pause):
            return False
        self._last, self._at = snapshot, now
        return True


class Lines:
    """Plain lines: one a phase, then one every few seconds while something changes."""

    def __init__(self, write: Callable[[str], None] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write or terminal.note
        self._clock = clock
        self._pace = Pace(clock)
        self._paced = _Paced(PAUSE)

    def show(self, snapshot: Snapshot) -> None:
        """Print a line if the phase is new, or if the last one is old and says something else."""
        speed = self._pace.of(snapshot)
        if not self._paced.lets(snapshot, self._clock()):
            return
        parts = [snapshot.phase.lower()]
        for word, (done, total) in (("maps", snapshot.maps), ("reduces", snapshot.reduces)):
            if total:
                parts.append(f"{word} {done}/{total}")
        parts += [speed.rate(), retries(snapshot), speed.time_left(), terminal.one_line(snapshot.message)]
        self._write("  ".join(part for part in parts if part))

    def say(self, text: str) -> None:
        """Print the line."""
        self._write(text)

    def close(self) -> None:
        """There is nothing to leave behind."""


class JsonLines:
    """One JSON document a line, for programs: how far the job is, or something that happened."""

    def __init__(self, write: Callable[[str], None] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write or terminal.note
        self._clock = clock
        self._pace = Pace(clock)
        self._paced = _Paced(BEAT)

    def show(self, snapshot: Snapshot) -> None:
        """Print a document if the phase is new, or if the last one is old and says something else."""
        speed = self._pace.of(snapshot)
        if self._paced.lets(snapshot, self._clock()):
            self._tell("progress", _fields(snapshot, speed))

    def say(self, text: str) -> None:
        """Print a document with the line."""
        self._tell("note", text)

    def close(self) -> None:
        """There is nothing to leave behind."""

    def _tell(self, word: str, value: object) -> None:
        # As ASCII: whatever others wrote, nothing in it can act on a terminal.
        self._write(json.dumps({word: value}).replace("\x7f", "\\u007f"))


def _fields(snapshot: Snapshot, speed: Speed) -> dict[str, object]:
    return {
        "phase": snapshot.phase,
        "maps": dict(zip(("done", "total"), snapshot.maps, strict=True)),
        "reduces": dict(zip(("done", "total"), snapshot.reduces, strict=True)),
        "records": snapshot.records,
        "bytes": snapshot.size,
        "total_bytes": snapshot.total_size,
        "records_per_second": round(speed.records, 1),
        "bytes_per_second": round(speed.size, 1),
        "seconds_left": None if speed.left is None else round(speed.left, 1),
        "retries": snapshot.retries,
        "message": snapshot.message,
    }
