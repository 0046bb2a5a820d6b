"""Bad records: those that a job with `skipBadRecords` goes on without, and the file that they are kept in.

A map attempt reports those of its split with its output, in the order of the input; they count, and are
published, if that output does. Neighbours: `counters` (travel the same way), `mapreduce_worker.engine.quarantine`
(finds them), `mapreduce_worker.gateway.publishing` (writes `paths.BAD_RECORDS`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec

from mapreduce.ids import Amount

MOST: Final = 1000
"""The largest `skipBadRecords`: what is kept of so many fits in one message (`protocol.WORKER_BODY`)."""
RECORD_BYTES: Final = 750
"""Bytes that are kept of a record."""
FILE_CHARACTERS: Final = 600
MESSAGE_CHARACTERS: Final = 300
TRACEBACK_CHARACTERS: Final = 1200
ROOM: Final = 256 * 1024
"""Bytes of what one attempt keeps of its bad records, from which on it keeps where they are and a few words."""
FEW_CHARACTERS: Final = 60
_ENCODED: Final = RECORD_BYTES * 4 // 3


class BadRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record that was left out: where it begins, what was wrong, and the beginning of the record itself.

    `offset` is in bytes; of a compressed file, in the decompressed text. `record` is text, or base64 where the
    bytes are no UTF-8. `traceback` begins with the user's own frames, and is empty where no code was at fault.
    """

    file: Annotated[str, msgspec.Meta(max_length=FILE_CHARACTERS)]
    offset: Amount
    reason: Annotated[str, msgspec.Meta(max_length=100)]
    """A PascalCase word of `words`."""
    message: Annotated[str, msgspec.Meta(max_length=MESSAGE_CHARACTERS)]
    record: Annotated[str, msgspec.Meta(max_length=_ENCODED)] = ""
    base64: bool = False
    cut: bool = False
    """The record is longer than what is kept of it."""
    traceback: Annotated[str, msgspec.Meta(max_length=TRACEBACK_CHARACTERS)] = ""

    @property
    def where(self) -> str:
        """Return `file:offset`."""
        return f"{self.file}:{self.offset}"


BadRecords = Annotated[tuple[BadRecord, ...], msgspec.Meta(max_length=MOST)]
"""Of one map attempt."""


def render(found: Iterable[BadRecord]) -> bytes:
    """Return the file that they are kept in: one JSON object a line."""
    return b"".join(msgspec.json.encode(record) + b"\n" for record in found)


def too_many(limit: int, last: BadRecord) -> str:
    """Return why a job with more than `limit` of them fails; `last` is the newest that was found."""
    return f"more bad records than the {limit} that may be left out; the last one is at {last.where}: {last.message}"
