"""What a task runs, in words: the program, and its input or its partition. For messages to people.

Neighbours: `failures.py` and `fleet.py`, which name it where nothing else tells what went wrong.
"""

from __future__ import annotations

import msgspec

from mapreduce.ids import Kind
from mapreduce.plan import Split
from mapreduce_operator.core.book import Book

_decode_split = msgspec.msgpack.Decoder(Split).decode


def of(book: Book, kind: Kind, index: int) -> str:
    """Return what a task runs, or nothing for one that runs no user code."""
    program = book.spec.program
    name = program.module or program.file
    named = f"{name}:{program.class_name}" if program.class_name else name
    match kind:
        case "map":
            first, *others = _decode_split(book.splits[index]).ranges
            more = f" and {len(others)} more" if others else ""
            return f"{named} on {first.file.path}, bytes {first.start} to {first.end}{more}"
        case "reduce":
            return f"{named} on partition {index}"
        case "load":
            return named
        case _:
            return ""
