"""Rows as a Polars frame: what most rows are from the sorter of a map to the reduce, and from there to the output.

A frame has the column `key` (binary: encoded keys) and one of values. That is `value`, of one type, where all values
are str, bytes, bool, float, or integers of 64 bits; or else `packed` (binary: msgpack, `mapreduce.values`). What
Python needs as lists is made when it is asked for.

Polars takes half a second to import. So `blocks` comes here only with many rows, and Polars is imported in functions.
What goes through its query engine (expressions, `sort`) begins with some tenths of a millisecond, however few the rows:
nothing here does that more than once for thousands of them.
Neighbours: `blocks` (few rows, as lists; and the form of both on disk), `sorter`, `merging`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, repeat
from operator import add
from typing import TYPE_CHECKING, Any, Final

from mapreduce import values as codec

if TYPE_CHECKING:
    import polars

KEY: Final = "key"
"""The column of encoded keys."""
VALUE: Final = "value"
"""The column of values of one type."""
PACKED: Final = "packed"
"""The column of values as msgpack, where they are of several types."""
_PART: Final = "part"
_TYPES: Final = {int: "Int64", float: "Float64", str: "String", bool: "Boolean", bytes: "Binary"}
"""The Polars type of a column of values, by their exact type in Python."""
_SOME: Final = 1 << 14
_FIXED: Final = {"Int64": 8, "Float64": 8, "Boolean": 1}
"""The bytes of one value, where all have the same."""


class Columns:
    """Rows with equal places in both columns; immutable."""

    __slots__ = ("frame", "packed")

    def __init__(self, frame: polars.DataFrame) -> None:
        """Take a frame of the two columns, as this module's docstring has them."""
        self.frame = frame
        self.packed = frame.columns[1] == PACKED
        """Whether the values are packed; they are of one type otherwise."""

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.frame.height

    @property
    def key_series(self) -> polars.Series:
        """The encoded keys, side by side: whoever looks at a few of them makes no list."""
        return self.frame.get_column(KEY)

    @property
    def value_series(self) -> polars.Series:
        """The values, packed or of one type."""
        return self.frame.to_series(1)

    @property
    def keys(self) -> list[bytes]:
        """The encoded keys: a new list each time."""
        return self.key_series.to_list()

    @property
    def values(self) -> list[Any]:
        """The values, packed or not: a new list each time."""
        return self.value_series.to_list()

    def unpacked(self) -> list[Any]:
        """Return the values as Python objects."""
        return list(map(codec.decode, self.values)) if self.packed else self.values

    def as_packed(self) -> Columns:
        """Return the same rows with packed values; there are never lists of all of them."""
        if self.packed:
            return self
        some = [self.cut(at, at + _SOME) for at in range(0, max(1, self.count), _SOME)]
        return joined([of_packed(part.keys, codec.encode_all(part.values)) for part in some])

    def cut(self, start: int, end: int) -> Columns:
        """Return the rows from `start` to `end`, without a copy."""
        return Columns(self.frame.slice(start, end - start))

    def size(self) -> int:
        """Return the bytes of keys and values, as Polars has counted them."""
        return int(self.frame.estimated_size())


def of_lists(keys: list[bytes], objects: list[Any]) -> Columns:
    """Return rows of Python objects: in a column of their type if they have one, else packed.

    Raises `ValueEncodingError` for what cannot be packed.
    """
    kinds = set(map(type, objects))
    name = _TYPES.get(kinds.pop()) if len(kinds) == 1 else None
    if name is not None:
        try:
            return _of(keys, VALUE, objects, name)
        except (TypeError, UnicodeEncodeError):
            # An integer beyond 64 bits, or half a surrogate pair, which is refused in its own words.
            pass
    return of_packed(keys, codec.encode_all(objects))


def of_packed(keys: list[bytes], packed: list[bytes]) -> Columns:
    """Return rows of packed values."""
    return _of(keys, PACKED, packed, "Binary")


