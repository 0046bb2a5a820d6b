"""Lines of a Pod's log as people read them: those that are JSON objects become the text that a laptop would show.

Neighbours: `logs.py` (prints them), `mapreduce.logs` (wrote them).
"""

from __future__ import annotations

import json


def as_text(line: bytes) -> list[bytes]:
    """Return a line as the lines of text that it stands for: itself, unless it is a record of ours.

    All but the first are indented, as what a program prints is: it cannot pass for a record.
    """
    if not line.startswith(b'{"time"'):
        return [line]
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return [line]
    if not isinstance(record, dict):
        return [line]
    time = str(record.get("time", "")).replace("T", " ").removesuffix("Z").replace(".", ",")
    head = f"{time} {record.get('level')} {record.get('logger')}: {record.get('message')}"
    below = str(record["exception"]).split("\n") if record.get("exception") else []
    first, *rest = [*head.split("\n"), *below]
    return [_encoded(first), *(_encoded(row if row.startswith("  ") else f"  {row}") for row in rest)]


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
