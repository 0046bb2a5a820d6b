"""The bars that a terminal shows of a running job, drawn by rich.

Neighbour: `progress.py`, which knows when to draw them, and the plain lines that stand elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mapreduce_cli import terminal
from mapreduce_cli.progress import Pace, Snapshot, retries


class Bars:
    """Two bars of a terminal, map and reduce, with rate, retries and time left."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = Pace(clock)
        self._progress = Progress(
            TextColumn("{task.description:<6}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            # What a job waits for is often told in words of others: no markup of theirs is ours.
            TextColumn("{task.fields[note]}", markup=False),
            # Whoever asks for bars gets them, also where the output does not look like a terminal.
            console=console or Console(stderr=True, force_terminal=True),
            refresh_per_second=4,
        )
        self._bars: dict[str, TaskID] = {}
        self._progress.start()

    def show(self, snapshot: Snapshot) -> None:
        """Move the bars; what moves says how long it may still take, and what went wrong."""
        speed, mapping = self._pace.of(snapshot), snapshot.phase == "Mapping"
        waiting = snapshot.message or ("" if snapshot.phase in ("Mapping", "Reducing") else snapshot.phase.lower())
        now = [speed.time_left(), retries(snapshot), waiting]
        (mapped, maps), (reduced, reduces) = snapshot.maps, snapshot.reduces
        reducing = maps and reduces and (reduced or mapped == maps)
        if mapping or not reducing:
            self._move("map", snapshot.maps, [speed.rate(), *now])
        else:
            self._move("map", snapshot.maps, [speed.rate()])
        if reducing:
            self._move("reduce", snapshot.reduces, [] if mapping else now)

    def say(self, text: str) -> None:
        """Print the line above the bars."""
        self._progress.console.print(terminal.safe(text), markup=False, highlight=False)

    def close(self) -> None:
        """Stop drawing; the last state of the bars stays."""
        self._progress.stop()

    def _move(self, name: str, counts: tuple[int, int], notes: list[str]) -> None:
        done, total = counts
        note = "  ".join(terminal.one_line(text) for text in notes if text)
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=None, note=note)
        self._progress.update(self._bars[name], completed=done, total=total or None, note=note)