def of_integers(keys: list[bytes], numbers: list[int]) -> Columns:
    """Return rows of integers of 64 bits."""
    return _of(keys, VALUE, numbers, "Int64")


def _of(keys: list[bytes], name: str, values: list[Any], kind: str) -> Columns:
    import polars  # noqa: PLC0415 - see the module's docstring

    return Columns(
        polars.DataFrame(
            [
                polars.Series(KEY, keys, dtype=polars.Binary),
                polars.Series(name, values, dtype=getattr(polars, kind)),
            ]
        )
    )


def has_form(frame: polars.DataFrame) -> bool:
    """Tell whether a frame has the columns that `Columns` need, and no null."""
    if frame.width != 2 or frame.columns[0] != KEY or frame.columns[1] not in (VALUE, PACKED):
        return False
    kinds = [str(kind) for kind in frame.dtypes]
    typed = kinds[1] == "Binary" or (frame.columns[1] == VALUE and kinds[1] in _TYPES.values())
    return kinds[0] == "Binary" and typed and not any(series.null_count() for series in frame.get_columns())


def joined(rows: Sequence[Columns]) -> Columns:
    """Return all rows, one after the other, with values of one form."""
    import polars  # noqa: PLC0415 - see the module's docstring

    if len(rows) == 1:
        return rows[0]
    if any(one.frame.schema != rows[0].frame.schema for one in rows):
        rows = [one.as_packed() for one in rows]
    return Columns(polars.concat([one.frame for one in rows]))


def in_order(rows: Columns) -> Columns:
    """Sort rows by their keys; those with equal keys stay in their order. One thread: every core has its own slot."""
    return Columns(rows.frame.sort(KEY, multithreaded=False, maintain_order=True))


def divided(rows: Columns, numbers: Sequence[int], count: int, least: int) -> Iterator[Columns]:
    """Yield the rows of each of `count` partitions in order; `numbers` has the partition of each row.

    Where a partition has `least` rows or more, as a mean, each is sorted for itself: that takes half the time.
    """
    import polars  # noqa: PLC0415 - see the module's docstring

    frame = rows.frame.hstack([polars.Series(_PART, numbers, dtype=polars.UInt32)])
    if frame.height >= least * count:
        parts = frame.partition_by(_PART, maintain_order=True, include_key=False, as_dict=True)
        for number in range(count):
            part = parts.pop((number,), None)
            yield in_order(Columns(part)) if part is not None else rows.cut(0, 0)
        return
    frame = frame.sort(_PART, KEY, multithreaded=False, maintain_order=True)
    whole, sizes, start = Columns(polars.DataFrame(frame.get_columns()[:2])), Counter(numbers), 0
    for number in range(count):
        end = start + sizes[number]
        yield whole.cut(start, end)
        start = end


def pieces(rows: Columns, most_rows: int, most_bytes: int) -> Iterator[Columns]:
    """Divide rows: a piece ends with its row of the number `most_rows`, or where it has `most_bytes`."""
    start = 0
    while start < rows.count:
        piece = rows.cut(start, min(start + most_rows, rows.count))
        if piece.size() >= most_bytes:
            while piece.count > 1 and (half := piece.cut(0, (piece.count + 1) // 2)).size() >= most_bytes:
                piece = half
            piece = piece.cut(0, _enough(piece, most_bytes))
        yield piece
        start += piece.count


def _enough(rows: Columns, most_bytes: int) -> int:
    """Return how many rows it takes until they have so many bytes: all, if they have fewer."""
    import polars  # noqa: PLC0415 - see the module's docstring

    values = rows.value_series
    width = _FIXED.get(str(values.dtype))
    widths: Iterator[int] = repeat(width) if width else map(len, values.cast(polars.Binary).to_list())
    sizes = accumulate(map(add, map(len, rows.keys), widths))
    return next((at for at, size in enumerate(sizes, 1) if size >= most_bytes), rows.count)
