"""Every name that stands on a disk: staging, journal, parts, the published directory.

All paths are relative to the root of one store, with `/` as separator. While a job runs its
files are under `<parent>/.<name>.<uid>/`; publishing is one rename of that directory.
"""

from __future__ import annotations

import posixpath
from typing import Final

from mapreduce.ids import AttemptId

OUTPUT_FILE: Final = "output.tsv"
MANIFEST: Final = "_manifest.json"
SUCCESS: Final = "_SUCCESS"
HISTORY: Final = "_history"
EVENTS: Final = "_history/events.ndjson"
JOURNAL: Final = "journal"
MADE: Final = "made"
"""In the staging directory of a failed job: how many directories above the output were made for it."""
PARTS: Final = "parts"


def staging(output: str, uid: str) -> str:
    """Return the directory that holds everything of an unfinished job."""
    parent, name = posixpath.split(output.rstrip("/"))
    return posixpath.join(parent, f".{name}.{uid}")


def lock(output: str) -> str:
    """Return the file whose exclusive creation reserves the output's name."""
    parent, name = posixpath.split(output.rstrip("/"))
    return posixpath.join(parent, f".{name}.lock")


def part(staging_dir: str, step: int, partition: int) -> str:
    """Return the name of one staged part."""
    return posixpath.join(staging_dir, PARTS, f"step-{step}", f"part-r-{partition:05d}")


def map_output(attempt: AttemptId) -> str:
    """Return the name, on a worker's scratch disk, of one map attempt's output."""
    return f"{attempt}.mapout"


def reduce_output(attempt: AttemptId) -> str:
    """Return the name, on a worker's scratch disk, of one attempt's part: of a reduce, or of a map where
    there is none."""
    return f"{attempt}.part"
