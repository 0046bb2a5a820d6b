"""What stands on people's terminals: text that cannot play tricks, tables, ages.

Names, tracebacks and logs are written by others; an escape sequence in them must not move a
cursor, rename a window or hide a line. Neighbours: every command that prints.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec


def safe(text: str) -> str:
    r"""Return the text with control and invisible characters as Python writes them, such as \x1b.

    Line ends and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    """Return the text as one safe line."""
    return safe(" ".join(text.split()))


def say(text: str = "") -> None:
    """Print a line to stdout."""
    click.echo(safe(text))


def note(text: str) -> None:
    """Print a line to stderr: what happens meanwhile, for people."""
    click.echo(safe(text), err=True)


def document(value: Any) -> None:
    """Print the one JSON document of a command with --json."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows in columns, as kubectl prints them: three spaces between, none at the end."""
    cells = [list(header), *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def age(timestamp: str, now: float) -> str:
    """Return how long ago `timestamp`, as the API writes time, was; `now` in Unix seconds."""
    try:
        then = datetime.datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return "<unknown>"
    return duration(now - then)


def duration(seconds: float) -> str:
    """Return a time as kubectl writes it: 45s, 3m10s, 25m, 5h12m, 3d."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if days < 2 else f"{days}d"
