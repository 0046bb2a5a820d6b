"""What the master knows for the manifest of a published output.

The gateway adds what it alone knows: the files and the parts that it has staged. Neighbours:
`answers.py`, which puts it into the `publish` assignment.
"""

from __future__ import annotations

import msgspec

from mapreduce_operator.core.book import Book


def make(book: Book) -> bytes:
    """Return the manifest's beginning as JSON: job, plan, epoch, key type, counters, tasks that are left out."""
    header = book.header
    return msgspec.json.encode(
        {
            "job": {"name": book.spec.name, "namespace": book.spec.namespace, "uid": book.spec.uid},
            "plan": msgspec.to_builtins(header) if header is not None else {},
            "epoch": book.epoch,
            "key_type": book.key_type,
            "counters": book.tally.totals(),
            "left_out": [str(task) for task in sorted(book.left_out)],
        }
    )
