"""The naive reference: what the output of a job is, told in the simplest code that can tell it.

No splits, no combiner, no partitions, no engine: group everything in memory, reduce, sort. Every
mode is compared with it, so that a bug of the shared engine cannot pass as truth.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mapreduce import api, keys, pairs, tsv, values
from mapreduce.api import Job
from mapreduce.counters import Counters, add
from mapreduce.errors import MixedKeyError
from mapreduce.reducers import Reducer
from mapreduce.testing import frames

Pair = tuple[Any, Any]


class Outcome(NamedTuple):
    """What a job made of records.

    Attributes:
        pairs: The output, pairs of key and value in output order: by the key that `reduce` was called with, then as
            yielded; without a reduce, as yielded.
        counters: What the job counted, by name.
    """

    pairs: list[Pair]
    counters: dict[str, int]


def run(
    job_class: type[Job],
    records: Iterable[Any],
    *,
    params: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Outcome:
    """Return the job's outcome: pairs by group key, then as yielded; without a reduce, as yielded.

    `params` are given as text, `files` are the contents of the side files by name. To the job the
    n-th record is at offset n of the file `record`.
    """
    with _written(files or {}) as paths:
        mapping = _Attempt(job_class, params or {}, paths)
        if job_class.reduce is None and job_class.reduce_batch is None:
            yielded = mapping.around(lambda: _checked(mapping.emitted(records)))
            return Outcome(yielded, mapping.counted())
        groups, key_type = mapping.around(lambda: _group(mapping, records))
        reducing = _Attempt(job_class, params or {}, paths)
        reduce = _reduce if job_class.reduce_batch is None else _reduce_batch
        yielded = reducing.around(lambda: reduce(reducing.job, groups, key_type))
        return Outcome(yielded, add((mapping.counted(), reducing.counted())))


def run_tsv(job_class: type[Job], records: Iterable[Any], **given: Any) -> bytes:
    """Return the content of `output.tsv` by the naive reference alone, without the engine beside it.

    Args:
        job_class: The job, a subclass of `mr.Job`.
        records: What `map` is called with, one after the other.
        given: `params`, the parameters as text by name, and `files`, the contents of the side files as bytes.

    Examples:
        >>> class Lengths(mr.Job):
        ...     def map(self, word):
        ...         yield len(word), word
        ...
        ...     reduce = mr.Collect()
        >>> run_tsv(Lengths, ["to", "be", "not"])
        b'2\\t["to","be"]\\n3\\t["not"]\\n'
    """
    output = run(job_class, records, **given).pairs
    return b"".join(tsv.line(*(values.decode(values.encode(part)) for part in pair)) for pair in output)


class _Attempt:
    """One instance of the job, which sees all records, or all keys."""

    def __init__(self, job_class: type[Job], params: Mapping[str, str], files: Mapping[str, str]) -> None:
        self._counters = Counters()
        self._at: int | None = None
        self.job = api.make(
            job_class, params=params, counters=self._counters, place=self._place, files=files, progress=lambda: None
        )

    def _place(self) -> tuple[str, Callable[[], int]] | None:
        at = self._at
        return None if at is None else ("record", lambda: at)

    def around(self, work: Any) -> Any:
        """Do the work between `setup` and `teardown`."""
        self.job.setup()
        done = work()
        self.job.teardown()
        return done

    def counted(self) -> dict[str, int]:
        return self._counters.checked()

    def emitted(self, records: Iterable[Any]) -> Iterator[Any]:
        """Yield what `map` yields or returns for every record, or `map_batch` for all of them."""
        if self.job.map_batch is not None:
            yield from self._of_one_batch(self.job.map_batch, list(records))
            return
        if self.job.map is None:
            raise TypeError(f"{type(self.job).__name__} has no map")
        for self._at, record in enumerate(records):
            yield from self.job.map(record) or ()
        self._at = None

    def _of_one_batch(self, map_batch: Callable[[Any], Any], records: list[Any]) -> Iterator[Any]:
        if not records:
            return
        places = range(len(records))
        columns: dict[str, list[Any]] = {"file": ["record" for _ in places], "offset": list(places)}
        columns |= _columns(records) if isinstance(records[0], dict) else {"value": records}
        keys_only = isinstance(self.job.reduce, Reducer) and self.job.reduce.keys_only
        for key, value in frames.rows(map_batch(frames.make(columns)), "map_batch", keys_only=keys_only):
            yield key if keys_only else (key, value)


def _columns(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return rows of a table, each a dictionary, as its columns."""
    return {name: [record[name] for record in records] for name in records[0]}


