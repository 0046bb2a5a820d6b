"""The order of values, for reducers that compare them: total, and the same however values are divided.

Within a kind: numbers by value (1, 1.0 and True are equal; every NaN is one number, and sorts last), str by code
point, bytes by bytes, lists element by element. Only values of one kind are compared; inside lists, where
kinds may meet, they stand in the order None, numbers, str, bytes, times, lists. Neighbour: `keys`, whose
order this is for the types that may be keys.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

KINDS: Final[dict[type, tuple[int, str]]] = {
    type(None): (0, "None"),
    bool: (1, "a number"),
    int: (1, "a number"),
    float: (1, "a number"),
    str: (2, "str"),
    bytes: (3, "bytes"),
    datetime: (4, "a time"),
    list: (5, "a list"),
}


def rank(value: Any) -> tuple[Any, ...]:
    """Return what compares as the value does; raises `TypeError` for a dictionary, which has no order."""
    kind = KINDS.get(type(value))
    if kind is None:
        raise TypeError(f"a {type(value).__name__} has no order: {value!r:.80}; yield what has one, such as a list")
    if type(value) is list:
        return kind[0], [rank(element) for element in value]
    if type(value) is float and value != value:
        return kind[0], True, 0.0
    return kind[0], False, value


def same_kind(one: Any, other: Any, who: str) -> None:
    """Raise `TypeError` if two values are of kinds that `who` does not compare."""
    if KINDS[type(one)][0] != KINDS[type(other)][0]:
        raise TypeError(
            f"{who} compares values of one kind, not {KINDS[type(one)][1]} and {KINDS[type(other)][1]}: "
            f"{one!r:.80} and {other!r:.80}; let all values of a key be of one kind"
        )
