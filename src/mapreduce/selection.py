"""The built-in reducers that choose among values: Min, Max, Top, First; or keep them: Unique, Collect, Each.

Where two values are equal, the one that comes first in the order of the input wins, so that the result
does not depend on how values are divided. Neighbours: `reducers` (the base), `ordering`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Final

from mapreduce import values
from mapreduce.ordering import rank, same_kind
from mapreduce.reducers import Reducer

_DIRECT: Final = frozenset({str, int, bytes})
"""Types whose own order is that of `ordering`."""


def _carried(value: Any) -> Any:
    """Return the value as it would arrive at a reduce: a copy that user code cannot change any more."""
    return value if type(value) in values.SCALARS else values.decode(values.encode(value))


def _weigh(value: Any) -> int:
    kind = type(value)
    if kind in (str, bytes):
        return len(value)
    return 0 if kind in values.SCALARS else len(values.encode(value))


class First(Reducer):
    """The first of the values, in the order of the input; they may be of any type.

    Examples:
        >>> class Earliest(mr.Job):
        ...     def map(self, line):
        ...         user, page = line.split()
        ...         yield user, page
        ...
        ...     reduce = mr.First()
        >>> run(Earliest, ["ann /home", "bob /", "ann /help"])
        [('ann', '/home'), ('bob', '/')]
    """

    combines = True

    def start(self, value: Any) -> Any:
        """Return the value."""
        return _carried(value)

    def add(self, acc: Any, value: Any) -> Any:
        """Return what came before."""
        return acc

    def merge(self, acc: Any, other: Any) -> Any:
        """Return what came before."""
        return acc

    def weigh(self, acc: Any) -> int:
        """Return the bytes of a long value."""
        return _weigh(acc)


class _Extreme(First):
    """The base of Min and Max; an accumulator is the best value so far."""

    def start(self, value: Any) -> Any:
        """Return the value; raises `TypeError` for one that has no order."""
        carried = _carried(value)
        rank(carried)
        return carried

    def add(self, acc: Any, value: Any) -> Any:
        """Return the better one."""
        if type(value) is type(acc) and (
            type(acc) in _DIRECT or (type(acc) is float and value == value and acc == acc)
        ):
            return value if self._is_better(value, acc) else acc
        return self.merge(acc, self.start(value))

    def merge(self, acc: Any, other: Any) -> Any:
        """Return the better one; raises `TypeError` for values of two kinds."""
        same_kind(acc, other, type(self).__name__)
        return other if self._is_better(rank(other), rank(acc)) else acc

    def _is_better(self, other: Any, acc: Any) -> bool:
        raise NotImplementedError


class Min(_Extreme):
    """The smallest of the values; NaN only if there is nothing else.

    Values of a key are of one kind: numbers, str, bytes, times, or lists, which are compared element by element.
    Another, or a dictionary, fails the attempt with `TypeError`. Of equal ones the first wins.

    Examples:
        >>> class Cheapest(mr.Job):
        ...     def map(self, line):
        ...         fruit, price, shop = line.split()
        ...         yield fruit, (int(price), shop)
        ...
        ...     reduce = mr.Min()
        >>> run(Cheapest, ["plum 3 Ulm", "pear 4 Ulm", "plum 2 Bonn"])
        [('pear', [4, 'Ulm']), ('plum', [2, 'Bonn'])]
    """

    def _is_better(self, other: Any, acc: Any) -> bool:
        return bool(other < acc)


class Max(_Extreme):
    """The largest of the values; NaN is larger than any number.

    Values of a key are of one kind, as with `mr.Min()`; of equal ones the first wins.

    Examples:
        >>> class Latest(mr.Job):
        ...     def map(self, line):
        ...         user, day = line.split()
        ...         yield user, day
        ...
        ...     reduce = mr.Max()
        >>> run(Latest, ["ann 2026-05-01", "bob 2026-04-30", "ann 2026-05-03"])
        [('ann', '2026-05-03'), ('bob', '2026-04-30')]
    """

    def _is_better(self, other: Any, acc: Any) -> bool:
        return bool(other > acc)


class Top(Reducer):
    """The `n` largest of the values as a list, the largest first; equal ones in the order of the input.

    Values of a key are of one kind, as with `mr.Min()`.

    Examples:
        >>> class Best(mr.Job):
        ...     def map(self, line):
        ...         name, points = line.split()
        ...         yield name, int(points)
        ...
        ...     reduce = mr.Top(2)
        >>> run(Best, ["ann 7", "bob 4", "ann 5", "ann 9"])
        [('ann', [9, 7]), ('bob', [4])]
    """

    def __init__(self, n: int = 10) -> None:
        """Keep `n` values a key.

        Args:
            n: How many values of a key are kept, 1 or more.

        Raises:
            ValueError: `n` is no int, or less than 1.
        """
        if type(n) is not int or n < 1:
            raise ValueError(f"Top(n) takes how many values to keep, 1 or more, not {n!r:.80}")
        self.n = n

    def start(self, value: Any) -> Any:
        """Return the accumulator of one value; raises `TypeError` for one that has no order."""
        carried = _carried(value)
        rank(carried)
        return [carried]

    def add(self, acc: Any, value: Any) -> Any:
        """Return the accumulator with one more value."""
        last = acc[-1]
        if len(acc) == self.n and type(value) is type(last) and type(value) in _DIRECT and not value > last:
            return acc
        return self._with(acc, self.start(value)[0])

    def merge(self, acc: Any, other: Any) -> Any:
        """Return the accumulator of both; raises `TypeError` for values of two kinds."""
        for value in other:
            acc = self._with(acc, value)
        return acc

    def _with(self, acc: list[Any], value: Any) -> list[Any]:
        same_kind(acc[0], value, "Top")
        if len(acc) == self.n and not rank(value) > rank(acc[-1]):
            return acc
        at = bisect_right(acc, _Descending(value), key=_Descending)
        return [*acc[:at], value, *acc[at : self.n - 1]] if at < self.n else acc

    def weigh(self, acc: Any) -> int:
        """Return the bytes of the values that are kept."""
        return sum(map(_weigh, acc)) + 8 * len(acc)


class _Descending:
    """A value that sorts before smaller ones."""

    __slots__ = ("_rank",)

    def __init__(self, value: Any) -> None:
        self._rank = rank(value)

    def __lt__(self, other: _Descending) -> bool:
        return self._rank > other._rank


class Collect(Reducer):
    """All values as a list, in the order of the input. They must fit into a slot's memory.

    Nothing is folded before values travel.

    Examples:
        >>> class Pages(mr.Job):
        ...     def map(self, line):
        ...         user, page = line.split()
        ...         yield user, page
        ...
        ...     reduce = mr.Collect()
        >>> run(Pages, ["ann /home", "bob /", "ann /help", "ann /home"])
        [('ann', ['/home', '/help', '/home']), ('bob', ['/'])]
    """

    folds = False

    def __call__(self, key: Any, group: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield the key with all its values."""
        yield key, list(group)


