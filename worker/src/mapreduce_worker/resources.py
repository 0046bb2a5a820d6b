"""What this process and everything below it take of processor, memory and disk, and what they may take.

Reads /proc, the control group's files and the disk. Neighbours: `metrics.py`, `gateway/metrics.py`; `slots/memory.py`
(what one slot takes).
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path
from typing import Final, NamedTuple

from mapreduce_worker.slots import group

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_GROUPS: Final = Path("/sys/fs/cgroup")
_LIMITS: Final = ("memory.max", "memory/memory.limit_in_bytes")


class Room(NamedTuple):
    """Bytes of a file system that are free for this process, and those that it has in all."""

    free: int
    size: int


def cpu_seconds() -> float:
    """Return the processor time of this process, of those below it that live, and of those that it waited for."""
    own = sum(map(_of, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    return own + sum(map(cpu_of, group.descendants(os.getpid())))


def _of(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def cpu_of(pid: int) -> float:
    """Return the processor time of a process, and of those below it that it waited for; 0 if it is gone."""
    try:
        # In bytes: user code names its processes, and a long name may be cut within a character.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    # utime, stime, and the same of its children.
    return sum(map(int, fields[11:15])) / _TICKS


def memory_limit(groups: Path = _GROUPS) -> int:
    """Return the bytes that the control group may use; all of the machine's where it has no limit."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in _LIMITS:
        try:
            text = (groups / name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            return min(int(text), machine)
    return machine


def room(path: Path) -> Room:
    """Return the room of the file system on which a path is; raises `OSError`."""
    found = os.statvfs(path)
    free = found.f_bavail * found.f_frsize
    return Room(free, free + (found.f_blocks - found.f_bfree) * found.f_frsize)


def size_below(path: str) -> int:
    """Return the bytes of the files below a folder; what goes away meanwhile is left out, links are not followed."""
    total = 0
    # One folder is open at a time: user code may have made them deeper than calls, or open files, can be.
    folders = [path]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    total += _size_of(entry)
    return total


def _size_of(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0
