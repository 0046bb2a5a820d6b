"""How much memory a slot takes, and whether the kernel's memory killer struck.

Reads /proc and the control group's files; where there are none, nothing is known: 0.
Neighbours: `group.py` (which processes belong to a slot), `slot.py`, which ends one that takes more
than its share.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mapreduce_worker.slots import group

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_KILLS: Final = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)


def resident(pid: int) -> int:
    """Return the bytes that a process and its descendants hold in memory.

    Pages of files are left out: libraries are shared by all slots, and the kernel can drop them.
    """
    return held((pid, *group.descendants(pid)))


def held(pids: Iterable[int]) -> int:
    """Return the bytes that these processes hold in memory."""
    return sum(map(_resident, pids))


def _resident(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/statm").read_bytes().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * _PAGE


def offer_to_the_killer() -> None:
    """Let the kernel's memory killer take this process before any other, its agent above all."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def kernel_kills() -> int:
    """Return how often the kernel's memory killer struck in this process's control group."""
    for path in _event_files():
        try:
            found = _KILLS.search(path.read_bytes())
        except OSError:
            continue
        if found:
            return int(found[1])
    return 0


def _event_files() -> tuple[Path, ...]:
    group = ""
    try:
        for row in Path("/proc/self/cgroup").read_text().split("\n"):
            if row.startswith("0::"):
                group = row[3:].strip("/")
    except OSError:
        pass
    root = Path("/sys/fs/cgroup")
    return root / group / "memory.events", root / "memory.events", root / "memory" / "memory.oom_control"
