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

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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
_NUMBER: Final = 8
"""The bytes of a key that are sorted as a number."""
_PLACE_BITS, _REST_BITS = 32, 36
"""The bits of a row's place, and of place and size, where both stand behind that number."""
BY_NUMBERS: Final = 4096
"""Rows from which on that is worth its beginning."""
_RARE: Final = 4
"""Keys may share their numbers with others as long as they are one in so many, at most."""
SHORT: Final = 64
"""Bytes of a value that rows may have in common, at most."""
_FEW: Final = 32
"""Partitions that are taken out of a frame one by one."""
_FIXED: Final = {"Int64": 8, "Float64": 8, "Boolean": 1}
"""The bytes of one value, where all have the same."""


class Columns:
    """Rows with equal places in both columns; immutable."""

    __slots__ = ("frame", "one", "packed")

    def __init__(self, frame: polars.DataFrame, one: bytes | None = None) -> None:
        """Take a frame of the two columns, as this module's docstring has them."""
        self.frame = frame
        self.one = one
        """The packed value of all rows, where it is known that they have the same, and that is short."""
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
        return Columns(self.frame.slice(start, end - start), self.one)

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
        except (TypeError, OverflowError, UnicodeEncodeError):
            # An integer beyond 64 bits, or beyond 128, or half a surrogate pair, which is refused in its own words.
            pass
    return of_packed(keys, codec.encode_all(objects))


def of_packed(keys: list[bytes], packed: list[bytes]) -> Columns:
    """Return rows of packed values."""
    return _of(keys, PACKED, packed, "Binary")


def of_one(keys: list[bytes], packed: bytes) -> Columns:
    """Return rows that all have the same packed value."""
    import polars  # noqa: PLC0415 - see the module's docstring

    return with_one(polars.Series(KEY, keys, dtype=polars.Binary), packed)


def of_text(keys: polars.Series, packed: bytes) -> Columns:
    """Return rows that all have the same packed value, and as keys text, which is its own encoding."""
    import polars  # noqa: PLC0415 - see the module's docstring

    return with_one(keys.cast(polars.Binary).alias(KEY), packed)


def with_one(keys: polars.Series, packed: bytes) -> Columns:
    """Return rows that all have the same packed value, of a column of encoded keys."""
    import polars  # noqa: PLC0415 - see the module's docstring

    if len(packed) > SHORT:
        # As many copies, so that they are counted: a frame has its bounds.
        return Columns(polars.DataFrame([keys, polars.Series(PACKED, [packed] * len(keys), dtype=polars.Binary)]))
    values = polars.Series(PACKED, [packed], dtype=polars.Binary).new_from_index(0, len(keys))
    return Columns(polars.DataFrame([keys, values]), packed)


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


def are_keys(frame: polars.DataFrame) -> bool:
    """Tell whether a frame has encoded keys, no null, and nothing else; a forged one may have no column at all."""
    return frame.columns == [KEY] and str(frame.dtypes[0]) == "Binary" and not frame[KEY].null_count()


def joined(rows: Sequence[Columns]) -> Columns:
    """Return all rows, one after the other, with values of one form."""
    import polars  # noqa: PLC0415 - see the module's docstring

    if len(rows) == 1:
        return rows[0]
    if (one := rows[0].one) is not None and all(some.one == one for some in rows):
        return with_one(polars.concat([some.key_series for some in rows]), one)
    if any(one.frame.schema != rows[0].frame.schema for one in rows):
        rows = _typed(rows) or [one.as_packed() for one in rows]
    return Columns(polars.concat([one.frame for one in rows]))


def _typed(rows: Sequence[Columns]) -> list[Columns] | None:
    """Return rows whose values are of one type, where the packed ones are not the most, and turn out to be of it."""
    typed, packed = [one for one in rows if not one.packed], [one for one in rows if one.packed]
    if sum(one.count for one in packed) > sum(one.count for one in typed):
        return None
    schema = typed[0].frame.schema
    kind = str(schema[VALUE])
    # A look at the first of each tells nearly always, and takes no time.
    if any(_TYPES.get(type(codec.decode(one.value_series[0]))) != kind for one in packed if one.count):
        return None
    found = [of_lists(one.keys, one.unpacked()) if one.packed else one for one in rows]
    return None if any(one.frame.schema != schema for one in found) else found


def in_order(rows: Columns) -> Columns:
    """Sort rows by their keys; those with equal keys stay in their order. One thread: every core has its own slot."""
    if rows.one is not None:
        keys = rows.key_series.rechunk()
        order = _order(keys) if rows.count >= BY_NUMBERS else None
        return with_one(keys.sort() if order is None else keys.gather(order), rows.one)
    # From columns in many pieces, rows are gathered forty times as slowly.
    frame = rows.frame.rechunk()
    order = _order(frame.get_column(KEY)) if rows.count >= BY_NUMBERS else None
    if order is not None:
        return Columns(frame[order])
    return Columns(frame.sort(KEY, multithreaded=False, maintain_order=True))


