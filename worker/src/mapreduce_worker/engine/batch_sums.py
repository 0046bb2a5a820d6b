"""Sums and counts as frames: what a map attempt over batches holds where the reducer only adds up integers.

Exact: Polars adds 64 bits and wraps silently, so that rows are added up here only where no sum can leave them.
Neighbours: `batch_map` (takes the Python way else), `native` (adds), `key_columns`.
"""

from __future__ import annotations

import io
from typing import Final

import polars as pl

from mapreduce_worker.engine import blocks, columns, inlined, key_columns, native
from mapreduce_worker.engine.blocks import Block, Rows

_FRAMES: Final = 4
"""Columns of keys that are held, at most: each may keep the text of a whole batch."""
_VIEW: Final = 16
"""Bytes that a row takes in a column of keys, besides its text, and once more in each copy of it as a number."""
_COPIES: Final = 3
"""How often rows are there while they are counted: in the column, sorted, and as what was counted, if all differ."""
_LEAST: Final = 1 << 20
"""Rows that are sorted at once wherever they are, at least."""


def counted(keys: pl.Series, most: int | None = None) -> pl.DataFrame:
    """Return how often each key of a column in native form is there, as columns `key` and `value`.

    Numbers are sorted, `most` rows at once, and so are short texts as numbers: that takes a quarter of the time of a
    hash table of texts.
    """
    if keys.dtype == pl.Int64:
        return _runs(keys, most)
    if keys.dtype not in (pl.String, pl.Binary):
        return _grouped(keys)
    short = inlined.sizes(keys) <= inlined.LONGEST
    all_short = bool(short.all())
    numbers = inlined.numbers(keys if all_short else keys.filter(short))
    if numbers is None:
        return _grouped(keys)
    found = _runs(numbers, most)
    found = found.with_columns(inlined.texts(found["key"], keys.dtype))
    return found if all_short else pl.concat([found, _grouped(keys.filter(~short))])


def _grouped(keys: pl.Series) -> pl.DataFrame:
    return native.grouped(keys.to_frame("key"), pl.len().cast(pl.Int64).alias("value"))


def _runs(numbers: pl.Series, most: int | None) -> pl.DataFrame:
    step = most or max(1, len(numbers))
    pieces = [_runs_at_once(numbers.slice(at, step)) for at in range(0, len(numbers), step)]
    if not pieces:
        return _runs_at_once(numbers)
    return pieces[0] if len(pieces) == 1 else native.grouped(pl.concat(pieces), pl.col("value").sum())


def _runs_at_once(numbers: pl.Series) -> pl.DataFrame:
    runs = numbers.sort(multithreaded=False).rle().struct
    return pl.DataFrame([runs.field("value").alias("key"), runs.field("len").cast(pl.Int64).alias("value")])


def summed(frame: pl.DataFrame) -> pl.DataFrame | None:
    """Return the sum of each key; None where columns are not of native types, or a sum could leave 64 bits."""
    keys, values = key_columns.native(frame["key"]), frame["value"]
    kind = values.dtype
    if keys is None or values.null_count() or not (kind.is_integer() or kind == pl.Boolean):
        return None
    if kind in (pl.UInt64, pl.Int128, pl.UInt128):
        return None
    return native.summed(pl.DataFrame([keys, values.cast(pl.Int64)]))


def apart(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the same rows in memory of their own: columns of text point into the text of a whole batch."""
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression="uncompressed", compat_level=pl.CompatLevel.oldest())
    return pl.read_ipc_stream(buffer.getvalue())


class Sums:
    """Sums of integers by key, of one key type."""

    def __init__(self, limit: int, uncounted: int = 0) -> None:
        """Be full at `limit` bytes; hold up to `uncounted` bytes of keys that nobody has counted yet."""
        self._limit, self._uncounted = limit, uncounted
        self._frames: list[pl.DataFrame] = []
        self._keys: list[pl.Series] = []
        self._size = self._keys_size = 0

    @property
    def is_full(self) -> bool:
        """Tell whether it is time to take what is held."""
        return self._size > self._limit // 2

    def add(self, sums: pl.DataFrame) -> None:
        """Add what `summed` returned."""
        self._frames.append(sums)
        self._size += int(sums.estimated_size())
        if self._size > self._limit and len(self._frames) > 1:
            joined = native.summed(pl.concat(self._frames))
            if joined is not None:
                self._frames, self._size = [joined], int(joined.estimated_size())

    def count(self, keys: pl.Series) -> None:
        """Add one for each key of a column in native form.

        Columns are counted together, so that what they have in common is looked up once.
        """
        size = int(keys.estimated_size()) + _COPIES * _VIEW * len(keys)
        if len(self._keys) == _FRAMES or (self._keys and self._keys_size + size > self._uncounted):
            self._count_held()
        self._keys.append(keys)
        self._keys_size += size

    def _count_held(self) -> None:
        keys, self._keys, self._keys_size = self._keys, [], 0
        if keys:
            self.add(counted(pl.concat(keys), max(_LEAST, self._uncounted // (_COPIES * _VIEW))))

    def take(self) -> Rows:
        """Return encoded keys, each once, and their sums; hold nothing any more."""
        self._count_held()
        frames, self._frames, self._size = self._frames, [], 0
        if not frames:
            return Block([], [])
        rows = pl.concat(frames)
        joined = rows if len(frames) == 1 else native.summed(rows)
        encoded = key_columns.encode((rows if joined is None else joined)["key"])
        if joined is None:
            return _added_by_python(encoded.to_list(), rows["value"].to_list())
        return columns.Columns(pl.DataFrame([encoded, joined["value"]]))


def _added_by_python(keys: list[bytes], numbers: list[int]) -> Rows:
    sums: dict[bytes, int] = {}
    for key, number in zip(keys, numbers, strict=True):
        sums[key] = sums.get(key, 0) + number
    return blocks.of_objects(list(sums), list(sums.values()))