class Each(Reducer):
    """Every value with its key, unchanged, in the order of the input: what `map` yields, sorted by key.

    Examples:
        >>> class ByPrice(mr.Job):
        ...     def map(self, line):
        ...         city, price = line.split()
        ...         yield int(price), city
        ...
        ...     reduce = mr.Each()
        >>> run(ByPrice, ["Ulm 30", "Bonn 5", "Mainz 30"])
        [(5, 'Bonn'), (30, 'Ulm'), (30, 'Mainz')]
    """

    folds = False

    def __call__(self, key: Any, group: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield the key with each of its values."""
        for value in group:
            yield key, value


class Unique(Reducer):
    """The distinct values as a list, in the order in which each came first. They must fit into a slot's memory.

    Two values are one if they are encoded alike: 1, 1.0 and True are three.

    Examples:
        >>> class Visitors(mr.Job):
        ...     def map(self, line):
        ...         page, visitor = line.split()
        ...         yield page, visitor
        ...
        ...     reduce = mr.Unique()
        >>> run(Visitors, ["/ bob", "/ ann", "/help ann", "/ bob"])
        [('/', ['bob', 'ann']), ('/help', ['ann'])]
    """

    # An accumulator travels as the list, and is a dictionary while it grows: the value by what tells it from others.

    def __init_subclass__(cls) -> None:
        """Fold nothing in a class that derives from this one: what it does, it does with all values."""
        super().__init_subclass__()
        cls.folds = False

    def start(self, value: Any) -> dict[Any, Any]:
        """Return the accumulator of one value; raises `ValueEncodingError` for what cannot be carried."""
        kept = arrived(value)
        return {mark(kept): kept}

    def merge(self, acc: Any, other: Any) -> dict[Any, Any]:
        """Return the accumulator of both, in which `acc` is used up."""
        merged: dict[Any, Any] = acc if isinstance(acc, dict) else {mark(value): value for value in acc}
        for value in self.canonical(other):
            merged.setdefault(mark(value), value)
        return merged

    def canonical(self, acc: Any) -> list[Any]:
        """Return the list."""
        return list(acc.values()) if isinstance(acc, dict) else acc

    def finish(self, acc: Any) -> list[Any]:
        """Return the list."""
        return self.canonical(acc)

    def weigh(self, acc: Any) -> int:
        """Return the bytes of the values."""
        return sum(map(_weigh, self.canonical(acc))) + 8 * len(acc)

    def __call__(self, key: Any, group: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield the key with its distinct values."""
        found: dict[bytes, Any] = {}
        for value in group:
            found.setdefault(values.encode(value), value)
        yield key, list(found.values())


def arrived(value: Any) -> Any:
    """Return the value as it arrives at a reduce; raises `ValueEncodingError` for what does not arrive at all."""
    packed = values.encode(value)
    return value if type(value) in values.SCALARS else values.decode(packed)


def mark(value: Any) -> Any:
    """Return what a carried value has in common with those alone that are encoded like it."""
    return value if type(value) in _DIRECT else (values.encode(value),)
