"""Records of 100 bytes, `KEY TAB VALUE LF`: a key of 10 printable bytes, a value of 88.

As `tsv` a pair (key, value) is the very line that it came from. Three kinds: keys that are all different
by chance, for sorting; one of a thousand keys in every record; and the same with one key in 30 % of them.
Neighbours: `zipf.py` (the other content), `files.py` (which writes what is made here), `bench.check`.
"""

from __future__ import annotations

import base64
from random import Random

RECORD_BYTES = 100
KEY_BYTES = 10
BLOCK_RECORDS = 80_000
"""Records of a block, the unit that is made at once: 8 MB."""
KEYS = 1000
HOT_KEY = 0
HOT_SHARE = 0.3
_VALUE_BYTES = 88
_NUMBER_DIGITS = 8


def block(seed: int, number: int) -> bytes:
    """Return records whose keys and values are drawn from 64 letters, digits, `+` and `/`."""
    letters = _letters(Random(f"records {seed} {number}"), (KEY_BYTES + _VALUE_BYTES) * BLOCK_RECORDS)
    size = KEY_BYTES + _VALUE_BYTES
    starts = range(0, len(letters), size)
    lines = [f"{letters[at : at + KEY_BYTES]}\t{letters[at + KEY_BYTES : at + size]}\n" for at in starts]
    return "".join(lines).encode("ascii")


def uniform_block(seed: int, number: int) -> bytes:
    """Return records with keys of equal frequency; a value begins with a number of eight digits."""
    return _keyed(Random(f"uniform {seed} {number}"), 0.0)


def skewed_block(seed: int, number: int) -> bytes:
    """Return such records, of which 30 % have the same key."""
    return _keyed(Random(f"skewed {seed} {number}"), HOT_SHARE)


def _keyed(draw: Random, hot: float) -> bytes:
    rest = _VALUE_BYTES - _NUMBER_DIGITS
    letters = _letters(draw, rest * BLOCK_RECORDS)
    lines = []
    for at in range(0, len(letters), rest):
        key = HOT_KEY if draw.random() < hot else int(draw.random() * KEYS)
        lines.append(f"key{key:07}\t{int(draw.random() * 10**_NUMBER_DIGITS):08}{letters[at : at + rest]}\n")
    return "".join(lines).encode("ascii")


def _letters(draw: Random, count: int) -> str:
    return base64.b64encode(draw.randbytes(count * 3 // 4 + 3)).decode("ascii")[:count]
