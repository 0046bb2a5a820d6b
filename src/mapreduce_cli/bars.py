"""The bars that a terminal shows of a running job, drawn by rich.

Neighbour: `progress.py`, which knows when to draw them, and the plain lines that stand elsewhere.
"""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mapreduce_cli import terminal
from mapreduce_cli.progress import Rate, Snapshot


class Bars:
    """Two bars of a terminal, map and reduce, with rate and time left."""

    def __init__(self, console: Console | None = None) -> None:
        self._rate = Rate()
        self._progress = Progress(
            TextColumn("{task.description:<6}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            # What a job waits for is often told in words of others: no markup of theirs is ours.
            TextColumn("{task.fields[note]}", markup=False),
            console=console or Console(stderr=True),
            refresh_per_second=4,
        )
        self._bars: dict[str, TaskID] = {}
        self._progress.start()

    def show(self, snapshot: Snapshot) -> None:
        """Move the bars."""
        waiting = snapshot.message or ("" if snapshot.phase in ("Mapping", "Reducing") else snapshot.phase.lower())
        self._move("map", snapshot.maps, self._rate.text(snapshot) or waiting)
        if snapshot.maps[1] and (snapshot.reduces[0] or snapshot.maps[0] == snapshot.maps[1]):
            self._move("reduce", snapshot.reduces, waiting)

    def say(self, text: str) -> None:
        """Print the line above the bars."""
        self._progress.console.print(terminal.safe(text), markup=False, highlight=False)

    def close(self) -> None:
        """Stop drawing; the last state of the bars stays."""
        self._progress.stop()

    def _move(self, name: str, counts: tuple[int, int], note: str) -> None:
        done, total = counts
        note = terminal.one_line(note)
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=None, note=note)
        self._progress.update(self._bars[name], completed=done, total=total or None, note=note)
