"""Lines of JSON to records: one value a line; lines of nothing but white space hold none.

Neighbours: `records` (lines and batches), `formats` (chooses a reader).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from mapreduce.errors import RecordMalformedError
from mapreduce_worker.engine import records
from mapreduce_worker.engine.failure import RecordRefused
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.records import LineBatch, Refuse

_decode: Final = msgspec.json.Decoder().decode
_WRONG: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What the decoder raises for bad input: for its syntax, its encoding, its depth."""
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")
_HIGH: Final = ("d8", "d9", "da", "db")
"""How the number of the first half of a pair of surrogates begins, and of the second."""
_LOW: Final = ("dc", "dd", "de", "df")
_BYTE: Final = re.compile(r" \(byte (\d+)\)$")


def read(
    name: str, offset: int, chunks: Iterator[Chunk], options: TaskOptions, refuse: Refuse = records.never
) -> Iterator[LineBatch]:
    """Yield the values of the lines that begin at `offset` of the file `name`; chunks may end anywhere.

    Calls `refuse`, with offset and column, after the records before it were yielded. With
    `encoding_errors` set to `replace`, bytes that are no UTF-8 become U+FFFD before the line is read.
    """
    lenient = options.encoding_errors == "replace"
    for at, raw in records.whole_lines(name, offset, chunks, options.max_record_bytes, refuse):
        yield from _batches(name, at, raw, lenient, refuse)


def _batches(name: str, offset: int, raw: bytes, lenient: bool, refuse: Refuse) -> Iterator[LineBatch]:
    while raw:
        lines = records.split_lines(records.without_mark(offset, raw))
        values: list[Any] = []
        numbers: list[int] = []
        number = 0
        try:
            for number, line in enumerate(lines):
                if line and not line.isspace():
                    values.append(_decode(line.decode("utf-8", "replace") if lenient else line))
                    numbers.append(number)
        except _WRONG as error:
            broken = LineBatch(name, offset, raw, [None], [number])
            start = broken.offset(0) - offset
            if values:
                yield LineBatch(name, offset, raw[:start], values, numbers)
            mark = len(raw) - len(records.without_mark(offset, raw)) if number == 0 else 0
            refuse(_wrong(name, offset + start, lines[number], mark, error), name, offset + start, broken.raw(0))
            end = raw.find(b"\n", start) + 1 or len(raw)
            offset, raw = offset + end, raw[end:]
        else:
            yield LineBatch(name, offset, raw, values, None if len(values) == len(lines) else numbers)
            return


def _wrong(name: str, offset: int, line: bytes, mark: int, error: Exception) -> RecordRefused:
    """Return the error for a line at `offset`, of which `mark` bytes were a byte order mark."""
    if isinstance(error, UnicodeDecodeError):
        # The decoder counts from the beginning of a string; the codec says where in the line.
        try:
            line.decode()
        except UnicodeDecodeError as whole:
            return records.not_utf8(name, offset, bytes(mark) + line, mark + whole.start, whole.reason)
    reason, column = _explain(line, error)
    message = f"the line at offset {offset} of {name} is not valid JSON: {reason}, in column {column}"
    told = RecordRefused(f"{name}:{offset}", message)
    told.__cause__ = RecordMalformedError(message)
    return told


def _explain(line: bytes, error: Exception) -> tuple[str, int]:
    """Return what is wrong with a line, and at which of its characters, from 1."""
    decoded = line.decode("utf-8", "replace")
    if isinstance(error, RecursionError):
        return "it is nested too deeply", 1
    try:
        # Its messages name the place better than the faster decoder's.
        json.loads(decoded, parse_constant=_no_constant)
    except json.JSONDecodeError as found:
        return found.msg, found.pos + 1
    except (ValueError, RecursionError) as found:
        return str(found), 1
    if at_escape := _unpaired(decoded):
        return "an escape stands for one half of a pair of surrogates, and the other half is not there", at_escape
    at = _BYTE.search(str(error))
    column = len(line[: int(at[1])].decode("utf-8", "replace")) + 1 if at else 1
    return _BYTE.sub("", str(error)), column


def _unpaired(line: str) -> int:
    """Return the character, from 1, where an escape of a surrogate begins that is no pair; 0 if there is none."""
    opened = end = 0
    for escape in _ESCAPE.finditer(line):
        half = (escape[1] or "")[:2].lower()
        follows = opened and escape.start() == end
        if opened and not (follows and half in _LOW):
            return opened
        if half in _LOW and not opened:
            return escape.start() + 1
        opened, end = (escape.start() + 1 if half in _HIGH else 0), escape.end()
    return opened


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")
