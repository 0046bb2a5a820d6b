"""Accumulators of built-in reducers as columns: those of equal keys are merged by Polars, where that is exact.

Exact means: to the bit what the reducer's own `merge` makes of them, one after the other. What is not (sums that could
leave 64 bits, which Polars lets wrap; floats; values of several types), is refused with None, and left to Python.
Neighbours: `folding` (the caller, and the way in Python), `columns` (rows as frames), `batch_sums`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count, repeat
from typing import TYPE_CHECKING, Any, Final

from mapreduce import values as codec
from mapreduce.reducers import Count, IntegerSum, Mean, Reducer, Sum
from mapreduce.selection import First, Max, Min, Unique
from mapreduce_worker.engine import list_heads
from mapreduce_worker.engine.columns import KEY, PACKED, VALUE, Columns

if TYPE_CHECKING:
    import polars

LARGEST: Final = 2**63 - 1
"""What no sum of 64 bits may go beyond."""
_ORDERED: Final = ("Int64", "String", "Binary", "Boolean")
"""Types of values that Polars orders as `mapreduce.ordering` does, and of which those that are equal are one."""
_MARKED: Final = frozenset({str, bytes, int})
"""Types of values of which those that are equal are encoded alike."""
_SOME: Final = 512
"""Accumulators that are lists in Python at once: fewer than wake the garbage collector (700), which would go through
all of them again and again."""
_MANY: Final = 8
"""So many rows with the same list, in the mean, are many."""
SUMS: Final = (Sum, Count, IntegerSum)
"""Reducers, by their exact types, that add accumulators where these are integers."""
PLAIN: Final = (Sum, Count, Min, Max, First)
"""Reducers, by their exact types, whose result is the accumulator where that is no packed value."""


def folded(frame: polars.DataFrame, reducer: Reducer) -> polars.DataFrame | None:
    """Return one row a key, in the order of the keys, with the accumulator of all its rows; None if not exact.

    Takes a frame as `columns` describes it, with rows in the order in which accumulators are merged.
    """
    fold = _FOLDS.get(type(reducer))
    found = None if fold is None else fold(frame)
    return None if found is None else found.sort(KEY, multithreaded=False)


def summed(frame: polars.DataFrame) -> polars.DataFrame | None:
    """Return the sum of each key, in any order; None if one could leave 64 bits, or values are no integers.

    Takes columns `key`, of any type, and `value`.
    """
    import polars  # noqa: PLC0415 - see `columns`

    values = frame.to_series(1)
    if values.name != VALUE or values.dtype != polars.Int64 or not _fits(values):
        return None
    return grouped(frame, polars.col(VALUE).sum())


def _fits(numbers: polars.Series) -> bool:
    """Tell whether no sum of some of these integers can leave 64 bits."""
    least, most = numbers.min(), numbers.max()
    return not len(numbers) or max(int(most), -int(least)) * len(numbers) <= LARGEST  # type: ignore[arg-type]


def grouped(frame: polars.DataFrame, value: polars.Expr, *, in_order: bool = False) -> polars.DataFrame:
    """Return one row a key; short texts are grouped as numbers, in half of the time.

    in_order: what comes of a key depends on the order of its rows. Else the streaming engine takes half the time
    of the other (214 ms to 429 ms).
    """
    from mapreduce_worker.engine import inlined  # noqa: PLC0415 - it brings polars

    keys = frame.get_column(KEY)
    numbers = inlined.numbers_of_short(keys)
    if numbers is not None:
        frame = frame.with_columns(numbers.alias(KEY))
    if in_order:
        found = frame.group_by(KEY, maintain_order=True).agg(value)
    else:
        found = frame.lazy().group_by(KEY).agg(value).collect(engine="streaming")
    return found if numbers is None else found.with_columns(inlined.texts(found.get_column(KEY), keys.dtype))


def _least(frame: polars.DataFrame) -> polars.DataFrame | None:
    import polars  # noqa: PLC0415 - see `columns`

    return grouped(frame, polars.col(VALUE).min()) if _is_ordered(frame) else None


def _most(frame: polars.DataFrame) -> polars.DataFrame | None:
    import polars  # noqa: PLC0415 - see `columns`

    return grouped(frame, polars.col(VALUE).max()) if _is_ordered(frame) else None


def _is_ordered(frame: polars.DataFrame) -> bool:
    values = frame.to_series(1)
    return values.name == VALUE and str(values.dtype) in _ORDERED


def _first(frame: polars.DataFrame) -> polars.DataFrame:
    return frame.unique(KEY, keep="first", maintain_order=True)


def _mean(frame: polars.DataFrame) -> polars.DataFrame | None:
    import polars  # noqa: PLC0415 - see `columns`

    sizes, numbers = _lists(frame.to_series(1)) or ([], [])
    if set(sizes) != {2} or set(map(type, numbers)) != {int} or max(map(abs, numbers)) > LARGEST:
        return None
    counts = polars.Series("count", numbers[::2], dtype=polars.Int64)
    totals = polars.Series(VALUE, numbers[1::2], dtype=polars.Int64)
    if not (_fits(counts) and _fits(totals)):
        return None
    rows = polars.DataFrame([frame.get_column(KEY), counts, totals])
    found = rows.group_by(KEY).agg(polars.col("count").sum(), polars.col(VALUE).sum())
    accs = zip(found["count"].to_list(), found[VALUE].to_list(), strict=True)
    return _packed(found.get_column(KEY), codec.encode_all(list(accs)))


def _distinct(frame: polars.DataFrame) -> polars.DataFrame | None:
    """Merge lists of values: each value is a number while that is done, and different lists are decoded once."""
    import polars  # noqa: PLC0415 - see `columns`

    packed = frame.to_series(1)
    if packed.name != PACKED:
        return None
    runs = packed.rle().struct
    different = runs.field("value").unique(maintain_order=True)
    lengths, objects = _lists(different.alias(PACKED)) or ([], [])
    kinds = set(map(type, objects))
    if len(kinds) != 1 or not _MARKED.issuperset(kinds):
        return None
    numbers = dict(zip(dict.fromkeys(objects), count(), strict=False))
    members = polars.DataFrame(
        [
            different.gather(list(chain.from_iterable(map(repeat, range(len(lengths)), lengths)))).alias(PACKED),
            polars.Series(VALUE, list(map(numbers.__getitem__, objects)), dtype=polars.UInt32),
        ]
    )
    one_each = polars.DataFrame([runs.field("value").alias(PACKED), runs.field("len")])
    if len(members) == len(different) and len(one_each) * _MANY <= len(frame):
        # Neighbours have the same list of one value: a run of them is looked up once.
        found = one_each.join(members, on=PACKED, maintain_order="left")
        rows = frame.select(KEY).hstack(found.select(polars.col(VALUE).repeat_by("len").explode()))
    else:
        rows = frame.join(members, on=PACKED, maintain_order="left_right").select(KEY, VALUE)
    lists = grouped(rows, polars.col(VALUE), in_order=True)
    return _packed(lists.get_column(KEY), _packed_lists(lists.get_column(VALUE), list(map(codec.encode, numbers))))


def _packed_lists(lists: polars.Series, encoded: list[bytes]) -> Iterator[bytes]:
    """Yield packed lists of the different values that have these numbers, each of which is `encoded` already."""
    import polars  # noqa: PLC0415 - see `columns`

    values = polars.Series(PACKED, encoded, dtype=polars.Binary)
    for at in range(0, len(lists), _SOME):
        some = lists.slice(at, _SOME)
        sizes, numbers = some.list.len(), some.explode()
        falls = (numbers <= numbers.shift(1)).arg_true()
        if not falls.is_in(sizes.cum_sum()).all():
            # A list that does not rise may have a value twice.
            some = some.list.unique(maintain_order=True)
            sizes, numbers = some.list.len(), some.explode()
        ends = values.bin.size().gather(numbers).cast(polars.UInt64).cum_sum().gather(sizes.cum_sum() - 1)
        bodies = bytes(_side_by_side(values.gather(numbers)))
        start = 0
        for size, end in zip(sizes.to_list(), ends.to_list(), strict=True):
            yield list_heads.head(size) + bodies[start:end]
            start = end


def _side_by_side(values: polars.Series) -> memoryview:
    """Return all bytes of a column of bytes, one value after the other."""
    from mapreduce_worker.engine import arrow_sizes, blocks  # noqa: PLC0415 - `blocks` brings more than `native` needs

    return arrow_sizes.buffers(blocks.stream(values.to_frame()))[2]


def has_few_lists(rows: Columns, reducer: Reducer) -> bool:
    """Tell whether `folded` makes no Python objects of most rows: their accumulators are lists, and the same ones."""
    different = rows.value_series.n_unique() if rows.one is None else 1
    return type(reducer) is Unique and rows.count >= _MANY * different


def _lists(packed: polars.Series) -> tuple[list[int], list[Any]] | None:
    """Return the lengths of packed accumulators that are lists, and their elements, all in one list."""
    if packed.name != PACKED:
        return None
    sizes: list[int] = []
    elements: list[Any] = []
    for at in range(0, len(packed), _SOME):
        some = packed.slice(at, _SOME).to_list()
        accs = codec.decode(list_heads.head(len(some)) + b"".join(some))
        if set(map(type, accs)) != {list} or not all(accs):
            return None
        sizes.extend(map(len, accs))
        elements.extend(chain.from_iterable(accs))
    return sizes, elements


def _packed(encoded: polars.Series, accs: Iterable[bytes]) -> polars.DataFrame:
    import polars  # noqa: PLC0415 - see `columns`

    return polars.DataFrame([encoded, polars.Series(PACKED, list(accs), dtype=polars.Binary)])


_FOLDS: Final[dict[type, Callable[[polars.DataFrame], polars.DataFrame | None]]] = {
    Sum: summed,
    Count: summed,
    IntegerSum: summed,
    Mean: _mean,
    Unique: _distinct,
    Min: _least,
    Max: _most,
    First: _first,
}
