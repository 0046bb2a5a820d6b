"""The uids of jobs that run on this machine, and which of them live.

A uid names the process that runs the job, so that a later run can tell whether the files which
an earlier one left beside the output belong to a job that still runs. Neighbours: `local.py` and
`sequential.py`; the gateway's storage sweeps what belongs to none of the living.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

SCRATCH: Final = "mapreduce-"
"""Scratch directories are `mapreduce-<uid>.<random>` where the platform has temporary files."""
KEPT: Final = "mapreduce-logs-"


def new_uid() -> str:
    """Return a uid that is never used twice: random, machine, process, start of the process."""
    return f"{secrets.token_hex(4)}-{_machine()}-{os.getpid()}-{_started(os.getpid())}"


def lives(uid: str) -> bool:
    """Tell whether the job with this uid may still run.

    A uid of another machine (or of a cluster) says nothing about its job here, so it counts as
    living: taking away the output of a running job is worse than asking the user.
    """
    fields = uid.split("-")
    if len(fields) != 4 or fields[1] != _machine() or not fields[2].isdigit():
        return True
    return _started(int(fields[2])) == fields[3]


def judge(uids: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which of these jobs may live, and which are dead for certain."""
    judged = {uid: lives(uid) for uid in uids}
    return tuple(uid for uid in judged if judged[uid]), tuple(uid for uid in judged if not judged[uid])


def make_scratch(uid: str) -> Path:
    """Make the scratch directory of a job, and remove those of this user's jobs that were killed."""
    folder = Path(tempfile.gettempdir())
    for left in folder.glob(f"{SCRATCH}*.*"):
        with contextlib.suppress(OSError):
            status = left.lstat()
            owner = left.name.removeprefix(SCRATCH).partition(".")[0]
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not lives(owner):
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{uid}."))


def keep_logs(scratch: Path) -> Path | None:
    """Give the scratch directory of a failed job, which holds only logs now, a name that is not swept.

    Returns None if it is gone: user code, or who tidies temporary files, may have removed it.
    """
    try:
        return scratch.rename(scratch.with_name(f"{KEPT}{scratch.name.removeprefix(SCRATCH).replace('.', '-')}"))
    except OSError:
        return None


@lru_cache(maxsize=1)
def _machine() -> str:
    """Return a name of this boot of this machine and its space of process numbers."""
    try:
        parts = [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]
    except OSError:
        parts = [os.uname().nodename]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _started(pid: int) -> str:
    """Return when the process started, in ticks since boot; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
