"""How far a copy is: a bar on a terminal, plain lines elsewhere. All of it on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from mapreduce_cli import sizes, terminal

PAUSE = 5.0
"""Seconds between two plain lines."""


class Meter(Protocol):
    """Counts the bytes of blocks that were copied."""

    def __call__(self, block: bytes, /) -> None:
        """Count a block."""


@contextlib.contextmanager
def meter(name: str, total: int | None, *, quiet: bool) -> Iterator[Meter]:
    """Show the bytes that are copied while the block lasts; `total` where it is known."""
    if quiet:
        yield lambda block: None
    elif sys.stderr.isatty():
        yield from _bar(name, total)
    else:
        yield _Lines(name, total)


def _bar(name: str, total: int | None) -> Iterator[Meter]:
    from rich.console import Console  # noqa: PLC0415 - for terminals only
    from rich.progress import (  # noqa: PLC0415 - for terminals only
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        task = progress.add_task(terminal.one_line(name), total=total)
        yield lambda block: progress.advance(task, len(block))


class _Lines:
    """One line every few seconds."""

    def __init__(self, name: str, total: int | None) -> None:
        self._name = name
        self._of = f" of {sizes.render(total)}" if total is not None else ""
        self._done = 0
        self._began = self._at = time.monotonic()

    def __call__(self, block: bytes, /) -> None:
        self._done += len(block)
        now = time.monotonic()
        if now - self._at < PAUSE:
            return
        self._at = now
        rate = sizes.render(self._done / (now - self._began))
        terminal.note(f"{self._name}: {sizes.render(self._done)}{self._of}, {rate}/s")
