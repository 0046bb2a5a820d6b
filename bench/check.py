"""Whether an output is right: digests of files, and the order and the records of a sorted file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_128_intdigest

_MODULUS = 1 << 128


class WrongOutput(Exception):
    """An output that is not what it must be."""


class Sorted(NamedTuple):
    """What a file of records holds. checksum: the sum of the hashes of its lines, the same in any order."""

    rows: int
    in_order: bool
    checksum: int


def digest(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def sorted_file(path: Path) -> Sorted:
    """Read records `KEY TAB VALUE LF`, in order if no key is less than the one before it.

    A sum, not an exclusive or, so that a record that is there twice is not as good as none.
    """
    rows, in_order, checksum, last = 0, True, 0, b""
    with path.open("rb") as lines:
        for line in lines:
            key = line.partition(b"\t")[0]
            in_order = in_order and last <= key
            rows, checksum, last = rows + 1, checksum + xxh3_128_intdigest(line), key
    return Sorted(rows, in_order, checksum % _MODULUS)


def prove_sorted(path: Path, source: Path) -> None:
    """Raise `WrongOutput` unless the file has the records of the source, each as often, by key."""
    found, given = sorted_file(path), sorted_file(source)
    if not found.in_order:
        raise WrongOutput(f"{path} is not in the order of its keys")
    if found.rows != given.rows:
        raise WrongOutput(f"{path} has {found.rows} records, {source} has {given.rows}")
    if found.checksum != given.checksum:
        raise WrongOutput(f"{path} has other records than {source}")


def added_digest(files: Sequence[Path]) -> str:
    """Return the digest of the counts of several files `WORD TAB NUMBER LF`, added up and in order."""
    counts: dict[bytes, int] = {}
    for path in files:
        with path.open("rb") as lines:
            for line in lines:
                word, _, number = line.rstrip(b"\n").partition(b"\t")
                counts[word] = counts.get(word, 0) + int(number)
    whole = hashlib.sha256()
    for word in sorted(counts):
        whole.update(b"%b\t%d\n" % (word, counts[word]))
    return whole.hexdigest()
