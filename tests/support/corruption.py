"""Flip single bits of every file format: each flip must be noticed, or change nothing of what is read.

A `Sample` is a small file (or answer on the wire) that has every kind of byte its format knows; its spans name them.
`flip` says what became of one flip. Callers: `tests/unit/engine/test_flipped_bits.py` with a few, `bench/corruption.py`
with many. The samples themselves are in `corruption_samples.py`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from mapreduce.errors import CorruptionError

Verdict = Literal["detected", "same", "cut", "undetected"]
"""detected: refused as damaged. same: what was read is equal. cut: the last frame of a journal counts as torn,
which is what its format says. undetected: something else was read, or the error was none of ours."""


class Span(msgspec.Struct, frozen=True):
    """Bytes `start` to `end` of a sample are of the class `name`."""

    name: str
    start: int
    end: int


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """`read` returns what a reader makes of the bytes, and raises `CorruptionError` for damage.

    torn: what a reader may make of them if the damage is in the class `last frame`.
    """

    name: str
    content: bytes
    spans: tuple[Span, ...]
    read: Callable[[bytes], Any]
    torn: Any = None

    def classes(self) -> dict[str, list[Span]]:
        """Return the spans of each class."""
        found: dict[str, list[Span]] = {}
        for span in self.spans:
            if span.end > span.start:
                found.setdefault(span.name, []).append(span)
        return found


class Flip(msgspec.Struct, frozen=True):
    """One bit of one byte of a class."""

    name: str
    position: int
    bit: int


class Found(msgspec.Struct, frozen=True):
    """What became of one flip; `detail` says what was read where that was wrong."""

    flip: Flip
    verdict: Verdict
    detail: str = ""


def flips(sample: Sample, count: int, seed: int) -> Iterator[Flip]:
    """Yield `count` flips, each class in its turn, so that a head of four bytes gets as many as a long body."""
    chance = random.Random(f"{sample.name} {seed}")
    classes = sample.classes()
    for number in range(count):
        name = list(classes)[number % len(classes)]
        spans = classes[name]
        (span,) = chance.choices(spans, [span.end - span.start for span in spans])
        yield Flip(name, chance.randrange(span.start, span.end), chance.randrange(8))


def flip(sample: Sample, chosen: Flip, expected: Any) -> Found:
    """Read the sample with one bit flipped; `expected` is what is read of it undamaged."""
    damaged = bytearray(sample.content)
    damaged[chosen.position] ^= 1 << chosen.bit
    try:
        result = sample.read(bytes(damaged))
    except CorruptionError:
        return Found(chosen, "detected")
    except Exception as error:  # noqa: BLE001 - any other error is the finding
        return Found(chosen, "undetected", f"{type(error).__name__}: {error}")
    if result == expected:
        return Found(chosen, "same")
    if sample.torn is not None and chosen.name.startswith("last frame") and result == sample.torn:
        return Found(chosen, "cut")
    return Found(chosen, "undetected", f"read as {result!r}"[:500])


def run(sample: Sample, count: int, seed: int) -> tuple[Counter[tuple[str, Verdict]], list[Found]]:
    """Try `count` flips; return how many of each class ended how, and those that nobody noticed."""
    expected = sample.read(sample.content)
    counts: Counter[tuple[str, Verdict]] = Counter()
    missed = []
    for chosen in flips(sample, count, seed):
        found = flip(sample, chosen, expected)
        counts[chosen.name, found.verdict] += 1
        if found.verdict == "undetected":
            missed.append(found)
    return counts, missed
