"""Sizes and numbers as people write and read them."""

from __future__ import annotations

import re
from typing import Final

from mapreduce.spec import LARGEST

_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE | re.ASCII)


def parse(text: str) -> int:
    """Return the bytes that `16MiB`, `16Mi`, `1.5GB` or `65536` stand for; raises `ValueError`."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or (match[3] and not match[2]):
        raise ValueError(f"{text!r} is not a size: write bytes, or a number with KiB, MiB, GiB, kB, MB or GB")
    unit = match[2].lower()
    size = float(match[1]) * (_BINARY[unit] if match[3] else _UNITS[unit])
    if size >= LARGEST:
        raise ValueError(f"{text.strip():.40} is more bytes than a file can have")
    return int(size)


def render(size: float) -> str:
    """Return a size with three digits or so: `512 B`, `1.5 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def count(number: float) -> str:
    """Return a number of things: `950`, `12.3 k`, `4.5 M`."""
    if number < 10_000:
        return f"{number:.0f}"
    for unit in ("k", "M"):
        number /= 1000
        if number < 1000:
            return f"{number:.1f} {unit}"
    return f"{number / 1000:.1f} G"
