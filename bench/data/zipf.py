"""Text whose words are as unequally frequent as those of a language: the word of rank r has a share of 1 / (r + 10).

Neighbours: `records.py` (the other content), `files.py` (which writes what is made here).
"""

from __future__ import annotations

import itertools
from array import array
from functools import cache
from random import Random

WORDS = 200_000
"""Distinct words."""
LINE_WORDS = 12
BLOCK_LINES = 100_000
"""Lines of a block, the unit that is made at once: about 6 MB."""
_FLAT = 10
_BITS = 21
"""A word is drawn by so many bits: enough for the rarest to have a chance."""
_SYLLABLES = [consonant + vowel for consonant in "bdfghjklmnprstvwxzcq" for vowel in "aeiou"]


def block(seed: int, number: int) -> bytes:
    """Return a block of lines: the same for the same seed and number, whatever blocks come before."""
    drawn = array("I")
    drawn.frombytes(Random(f"zipf {seed} {number}").randbytes(4 * LINE_WORDS * BLOCK_LINES))
    table, shift = _table(), 32 - _BITS
    words = [table[bits >> shift] for bits in drawn]
    lines = [" ".join(words[at : at + LINE_WORDS]) for at in range(0, len(words), LINE_WORDS)]
    return ("\n".join(lines) + "\n").encode("ascii")


def word(rank: int) -> str:
    """Return the word of this rank, from 0: shorter ones come first."""
    text = _SYLLABLES[rank % 100]
    rank //= 100
    while rank:
        rank -= 1
        text += _SYLLABLES[rank % 100]
        rank //= 100
    return text


@cache
def _table() -> list[str]:
    """Return the words, each as many times as its share of 2**21 says, and once at least."""
    weights = [1 / (rank + _FLAT) for rank in range(WORDS)]
    size = 1 << _BITS
    # One place each, and what is left by weight; the rounding is of sums, so that it does not add up.
    free, whole = size - WORDS, sum(weights)
    ends = [round(free * end / whole) for end in itertools.accumulate(weights)]
    counts = [1 + end - begin for begin, end in itertools.pairwise([0, *ends])]
    return [text for rank, count in enumerate(counts) for text in [word(rank)] * count]
