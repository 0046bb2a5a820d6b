"""Reducers that come with the package: what `reduce = mr.Sum()` names. Here are those that add up numbers.

A built-in reducer is four small functions over an accumulator. The engine folds values into
accumulators where they are produced (the combiner), carries accumulators to the reducers in
their packed form, merges them there, and finishes once. The result must not depend on how the
values were divided among accumulators, which are merged in the order of their values.
Neighbour: `selection` (the reducers that choose among values).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any, ClassVar

from mapreduce import values


class Reducer:
    """The base of the built-in reducers; `acc` is any value that the value codec carries."""

    keys_only: ClassVar[bool] = False
    """What map yields or returns are keys, not pairs."""
    folds: ClassVar[bool] = True
    """Values are folded into accumulators; if not, they travel as they are, and the reducer is called with them."""
    few_numbers: ClassVar[bool] = False
    """An accumulator is a few numbers, whatever the values are: nobody needs to weigh it."""
    combines: ClassVar[bool] = False
    """An accumulator is a value itself, so that a `reduce` of the user's own may take it: see `combiner`."""

    def combiner(self) -> Reducer:
        """Return what merges values where the job says `combine = mr.Sum()`; only where `combines` is true."""
        return self

    def start(self, value: Any) -> Any:
        """Return the accumulator of one value."""
        raise TypeError(f"{type(self).__name__} is not a complete reducer")

    def add(self, acc: Any, value: Any) -> Any:
        """Return the accumulator with one more value."""
        return self.merge(acc, self.start(value))

    def merge(self, acc: Any, other: Any) -> Any:
        """Return the accumulator of both: associative and, in value, commutative."""
        raise TypeError(f"{type(self).__name__} is not a complete reducer")

    def finish(self, acc: Any) -> Any:
        """Return the result that the user sees."""
        return acc

    def canonical(self, acc: Any) -> Any:
        """Return the accumulator as it travels: the same for the same values, however they were divided.

        So that a map output does not depend on when the engine had to empty its memory.
        """
        return acc

    def weigh(self, acc: Any) -> int:
        """Return about how many bytes an accumulator takes, beyond those of a number."""
        return len(values.encode(acc))

    def __call__(self, key: Any, group: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Reduce plain values, as a user's own `reduce` would: what the reference runs."""
        rest = iter(group)
        acc = self.start(next(rest))
        for value in rest:
            acc = self.add(acc, value)
        yield key, self.finish(acc)


class Count(Reducer):
    """How often each key was yielded, as int: with it, `map` yields or returns keys alone, not pairs.

    Examples:
        >>> class Words(mr.Job):
        ...     def map(self, line):
        ...         return line.split()
        ...
        ...     reduce = mr.Count()
        >>> run(Words, ["to be or", "not to be"])
        [('be', 2), ('not', 1), ('or', 1), ('to', 2)]
    """

    keys_only = True
    few_numbers = True

    def start(self, value: Any) -> int:
        """Return 1, whatever the value is."""
        return 1

    def add(self, acc: int, value: Any) -> int:
        """Return one more."""
        return acc + 1

    def merge(self, acc: int, other: int) -> int:
        """Return the sum."""
        return acc + other


class Sum(Reducer):
    """The sum of the values, exact: integers never wrap, floats are rounded once at the end.

    Of integers alone it is an int, else a float; a value that is no number fails the attempt with `TypeError`. As
    `combine = mr.Sum()`, beside a `reduce` of your own, it takes integers only.

    Examples:
        >>> class Total(mr.Job):
        ...     def map(self, line):
        ...         city, price = line.split()
        ...         yield city, float(price)
        ...
        ...     reduce = mr.Sum()
        >>> run(Total, ["Ulm 0.1", "Ulm 0.2", "Bonn 5", "Ulm 0.7"])
        [('Bonn', 5.0), ('Ulm', 1.0)]
    """

    # An accumulator is an int while only integers were seen, else a list: [integer sum,
    # non-overlapping float partials…] (Shewchuk, "Adaptive Precision Floating-Point
    # Arithmetic", 1997, as in `math.fsum`).

    few_numbers = True
    combines = True

    def combiner(self) -> Reducer:
        """Return the sum of integers: of floats, a sum of rounded sums would depend on how they were divided."""
        return IntegerSum()

    def start(self, value: Any) -> Any:
        """Return the accumulator of one number; raises `TypeError` for anything else."""
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return [0, value]
        raise TypeError(f"Sum adds numbers, not {type(value).__name__}: {value!r:.80}")

    def merge(self, acc: Any, other: Any) -> Any:
        """Return the accumulator of both."""
        if isinstance(acc, int) and isinstance(other, int):
            return acc + other
        left, right = _as_list(acc), _as_list(other)
        partials = list(left[1:])
        for value in right[1:]:
            _grow(partials, value)
        return [left[0] + right[0], *partials]

    def finish(self, acc: Any) -> int | float:
        """Return an int if all values were integers, else the correctly rounded float."""
        if isinstance(acc, int):
            return acc
        whole, partials = acc[0], acc[1:]
        special = [value for value in partials if not math.isfinite(value)]
        if special:
            return math.nan if any(value != value for value in special) or len(set(special)) > 1 else float(special[0])
        with suppress(OverflowError):
            # Also raised where only a step on the way leaves the range of a float.
            if whole == 0:
                return math.fsum(partials)
        exact = sum((Fraction(value) for value in partials), Fraction(whole))
        try:
            return float(exact)
        except OverflowError:
            return math.inf if exact > 0 else -math.inf

    def canonical(self, acc: Any) -> Any:
        """Return an int as it is; else [integer sum, the float nearest to the rest, what is left of it…]."""
        if isinstance(acc, int):
            return acc
        whole, partials = acc[0], acc[1:]
        special = [value for value in partials if not math.isfinite(value)]
        if special:
            return [0, self.finish(acc)]
        try:
            return [0, *_descending([*partials, *_as_floats(whole)])]
        except OverflowError:
            return _canonical_slowly(sum((Fraction(value) for value in partials), Fraction(whole)))


class IntegerSum(Sum):
    """What `combine = mr.Sum()` is: its accumulators are integers, and as such the values of `reduce`."""

    def start(self, value: Any) -> Any:
        """Return the integer; raises `TypeError` for anything else."""
        if isinstance(value, int):
            return int(value)
        raise TypeError(
            f"combine = mr.Sum() adds integers, not {type(value).__name__}: {value!r:.80}; floats would be rounded in "
            "each map, and the result depend on their number: leave combine out, or write reduce = mr.Sum()"
        )


class Mean(Reducer):
    """The mean of the values, a float: computed exactly, and rounded once.

    A value that is no number fails the attempt with `TypeError`.

    Examples:
        >>> class Usual(mr.Job):
        ...     def map(self, line):
        ...         city, price = line.split()
        ...         yield city, int(price)
        ...
        ...     reduce = mr.Mean()
        >>> run(Usual, ["Ulm 30", "Bonn 5", "Ulm 10", "Bonn 8"])
        [('Bonn', 6.5), ('Ulm', 20.0)]
    """

    # An accumulator is [count, sum].

    few_numbers = True
    _sum: ClassVar[Sum] = Sum()

    def start(self, value: Any) -> Any:
        """Return the accumulator of one number; raises `TypeError` for anything else."""
        if not isinstance(value, (int, float)):
            raise TypeError(f"Mean takes numbers, not {type(value).__name__}: {value!r:.80}")
        return [1, self._sum.start(value)]

    def add(self, acc: Any, value: Any) -> Any:
        """Return the accumulator with one more number."""
        if type(value) is int and type(acc[1]) is int:
            return [acc[0] + 1, acc[1] + value]
        return self.merge(acc, self.start(value))

    def merge(self, acc: Any, other: Any) -> Any:
        """Return the accumulator of both."""
        return [acc[0] + other[0], self._sum.merge(acc[1], other[1])]

    def finish(self, acc: Any) -> float:
        """Return the float nearest to the exact mean; NaN and infinities as a sum would give them."""
        count, total = acc
        if isinstance(total, list):
            if not all(map(math.isfinite, total[1:])):
                return float(self._sum.finish(total))
            total = sum((Fraction(value) for value in total[1:]), Fraction(total[0]))
        try:
            # Exact, as both are integers or a fraction; rounding comes last.
            return float(total / count)
        except OverflowError:
            return math.inf if total > 0 else -math.inf

    def canonical(self, acc: Any) -> Any:
        """Return the count, and the sum in the form in which it travels."""
        return [acc[0], self._sum.canonical(acc[1])]


def _as_floats(whole: int) -> list[float]:
    """Return floats whose exact sum is `whole`; raises `OverflowError` beyond their range."""
    terms: list[float] = []
    while whole:
        terms.append(float(whole))
        whole -= int(terms[-1])
    return terms


def _descending(terms: list[float]) -> list[float]:
    """Return the exact sum of the terms as floats, each the nearest to what those before it leave."""
    found: list[float] = []
    while nearest := math.fsum(terms):
        found.append(nearest)
        terms = [*terms, -nearest]
    return found


def _canonical_slowly(rest: Fraction) -> list[Any]:
    """Do the same where a step left the range of a float; only a sum beyond it keeps an integer part."""
    whole = 0
    found: list[float] = []
    while rest:
        try:
            found.append(float(rest))
            rest -= Fraction(found[-1])
        except OverflowError:
            whole = math.floor(rest)
            rest -= whole
    return [whole, *found]


def _as_list(acc: Any) -> list[Any]:
    return acc if isinstance(acc, list) else [acc]


def _grow(partials: list[float], value: float) -> None:
    """Add `value` to the non-overlapping partials in place, without rounding error."""
    if not math.isfinite(value):
        partials.append(value)
        return
    kept = 0
    for index in range(len(partials)):
        other = partials[index]
        if not math.isfinite(other):
            partials[kept], kept = other, kept + 1
            continue
        if abs(value) < abs(other):
            value, other = other, value
        high = value + other
        if not math.isfinite(high):
            # The running sum left the range of a float: keep both terms, `finish` adds exactly.
            partials[kept], kept = other, kept + 1
            continue
        low = other - (high - value)
        if low:
            partials[kept], kept = low, kept + 1
        value = high
    partials[kept:] = [value]
