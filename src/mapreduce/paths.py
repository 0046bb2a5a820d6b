"""Every name that stands on a disk: staging, journal, parts, the published directory.

All paths are relative to the root of one store, with `/` as separator. While a job runs its
files are under `<parent>/.<name>.<uid>/`; publishing is one rename of that directory.
"""

from __future__ import annotations

import posixpath
from typing import Final

from mapreduce.ids import AttemptId, Kind
from mapreduce.spec import Compression, OutputFormat

MAX_NAME: Final = 255
"""Bytes that a name between two `/` may have on nearly every volume."""
MANIFEST: Final = "_manifest.json"
SUCCESS: Final = "_SUCCESS"
HISTORY: Final = "_history"
EVENTS: Final = "_history/events.ndjson"
PLAN: Final = "_history/plan.ndjson"
JOB: Final = "_history/job.json"
REPORT: Final = "_history/report.html"
BAD_RECORDS: Final = "_bad_records.jsonl"
JOURNAL: Final = "journal"
MADE: Final = "made"
"""In the staging directory of a failed job: how many directories above the output were made for it."""
PARTS: Final = "parts"
_COMPRESSED: Final[dict[Compression, str]] = {"none": "", "gzip": ".gz", "zstd": ".zst"}


def staging(output: str, uid: str) -> str:
    """Return the directory that holds everything of an unfinished job."""
    parent, name = posixpath.split(output.rstrip("/"))
    return posixpath.join(parent, f".{name}.{uid}")


def replaced(output: str, uid: str) -> str:
    """Return where the output that this job replaces stands while the new one takes its name."""
    return f"{staging(output, uid)}.replaced"


def fit(output: str, uid: str) -> bool:
    """Tell whether a volume can have every name that the job makes for this output."""
    return all(len(name.encode()) <= MAX_NAME for name in replaced(output, uid).split("/"))


def lock(output: str) -> str:
    """Return the file whose exclusive creation reserves the output's name."""
    parent, name = posixpath.split(output.rstrip("/"))
    return posixpath.join(parent, f".{name}.lock")


def part(staging_dir: str, step: int, partition: int) -> str:
    """Return the name of one staged part."""
    return posixpath.join(staging_dir, PARTS, f"step-{step}", f"part-r-{partition:05d}")


def output_file(output_format: OutputFormat, compression: Compression) -> str:
    """Return the name of an output's only data file."""
    return f"output{_suffixes(output_format, compression)}"


def part_file(kind: Kind, index: int, output_format: OutputFormat, compression: Compression) -> str:
    """Return the name of one data file of several: of the part that a reduce, or a map without one, has made."""
    letter = "m" if kind == "map" else "r"
    return f"part-{letter}-{index:05d}{_suffixes(output_format, compression)}"


def _suffixes(output_format: OutputFormat, compression: Compression) -> str:
    return f".{output_format}{_COMPRESSED[compression]}"


def map_output(attempt: AttemptId) -> str:
    """Return the name, on a worker's scratch disk, of one map attempt's output."""
    return f"{attempt}.mapout"


def reduce_output(attempt: AttemptId) -> str:
    """Return the name, on a worker's scratch disk, of one attempt's part: of a reduce, or of a map where
    there is none."""
    return f"{attempt}.part"
