"""Parts to a data file: ordered by group key, then in the order of the reducer's yield; or part by part.

The parts of the reduces of one step share no group key, so the output is the same for any number of
partitions. Those of a job without reduce have no keys to order by: they follow each other, as their splits
do. Callers: the gateway's publish (in a child process), and `--sequential`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final

import msgspec

from mapreduce import jsonl, tsv, values
from mapreduce.errors import CorruptionError
from mapreduce.keys import KeyType
from mapreduce.spec import OutputFormat
from mapreduce_worker.engine import durable, merging, part
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.data_file import DataFile, Style


class MergeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was written; `checksum` is `sha256:<hex>` of the file's bytes."""

    records: int
    size: int
    checksum: str


PLAIN: Final = Style()
FAN_IN: Final = 100
"""Parts that are merged at once: of each a block is held, which as objects takes about a megabyte."""
_RENDER: Final[dict[OutputFormat, Callable[[list[Any]], bytes]]] = {"tsv": tsv.lines, "jsonl": jsonl.lines}


def merge_parts(
    parts: Sequence[Path], out: Path, progress: Callable[[int, int], None], style: Style = PLAIN
) -> MergeResult:
    """Write the records of parts into the file `out`, holding a block of at most `FAN_IN`; raises `CorruptionError`.

    More parts are merged in several passes, by files beside `out` that are gone at the end. `progress` is called
    with the records and bytes so far.
    """
    render = _RENDER[style.format]
    records = 0
    with _few(parts if style.by_key else (), out, progress) as few, durable.replacing(out) as file:
        data = DataFile(file, style.compression)
        for block in _rows(few if style.by_key else parts, by_key=style.by_key):
            data.write(render(list(map(values.decode, block.values))))
            records += block.count
            progress(records, data.size)
        data.finish()
    progress(records, data.size)
    return MergeResult(records=records, size=data.size, checksum=data.checksum)


def pairs(parts: Sequence[Path], *, by_key: bool = True) -> Iterator[tuple[object, object]]:
    """Yield the records themselves, in the same order; what was a tuple comes as a list."""
    for block in _rows(parts, by_key=by_key):
        for packed in block.values:
            key, value = values.decode(packed)
            yield key, value


def _rows(parts: Sequence[Path], *, by_key: bool) -> Iterable[Rows]:
    if not by_key:
        return chain.from_iterable(map(part.read, parts))
    return merging.merge([part.read(path) for path in _same_type(parts)])


@contextmanager
def _few(parts: Sequence[Path], out: Path, progress: Callable[[int, int], None]) -> Iterator[Sequence[Path]]:
    """Give at most `FAN_IN` parts with the rows of all; those that are made for that are gone afterwards."""
    current = list(parts)
    made: list[Path] = []
    try:
        while len(current) > FAN_IN:
            groups = [current[at : at + FAN_IN] for at in range(0, len(current), FAN_IN)]
            current = []
            for group in groups:
                made.append(out.with_name(f".{out.name}.run-{len(made)}"))
                _join(group, made[-1], progress)
                current.append(made[-1])
        yield current
    finally:
        for path in made:
            path.unlink(missing_ok=True)


def _join(parts: Sequence[Path], out: Path, progress: Callable[[int, int], None]) -> None:
    """Merge parts into one; their records count as progress too, since a dead merge shows none."""
    rows = 0
    with out.open("wb") as file:
        writer = part.Writer(file, next((found for found in _key_types(parts)), ""))
        for block in _rows(parts, by_key=True):
            writer.add(block)
            rows += block.count
            progress(rows, 0)
        writer.finish()


def _key_types(parts: Sequence[Path]) -> set[KeyType]:
    return {summary.key_type for summary in map(part.read_summary, parts) if summary.rows}


def _same_type(parts: Sequence[Path]) -> Sequence[Path]:
    found = _key_types(parts)
    if len(found) > 1:
        raise CorruptionError(f"the parts have keys of different types: {', '.join(sorted(found))}")
    return parts
