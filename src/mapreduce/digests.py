"""Digests that several parts must compute alike."""

from __future__ import annotations

from collections.abc import Iterable

from xxhash import xxh3_128


def consumed(checksums: Iterable[tuple[int, str]]) -> str:
    """Return the digest over (map index, checksum) pairs, given in the order of the index."""
    state = xxh3_128()
    for index, checksum in checksums:
        state.update(f"{index}:{checksum}\n".encode())
    return state.hexdigest()
