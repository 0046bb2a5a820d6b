"""Where and with what something was measured: it is part of every line."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CORES = 2
DISTRIBUTIONS = ("mapreduce", "polars", "msgspec", "xxhash", "duckdb")


def pin() -> None:
    """Keep this process, and all that it starts, on the first two of its cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def environment() -> dict[str, str]:
    """Return the environment of what is measured: two threads for whoever asks, and the fixed hash seed."""
    threads = {"POLARS_MAX_THREADS": str(CORES), "OMP_NUM_THREADS": str(CORES)}
    # Scripts find themselves by their path; what Python writes beside modules is written once, by the warm-up.
    left_out = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "MAPREDUCE_SLOT_MEMORY"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return kept | threads | {"PYTHONHASHSEED": "0"}


def now() -> dict[str, Any]:
    """Return the date and the load of the machine: how many processes wanted a core in the last minute."""
    return {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "load": round(os.getloadavg()[0], 1)}


@cache
def fixed() -> dict[str, Any]:
    """Return commit, cores, nice value and versions."""
    return {
        "commit": commit(),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "nice": os.nice(0),
        "versions": {
            "python": platform.python_version(),
            **{name: found for name in DISTRIBUTIONS if (found := _version(name))},
            "sort": _told("sort", "--version").partition("\n")[0].rpartition(" ")[2],
            "linux": platform.release(),
        },
    }


@cache
def commit() -> str:
    """Return the commit, with `-changed` where the tree holds something else; results are no change."""
    changed = _told("git", "-C", str(ROOT), "status", "--porcelain", "--", ".", ":!bench/results")
    return _told("git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD") + ("-changed" if changed else "")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n")
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _told(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
