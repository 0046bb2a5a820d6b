"""One feature as a small job that every mode must run alike: its program, its input, what must come out.

A case is written once, and turned into a command line or into a resource. Its expected output is
written out by hand, so that no code of the product tells what is right.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

CAMEL = {"wholefile": "WholeFile"}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One job. `options` are the long options of the command line, without dashes."""

    feature: str
    program: str
    files: dict[str, bytes]
    """The input, below a folder `in`."""
    output: dict[str, bytes]
    """Every data file of the output."""
    inputs: tuple[str, ...] = ("in",)
    options: dict[str, str] = {}
    params: dict[str, str] = {}
    side_files: dict[str, bytes] = {}
    counters: dict[str, int] = {}
    bad_records: bytes = b""
    """What `_bad_records.jsonl` says, or nothing if there must be no such file."""

    @property
    def name(self) -> str:
        """The feature as the name of a resource."""
        return re.sub(r"[^a-z0-9]+", "-", self.feature.lower()).strip("-")


def arguments(case: Case) -> list[str]:
    """Return what follows `mapreduce run PROGRAM INPUT… --output DIR`; side files lie beside the program."""
    words: list[str] = []
    for name, value in case.options.items():
        words += [f"--{name}", value]
    for name, value in case.params.items():
        words += ["--param", f"{name}={value}"]
    for name in case.side_files:
        words += ["--files", name]
    return words


def resource(case: Case) -> dict[str, Any]:
    """Return the spec of the job: one claim `data`, the program in a ConfigMap of the case's name."""
    options = case.options
    given: dict[str, Any] = {
        "paths": [f"{case.name}/{path}" for path in case.inputs],
        "volume": {"persistentVolumeClaim": {"claimName": "data"}},
        "format": _pascal(options.get("format")),
        "encodingErrors": _pascal(options.get("encoding-errors")),
        "maxRecordBytes": options.get("max-record"),
        "splitSize": options.get("split-size"),
    }
    output: dict[str, Any] = {
        "path": f"out/{case.name}",
        "volume": {"persistentVolumeClaim": {"claimName": "data"}},
        "format": _pascal(options.get("output-format")),
        "merge": _pascal(options.get("merge")),
        "compression": _pascal(options.get("compress")),
    }
    spec: dict[str, Any] = {
        "program": {"configMap": {"name": case.name, "key": "job.py"}},
        "params": case.params or None,
        "input": _without_nothing(given),
        "output": _without_nothing(output),
        "reducers": int(options.get("reducers", 2)),
        "maxFailedTasks": int(options["max-failed-tasks"]) if "max-failed-tasks" in options else None,
        "skipBadRecords": int(options["skip-bad-records"]) if "skip-bad-records" in options else None,
        "order": _pascal(options.get("order")),
        "shuffleCompression": _pascal(options.get("shuffle-compression")),
        "workers": {"replicas": 1},
    }
    return _without_nothing(spec)


def _pascal(value: str | None) -> str | None:
    return None if value is None else CAMEL.get(value, value.capitalize())


def _without_nothing(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
