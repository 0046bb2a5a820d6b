"""The naive reference: what the output of a job is, told in the simplest code that can tell it.

No splits, no combiner, no files, no engine: group everything in memory, reduce, sort. Every
mode is compared with it, so that a bug of the shared engine cannot pass as truth.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mapreduce import keys, tsv, values
from mapreduce.api import Job
from mapreduce.errors import MixedKeyError
from mapreduce.reducers import Reducer


def run(job_class: type[Job], records: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Return the job's output pairs in output order: by group key, then as yielded."""
    groups, key_type = _group(job_class, records)
    decode = keys.decoder(key_type) if groups else None
    job = job_class()
    job.setup()
    output: list[tuple[Any, Any]] = []
    for encoded in sorted(groups):
        assert decode is not None  # noqa: S101 - there is a group, so there is a key type
        key = decode(encoded)
        if isinstance(job.reduce, Reducer):
            output += job.reduce(key, (values.decode(value) for value in groups[encoded]))
        else:
            output += job.reduce(key, (values.decode(value) for value in groups[encoded])) or ()
    job.teardown()
    return output


def run_tsv(job_class: type[Job], records: Iterable[Any]) -> bytes:
    """Return the content of `output.tsv`."""
    return b"".join(tsv.line(key, values.decode(values.encode(value))) for key, value in run(job_class, records))


def _group(job_class: type[Job], records: Iterable[Any]) -> tuple[dict[bytes, list[bytes]], str]:
    """Map every record; return the encoded values of each encoded key, and the key type.

    Groups while it reads: half a gigabyte of text is ninety million pairs.
    """
    job = job_class()
    job.setup()
    if job.map is None:
        raise TypeError(f"{job_class.__name__} has no map")
    groups: dict[bytes, list[bytes]] = {}
    key_type = ""
    for record in records:
        for key, value in job.map(record) or ():
            actual = keys.type_of(key)
            if key_type not in ("", actual):
                raise MixedKeyError(f"key {key!r} is {actual}, the keys before it are {key_type}")
            key_type = actual
            groups.setdefault(keys.encoder(actual)(key), []).append(values.encode(value))
    job.teardown()
    return groups, key_type