def _order(keys: polars.Series) -> polars.Series | None:
    """Return the places of keys in their order, or None where there is no faster way to it than comparing them.

    Eight bytes of a key are a number, and numbers are sorted in a fifth of the time; only keys whose numbers are equal
    are compared. The bytes that all keys begin with are left out; behind a key that is shorter stand zeros.
    """
    import polars  # noqa: PLC0415 - see the module's docstring

    sizes = keys.bin.size()
    least, most = int(sizes.min()), int(sizes.max())  # type: ignore[arg-type] # there are keys
    if most <= _NUMBER:
        return _order_of_short(keys, sizes, least)
    first, last = keys.min(), keys.max()
    common = next((at for at in range(least) if first[at] != last[at]), least)  # type: ignore[index]
    begin = min(common, max(0, least - _NUMBER))
    numbers = _numbers(keys if most <= _NUMBER else keys.bin.slice(begin, _NUMBER), padded=least < begin + _NUMBER)
    if numbers is None:
        return None
    places = polars.int_range(0, len(keys), dtype=polars.UInt32, eager=True)
    made = polars.DataFrame([numbers.alias("number"), places.alias("place")])
    made = made.sort("number", multithreaded=False, maintain_order=True)
    order = made.get_column("place")
    if least == most == begin + _NUMBER:
        return order
    numbers = made.get_column("number")
    equal = (numbers == numbers.shift(1)).fill_null(value=False)
    at = (equal | equal.shift(-1, fill_value=False)).arg_true()
    if len(at) * _RARE > len(keys):
        return None
    if len(at):
        some = order.gather(at)
        rest = polars.DataFrame([keys.gather(some), some]).sort(KEY, multithreaded=False, maintain_order=True)
        order = order.scatter(at, rest.get_column("place"))
    return order


def _order_of_short(keys: polars.Series, sizes: polars.Series, least: int) -> polars.Series | None:
    """Return the places of keys of no more than `_NUMBER` bytes in their order, or None as `_order` does.

    The bytes, how many they are, and the place make one number of 128 bits, which no other row has: so it is a sort of
    one column, however it treats equal ones, and nothing is left to be compared.
    """
    import polars  # noqa: PLC0415 - see the module's docstring

    numbers = _numbers(keys, padded=least < _NUMBER)
    if numbers is None:
        return None
    places = polars.int_range(0, len(keys), dtype=polars.UInt64, eager=True)
    rest = sizes.cast(polars.UInt64) * (1 << _PLACE_BITS) + places
    above = polars.Series([1 << _REST_BITS], dtype=polars.Int128)
    made = (numbers.cast(polars.Int128) * above + rest.cast(polars.Int128)).sort(multithreaded=False)
    return made.cast(polars.UInt32, wrap_numerical=True)


def _numbers(keys: polars.Series, *, padded: bool) -> polars.Series | None:
    """Return keys of eight bytes, or less if they are to be `padded`, as numbers; None where that is not possible."""
    import polars  # noqa: PLC0415 - see the module's docstring

    if padded:
        from mapreduce_worker.engine import inlined  # noqa: PLC0415 - it brings polars

        found = inlined.padded(keys, _NUMBER)
        if found is None:
            return None
        keys = found
    return keys.bin.reinterpret(dtype=polars.UInt64, endianness="big")


def divided(rows: Columns, numbers: polars.Series, count: int, least: int) -> Iterator[Columns]:
    """Yield the rows of each of `count` partitions in order; `numbers` has the partition of each row.

    Where a partition has `least` rows or more, as a mean, each is sorted for itself: that takes half the time.
    """
    import polars  # noqa: PLC0415 - see the module's docstring

    frame = rows.frame.hstack([numbers.alias(_PART)])
    if frame.height >= least * count and count <= _FEW and rows.one is not None:
        keys = rows.key_series
        for number in range(count):
            yield in_order(with_one(keys.filter(numbers == number), rows.one))
        return
    if frame.height >= least * count:
        parts = frame.partition_by(_PART, maintain_order=True, include_key=False, as_dict=True)
        for number in range(count):
            part = parts.pop((number,), None)
            yield in_order(Columns(part, rows.one)) if part is not None else rows.cut(0, 0)
        return
    frame = frame.sort(_PART, KEY, multithreaded=False, maintain_order=True)
    whole = Columns(polars.DataFrame(frame.get_columns()[:2]), rows.one)
    sizes, start = Counter(numbers.to_list()), 0
    for number in range(count):
        end = start + sizes[number]
        yield whole.cut(start, end)
        start = end


def pieces(rows: Columns, most_rows: int, most_bytes: int) -> Iterator[Columns]:
    """Divide rows: a piece ends with its row of the number `most_rows`, or where it has `most_bytes`."""
    if rows.count <= most_rows and rows.size() < most_bytes:
        yield rows
        return
    values = rows.value_series
    width = _FIXED.get(str(values.dtype)) if rows.one is None else len(rows.one)
    sizes = lengths(rows.key_series) + (lengths(values) if width is None else width)
    least, largest = int(sizes.min()), int(sizes.max())  # type: ignore[arg-type] # there are rows
    if least == largest:
        step = min(most_rows, max(1, -(-most_bytes // max(1, least))))
        for start in range(0, rows.count, step):
            yield rows.cut(start, min(start + step, rows.count))
        return
    ends = sizes.cast(_uint64()).cum_sum()
    start = before = 0
    while start < rows.count:
        most = min(start + most_rows, rows.count)
        # No piece ends before its rows, if all were of the largest size, or after it, if all were of the least.
        low = min(start + max(0, most_bytes // largest - 1), most)
        end = min(bisect_left(ends, before + most_bytes, low, most) + 1, most)
        yield rows.cut(start, end)
        start, before = end, ends[end - 1]


def lengths(values: polars.Series) -> polars.Series:
    """Return the bytes of each text, or of each value that is bytes; 32 bits without a sign."""
    return values.str.len_bytes() if str(values.dtype) == "String" else values.bin.size()


def partitions(numbers: Iterable[Sequence[int] | polars.Series]) -> polars.Series:
    """Return the partitions of rows, which come in several pieces, as `divided` takes them."""
    import polars  # noqa: PLC0415 - see the module's docstring

    pieces = [some if isinstance(some, polars.Series) else polars.Series(some, dtype=polars.UInt32) for some in numbers]
    return polars.concat([some.alias(_PART) for some in pieces])


def _uint64() -> type[polars.UInt64]:
    import polars  # noqa: PLC0415 - see the module's docstring

    return polars.UInt64
