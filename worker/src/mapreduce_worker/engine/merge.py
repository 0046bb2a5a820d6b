"""Parts to text: one file, ordered by group key, then in the order of the reducer's yield.

The parts of one step share no group key, so the output is the same for any number of partitions.
Callers: the gateway's publish (in a child process), and `--sequential`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from mapreduce import tsv, values
from mapreduce.errors import CorruptionError
from mapreduce_worker.engine import durable, merging, part
from mapreduce_worker.engine.blocks import Block


class MergeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was written; `checksum` is `sha256:<hex>` of the file's bytes."""

    records: int
    size: int
    checksum: str


def merge_parts(parts: Sequence[Path], out: Path, progress: Callable[[int, int], None]) -> MergeResult:
    """Merge parts into the tsv file `out`, holding one block of each; raises `CorruptionError`.

    `progress` is called with the records and bytes so far.
    """
    digest = hashlib.sha256()
    records = size = 0
    with durable.replacing(out) as file:
        for count, text in lines(parts):
            digest.update(text)
            size += file.write(text)
            records += count
            progress(records, size)
    return MergeResult(records=records, size=size, checksum=f"sha256:{digest.hexdigest()}")


def lines(parts: Sequence[Path]) -> Iterator[tuple[int, bytes]]:
    """Yield (records, their text), a block at a time."""
    for block in merging.merge([part.read(path) for path in _same_type(parts)]):
        yield len(block.keys), tsv.lines(list(map(values.decode, block.values)))


def _same_type(parts: Sequence[Path]) -> Sequence[Path]:
    found = {summary.key_type for summary in map(part.read_summary, parts) if summary.rows}
    if len(found) > 1:
        raise CorruptionError(f"the parts have keys of different types: {', '.join(sorted(found))}")
    return parts


def pairs(parts: Sequence[Path]) -> Iterator[tuple[object, object]]:
    """Yield the records themselves, in the same order; what was a tuple comes as a list."""
    merged: Iterator[Block] = merging.merge([part.read(path) for path in _same_type(parts)])
    for block in merged:
        for packed in block.values:
            key, value = values.decode(packed)
            yield key, value
