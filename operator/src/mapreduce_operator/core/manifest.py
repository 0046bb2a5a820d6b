"""What the master knows for the manifest of a published output.

The gateway adds what it alone knows: the files, their sizes and checksums. Neighbours:
`answers.py`, which puts it into the `publish` assignment.
"""

from __future__ import annotations

import msgspec

from mapreduce_operator.core.book import Book


def make(book: Book) -> bytes:
    """Return the manifest's beginning as JSON: job, plan, and each part with its attempt."""
    header = book.header
    parts = [
        {
            "partition": partition,
            "attempt": str(part.attempt),
            "checksum": part.checksum,
            "rows": part.rows,
            "bytes": part.size,
        }
        for partition, part in sorted(book.parts.items())
    ]
    return msgspec.json.encode(
        {
            "job": {"name": book.spec.name, "namespace": book.spec.namespace, "uid": book.spec.uid},
            "plan": msgspec.to_builtins(header) if header is not None else {},
            "epoch": book.epoch,
            "key_type": book.key_type,
            "parts": parts,
        }
    )