def _group(mapping: _Attempt, records: Iterable[Any]) -> tuple[dict[bytes, list[bytes]], str]:
    """Map every record; return the encoded values of each encoded key, and the key type.

    Groups while it reads: half a gigabyte of text is ninety million pairs.
    """
    keys_only = isinstance(mapping.job.reduce, Reducer) and mapping.job.reduce.keys_only
    groups: dict[bytes, list[bytes]] = {}
    orders: dict[bytes, list[bytes]] = {}
    value_types: set[str] = set()
    key_type = ""
    for emitted in mapping.emitted(records):
        if not keys_only:
            pairs.refuse_text(emitted)
        key, value = (emitted, 1) if keys_only else emitted
        actual = keys.type_of(key)
        if key_type not in ("", actual):
            raise MixedKeyError(f"key {key!r} is {actual}, the keys before it are {key_type}")
        key_type = actual
        encoded = keys.encoder(actual)(key)
        groups.setdefault(encoded, []).append(values.encode(value))
        if mapping.job.sort_values:
            orders.setdefault(encoded, []).append(keys.encode(value))
            value_types.add(keys.type_of(value))
    if len(value_types) > 1:
        raise MixedKeyError(f"with sort_values all values must be of one type, not {' and '.join(sorted(value_types))}")
    largest_first = mapping.job.sort_values == "descending"
    for encoded, order in orders.items():
        ranks = sorted(range(len(order)), key=order.__getitem__, reverse=largest_first)
        groups[encoded] = [groups[encoded][at] for at in ranks]
    return groups, key_type


def _reduce(job: Job, groups: dict[bytes, list[bytes]], key_type: str) -> list[Pair]:
    output: list[Pair] = []
    for encoded in sorted(groups, reverse=job.descending):
        key = keys.decode(encoded, key_type)
        output += _checked(job.reduce(key, map(values.decode, groups[encoded])) or ())
    return output


def _reduce_batch(job: Job, groups: dict[bytes, list[bytes]], key_type: str) -> list[Pair]:
    """Reduce all keys as one frame; what comes out is in the order of its keys, else as it stands."""
    assert job.reduce_batch is not None  # noqa: S101 - its only caller has looked
    given: list[Pair] = []
    for encoded in sorted(groups, reverse=job.descending):
        key = keys.decode(encoded, key_type)
        given += [(key, values.decode(value)) for value in groups[encoded]]
    if not given:
        return []
    frame = frames.make({"key": [key for key, _ in given], "value": [value for _, value in given]})
    found = _checked(frames.rows(job.reduce_batch(frame), "reduce_batch", keys_only=False))
    return sorted(found, key=lambda pair: keys.encode(pair[0], key_type), reverse=job.descending)


def _checked(found: Iterable[Any]) -> list[Pair]:
    """Return what was yielded as a list of pairs; raises for what has no place in an output."""
    yielded = list(found)
    for pair in yielded:
        pairs.refuse_text(pair)
        for part in pair:
            values.encode(part)
    return yielded


@contextlib.contextmanager
def _written(files: Mapping[str, bytes]) -> Iterator[dict[str, str]]:
    """Write side files into a folder of their own for a while; gives their paths by name."""
    if not files:
        yield {}
        return
    # Every slot imports this module and none comes here; tempfile brings random and three compressors.
    import tempfile  # noqa: PLC0415 - see above

    with tempfile.TemporaryDirectory(prefix="mapreduce-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        yield {name: str(Path(folder) / name) for name in files}
