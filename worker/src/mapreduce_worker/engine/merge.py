"""Parts to a data file: ordered by group key, then in the order of the reducer's yield; or part by part.

The parts of the reduces of one step share no group key, so the output is the same for any number of
partitions. Those of a job without reduce have no keys to order by: they follow each other, as their splits
do. Callers: the gateway's publish (in a child process), and `--sequential`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final

import msgspec

from mapreduce.errors import CorruptionError
from mapreduce.keys import KeyType
from mapreduce_worker.engine import durable, merging, part, render
from mapreduce_worker.engine.ahead import ahead
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.data_file import DataFile, Style
from mapreduce_worker.engine.part import Summary


class MergeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was written; `checksum` is `sha256:<hex>` of the file's bytes."""

    records: int
    size: int
    checksum: str


Progress = Callable[[int, int], None]
"""Takes records and bytes so far."""
PLAIN: Final = Style()
FAN_IN: Final = 100
"""Parts that are merged at once: of each a block is held, which as objects takes about a megabyte."""

BESIDE: Final = 8 << 20
"""Bytes of parts from which threads are worth while that merge them, and make their text, beside its writing."""


class Kind(msgspec.Struct, frozen=True):
    """What rows of parts become: the type of their group keys, and values or pairs; see `part`."""

    key_type: KeyType
    own: bool


def merge_files(
    files: Iterable[tuple[Sequence[Path], Path]], progress: Progress, style: Style = PLAIN
) -> Iterator[MergeResult]:
    """Write the data files of an output, each from its parts; see `merge_parts`. They have columns in common."""
    targets = list(files)
    if style.format != "parquet":
        for parts, out in targets:
            yield merge_parts(parts, out, progress, style)
        return
    # Only here: it brings polars, which text does without.
    from mapreduce_worker.engine import parquet_out  # noqa: PLC0415 - see above

    every = [path for parts, _ in targets for path in parts]
    shape = parquet_out.table(_pairs(every, by_key=False, kind=_kind(every)), progress)
    for parts, out in targets:
        kind = _kind(parts)
        with _few(parts if style.by_key else (), out, progress) as few, durable.replacing(out) as file:
            path = Path(file.name)
            found = _pairs(few if style.by_key else parts, by_key=style.by_key, kind=kind)
            records = parquet_out.write(found, path, shape, progress)
            size, checksum = path.stat().st_size, _checksum(path)
        progress(records, size)
        yield MergeResult(records=records, size=size, checksum=checksum)


def _pairs(parts: Sequence[Path], *, by_key: bool, kind: Kind) -> Iterator[list[tuple[Any, Any]]]:
    for block in _rows(parts, kind, by_key=by_key):
        yield render.pairs(block, kind.key_type, own=kind.own)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def merge_parts(parts: Sequence[Path], out: Path, progress: Progress, style: Style = PLAIN) -> MergeResult:
    """Write the records of parts as text into the file `out`, holding a block of at most `FAN_IN`.

    More parts are merged in several passes, by files beside `out` that are gone at the end. `progress` is called
    with the records and bytes so far. Raises `CorruptionError`.
    """
    kind = _kind(parts)
    records = 0
    with _few(parts if style.by_key else (), out, progress) as few, durable.replacing(out) as file:
        data = DataFile(file, style.compression)
        # Its threads end here, whatever happens.
        with closing(_text(few if style.by_key else parts, kind, style)) as found:
            for count, text in found:
                data.write(text)
                records += count
                progress(records, data.size)
        data.finish()
    progress(records, data.size)
    return MergeResult(records=records, size=data.size, checksum=data.checksum)


def _text(parts: Sequence[Path], kind: Kind, style: Style) -> Generator[tuple[int, bytes]]:
    """Yield text, and how many records end with it."""
    if style.by_key:
        rows = _rows(parts, kind, by_key=True)
        if sum(part.read_summary(path).length for path in parts) < BESIDE:
            yield from _rendered(rows, kind, style)
            return
        # Reading and sorting take as long as making text, and what is done with it may take longer.
        with (
            closing(ahead(rows, lambda block: block.size())) as found,
            closing(ahead(_rendered(found, kind, style), lambda made: len(made[1]))) as text,
        ):
            yield from text
        return
    for path in parts:
        summary = require_fit(path, style)
        if summary.lines is None:
            yield from _rendered(_read(path, kind), kind, style)
        else:
            yield from ((0, text) for text in part.lines(path, summary))
            yield summary.rows, b""


def require_fit(path: Path, style: Style) -> Summary:
    """Return what a part says of itself; raises `CorruptionError` for one that no file of this style can be made of."""
    summary = part.read_summary(path)
    if summary.lines is not None and style.by_key:
        raise CorruptionError(f"{path.name} has lines, and parts of this job are merged by the keys of their rows")
    if summary.lines not in (None, style.format):
        raise CorruptionError(f"{path.name} has lines of {summary.lines}, where the output has {style.format}")
    return summary


def _rendered(rows: Iterable[Rows], kind: Kind, style: Style) -> Iterator[tuple[int, bytes]]:
    for block in rows:
        for text in render.pieces(block, style.format, kind.key_type, own=kind.own):
            yield 0, text
        count = block.count
        # It may be very large, and the next one too.
        del block
        yield count, b""


def pairs(parts: Sequence[Path], *, by_key: bool = True) -> Iterator[tuple[object, object]]:
    """Yield the records themselves, in the same order; a value that was a tuple comes as a list."""
    for found in _pairs(parts, by_key=by_key, kind=_kind(parts)):
        yield from found


def _rows(parts: Sequence[Path], kind: Kind, *, by_key: bool) -> Iterable[Rows]:
    sources = (_read(path, kind) for path in parts)
    return merging.merge(list(sources)) if by_key else chain.from_iterable(sources)


def _read(path: Path, kind: Kind) -> Iterable[Rows]:
    rows = part.read(path)
    if kind.own or not part.read_summary(path).own:
        return rows
    return (part.paired(block, kind.key_type) for block in rows)


@contextmanager
def _few(parts: Sequence[Path], out: Path, progress: Progress) -> Iterator[Sequence[Path]]:
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


def _join(parts: Sequence[Path], out: Path, progress: Progress) -> None:
    """Merge parts into one; their records count as progress too, since a dead merge shows none."""
    rows = 0
    kind = _kind(parts)
    with out.open("wb") as file:
        writer = part.Writer(file, kind.key_type, own=kind.own)
        for block in _rows(parts, kind, by_key=True):
            writer.add(block)
            rows += block.count
            progress(rows, 0)
        writer.finish()


def _kind(parts: Sequence[Path]) -> Kind:
    """Return what the rows of all parts can be: pairs, if some are; raises `CorruptionError` for keys of two types."""
    found = [summary for summary in map(part.read_summary, parts) if summary.rows]
    key_types = sorted({summary.key_type for summary in found})
    if len(key_types) > 1:
        raise CorruptionError(f"the parts have keys of different types: {', '.join(key_types)}")
    rows = [summary for summary in found if summary.lines is None]
    return Kind("".join(key_types), own=bool(rows) and all(summary.own for summary in rows))
