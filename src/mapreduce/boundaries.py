"""A total order: where the ranges of keys begin that the reduces of a job read, told by samples of the maps' keys.

Keys are meant in their encoding (`keys`), in which bytes compare as keys do. A boundary is the beginning of a key, of
`KEY_BYTES` at most: it divides keys as a whole key does, and equal keys are never divided. Everything here is a
function of what is given, so that every mode of running a job chooses alike.
Neighbours: the master's `divide.py` and `--sequential` (the callers), the engine's `ordered.py` (takes the samples).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

import msgspec

KEY_BYTES: Final = 64
"""Bytes that are kept of a key."""
MOST_OF_MAP: Final = 1000
"""Keys that one map tells."""
MOST: Final = 20_000
"""Keys that all maps of a job tell."""
OF_RANGE: Final = 64
"""Keys that are wanted for each range: of so many, one more or less does not matter."""
LEAST: Final = 1000
"""Keys that are wanted in any case."""
LEAST_OF_MAP: Final = 8
"""Keys that a map tells which is asked at all."""
_SCALE: Final = 1 << 20


class KeyRange(msgspec.Struct, frozen=True, array_like=True):
    """The keys from `low` on and before `high`, where there is one; no key is before the empty one."""

    low: bytes = b""
    high: bytes | None = None


ALL: Final = KeyRange()
"""Every key."""
NONE: Final = KeyRange(b"", b"")
"""No key."""


def samples(maps: int, partitions: int, index: int) -> int:
    """Return how many keys a map is to tell at most, 0 if others tell enough.

    What is wanted of the whole job is divided evenly; of very many maps only every n-th is asked.
    """
    wanted = min(MOST, max(LEAST, OF_RANGE * partitions))
    every = -(-maps * LEAST_OF_MAP // MOST)
    if index % max(1, every):
        return 0
    asked = -(-maps // max(1, every))
    return max(LEAST_OF_MAP, min(MOST_OF_MAP, -(-wanted // max(1, asked))))


def choose(told: Iterable[tuple[int, tuple[bytes, ...]]], partitions: int) -> tuple[bytes, ...]:
    """Return the keys with which the second range begins, and those after it; they grow.

    `told` has, for each map, the number of its rows, and keys that stand at equal distances among them. The ranges hold
    about equally many rows. There are fewer than `partitions` where the keys do not give as many; in front of the first
    boundary there are keys, unless nobody told one.
    """
    weights: dict[bytes, int] = {}
    for rows, keys in told:
        for key in keys:
            weights[key] = weights.get(key, 0) + rows * _SCALE // len(keys)
    distinct = sorted(weights)
    before: list[int] = []
    total = 0
    for key in distinct:
        before.append(total)
        total += weights[key]
    found: list[int] = [0]
    for number in range(1, partitions):
        at = _nearest(before, total * number // partitions)
        if at > found[-1]:
            found.append(at)
    return tuple(distinct[at] for at in found[1:])


def _nearest(growing: list[int], target: int) -> int:
    """Return the place of the number that is nearest to `target`; 0 if there is none."""
    after = bisect_left(growing, target)
    if after == len(growing):
        return max(0, after - 1)
    return after - 1 if after and target - growing[after - 1] <= growing[after] - target else after


def range_of(chosen: tuple[bytes, ...], partition: int) -> KeyRange:
    """Return the keys that a reduce reads; there is none for those behind the last range."""
    if partition > len(chosen):
        return NONE
    low = chosen[partition - 1] if partition else b""
    return KeyRange(low, chosen[partition] if partition < len(chosen) else None)
