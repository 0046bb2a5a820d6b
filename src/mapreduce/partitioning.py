"""Which partition a key belongs to: the same answer in every process, language and year.

XXH3 with 64 bits and seed 0 over the encoded key (https://github.com/Cyan4973/xxHash,
`doc/xxhash_spec.md`), modulo the number of partitions. Python's own `hash()` is never used:
it differs between processes.
"""

from __future__ import annotations

from xxhash import xxh3_64_digest, xxh3_64_intdigest


def partition(encoded_key: bytes, partitions: int) -> int:
    """Return the partition, in [0, partitions), of a key in its encoded form."""
    return xxh3_64_intdigest(encoded_key) % partitions


def partition_all(encoded_keys: list[bytes], partitions: int) -> list[int]:
    """Return the partition of each key."""
    return [number % partitions for number in map(xxh3_64_intdigest, encoded_keys)]


def hashes(encoded_keys: list[bytes]) -> bytes:
    """Return the hash of each key, eight bytes each with the highest first: modulo the partitions it is the key's."""
    return b"".join(map(xxh3_64_digest, encoded_keys))
