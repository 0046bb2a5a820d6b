"""Bad records of one attempt: found, kept with what was wrong, and left out whole.

A record is bad if it cannot be read, if the user's `map` raises at it, or if what that yields cannot be carried.
Without `skip_bad_records` the first one ends the attempt, as ever. With it, a record's pairs are held until its `map`
has ended, so that a bad one leaves no pair and no count behind. Neighbours: `records` and `json_lines` (find those that
cannot be read), `map_run` and `map_part` (whose mapper is wrapped), `mapreduce.bad_records` (how they travel).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from copy import deepcopy
from typing import Any, Final

import msgspec

from mapreduce import bad_records, keys, values
from mapreduce.bad_records import BadRecord
from mapreduce.errors import RecordTooLongError
from mapreduce.pairs import refuse_text
from mapreduce.reducers import Reducer
from mapreduce_worker.engine import emitted, failure
from mapreduce_worker.engine.failure import TooManyBadRecords, UserTaskError
from mapreduce_worker.engine.instance import Instance
from mapreduce_worker.engine.record_loop import RecordLoop
from mapreduce_worker.engine.tables import key_iterator

_PLAIN: Final = values.SCALARS


class Quarantine:
    """What one attempt leaves out; `limit` 0: nothing, and the first bad record is an error."""

    def __init__(self, limit: int) -> None:
        """Begin with no bad record."""
        self.limit = limit
        self._kept: list[BadRecord] = []
        self._room = bad_records.ROOM

    @property
    def kept(self) -> tuple[BadRecord, ...]:
        """Return the bad records so far, in the order of the input."""
        return tuple(self._kept)

    def refuse(self, error: UserTaskError, file: str, offset: int, raw: bytes) -> None:
        """Keep a bad record, which begins with the bytes `raw`; raises `error` itself where none may be skipped.

        Raises `TooManyBadRecords` for one more than the limit.
        """
        if not self.limit:
            raise error from error.__cause__
        record = _record(error, file, offset, raw)
        if len(self._kept) == self.limit:
            told = TooManyBadRecords(error.where, bad_records.too_many(self.limit, record))
            raise told from error.__cause__
        if self._room <= 0:
            record = _briefly(record)
        self._room -= len(msgspec.msgpack.encode(record))
        self._kept.append(record)


def _record(error: UserTaskError, file: str, offset: int, raw: bytes) -> BadRecord:
    info = failure.describe(error)
    text, is_base64 = _text(raw)
    return BadRecord(
        file=file[-bad_records.FILE_CHARACTERS :],
        offset=offset,
        reason=info.reason,
        message=_short(info.message, bad_records.MESSAGE_CHARACTERS),
        record=text,
        base64=is_base64,
        # Of one that is too long, nobody holds more than its beginning.
        cut=len(raw) > bad_records.RECORD_BYTES or isinstance(error.__cause__, RecordTooLongError),
        traceback=_short(info.traceback, bad_records.TRACEBACK_CHARACTERS),
    )


def _briefly(record: BadRecord) -> BadRecord:
    """Return the same with few words: an attempt's report is one message, however many there are."""
    message = _short(record.message, bad_records.FEW_CHARACTERS)
    return msgspec.structs.replace(record, message=message, record="", base64=False, cut=True, traceback="")


def _short(text: str, most: int) -> str:
    """Shorten in the middle: the end tells what was raised, and the beginning where."""
    half = most // 2 - 1
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def _text(raw: bytes) -> tuple[str, bool]:
    """Return what is kept of a record: its beginning, as text if it is some, without half a character at the end."""
    kept = raw[: bad_records.RECORD_BYTES]
    try:
        return kept.decode(), False
    except UnicodeDecodeError as error:
        if len(raw) > len(kept) and error.reason == "unexpected end of data":
            return kept[: error.start].decode(), False
    return base64.b64encode(kept).decode(), True


# --- the user's mapper ------------------------------------------------------------------

Admit = Callable[[Any], Any]
"""Takes what a mapper yielded; returns it as it may be held, or raises for what cannot be carried."""


def pairs(reducer: Reducer | None, *, sort_values: bool, put_out: bool) -> Admit:
    """Return the check for the pairs of a job whose maps fold by this reducer, if they do.

    put_out: every value will stand in the output as it is, so that it must have a text.
    """
    start = None if reducer is None else reducer.start
    carry = emitted.pack_value if put_out else values.encode

    def admit(pair: Any) -> Any:
        refuse_text(pair)
        key, value = pair
        keys.encode((key, value) if sort_values else key)
        carry(value)
        if start is not None:
            start(value)
        # User code may change what it has yielded, once it goes on.
        return key, value if type(value) in _PLAIN else _copied(value)

    return admit


def _copied(value: Any) -> Any:
    try:
        return deepcopy(value)
    except TypeError:
        # Such as a memoryview.
        return values.decode(values.encode(value))


def key(found: Any) -> Any:
    """Return a key that a mapper yielded; raises `UnsupportedKeyError` for what is none."""
    keys.encode(found)
    return found


def skipping(
    mapper: Callable[[Any], Any], admit: Admit, quarantine: Quarantine, records: RecordLoop, user: Instance
) -> Callable[[Any], list[Any]]:
    """Return the mapper, but one that gives nothing for a record at which it raises: `quarantine` keeps that record.

    What cannot be laid at the record's door is raised as it is: a signal, `sys.exit`, memory that has run out, a fault
    of the engine.
    """
    keys_only = admit is key

    def mapped(record: Any) -> list[Any]:
        counted = user.counted()
        found: Any = None
        try:
            found = mapper(record)
            if found is None:
                return []
            given: Iterable[Any] = key_iterator(found) if keys_only else found or ()
            return list(map(admit, given))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary to user code
            try:
                failure.blame(error, records.where(), "map")
            except UserTaskError as told:
                _close(found)
                user.count_again_from(counted)
                quarantine.refuse(told, *records.here())
            return []

    return mapped


def _close(found: Any) -> None:
    """End a generator of the user's that is not done: what its `finally` counts belongs to the bad record too."""
    if isinstance(found, Generator):
        with suppress(Exception):
            found.close()
