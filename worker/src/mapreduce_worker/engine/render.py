"""Rows of parts as lines of text: what `mapreduce.tsv` and `mapreduce.jsonl` make of their pairs, to the byte.

Many rows with values of one type are columns, and stay columns until they are text; a column is gone through one by one
only where Python alone knows how: numbers with a point, tuples, lists. A very large value is text in pieces.
Neighbours: `merge` and `part_lines` (the callers), `part` (rows), `columns`, `key_columns`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from mapreduce import jsonl, keys, tsv, values
from mapreduce.errors import CorruptionError
from mapreduce.keys import KeyType
from mapreduce.spec import OutputFormat
from mapreduce_worker.engine import text_lists
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.columns import Columns

if TYPE_CHECKING:
    import polars

_LINES: Final[dict[OutputFormat, Callable[[list[Any]], bytes]]] = {"tsv": tsv.lines, "jsonl": jsonl.lines}
_ESCAPED: Final = ["\\", "\t", "\n", "\r"]
_ESCAPES: Final = ["\\\\", "\\t", "\\n", "\\r"]
_NOT_IN_JSON: Final = r'[\x00-\x1f"\\]'
"""What JSON escapes in text, as far as `jsonl` does."""
_COLUMNS: Final = ("str", "bytes", "int")
"""Types of keys that become text as columns."""
_LARGE: Final = 16 << 20
"""Bytes of rows of which one must be very large: whole, its text would be there several times."""
_PIECE: Final = 1 << 20
"""Characters of very large text that are made a field at once."""
_LONG: Final = 80
"""Bytes of its fields from which on a row is long, in the mean."""
_AFFIXES: Final = ('{"key":', ',"value":', "}\n")
"""What stands before the key, between key and value, and after the value."""


def pairs(rows: Rows, key_type: KeyType, *, own: bool) -> list[tuple[Any, Any]]:
    """Return the pairs (key, value) of rows of a part; raises `CorruptionError` for rows that no part has."""
    try:
        if not own:
            return [(key, value) for key, value in map(values.decode, rows.values)]
        return list(zip(map(keys.decoder(key_type), rows.keys), rows.unpacked(), strict=True))
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise CorruptionError(f"a part has rows that are no records of keys {key_type}: {error}") from error


def pieces(rows: Rows, style: OutputFormat, key_type: KeyType, *, own: bool) -> Iterator[bytes]:
    """Yield the lines of rows of a part; very large text, or a list of text, comes in pieces.

    Raises `CorruptionError` for rows that no part has.
    """
    if not own or rows.size() <= _LARGE:
        yield _text(rows, style, key_type, own=own)
    elif rows.count == 1:
        yield from _large(rows, style, key_type)
    else:
        middle = rows.count // 2
        for half in (rows.cut(0, middle), rows.cut(middle, rows.count)):
            yield from pieces(half, style, key_type, own=True)


def _large(row: Rows, style: OutputFormat, key_type: KeyType) -> Iterator[bytes]:
    """Yield the line of one very large row."""
    try:
        value = row.values[0]
        found = text_lists.in_pieces(value) if row.packed else None
        if found is None:
            value = values.decode(value) if row.packed else value
            if type(value) is not str:
                yield _LINES[style]([(keys.decoder(key_type)(row.keys[0]), value)])
                return
            found = _text_in_pieces(value, style)
        del value
        before, between, after = _AFFIXES if style == "jsonl" else ("", "\t", "\n")
        key = _field(keys.decoder(key_type)(row.keys[0]), style)
        yield f"{before}{key}{between}".encode()
        yield from found
        yield after.encode()
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise CorruptionError(f"a part has rows that are no records of keys {key_type}: {error}") from error


def _text_in_pieces(value: str, style: OutputFormat) -> Iterator[bytes]:
    """Yield text as a field: each character is what it is by itself."""
    quote = b'"' if style == "jsonl" else b""
    yield quote
    for at in range(0, len(value), _PIECE):
        field = _field(value[at : at + _PIECE], style).encode()
        yield field[1:-1] if quote else field
    yield quote


def _text(rows: Rows, style: OutputFormat, key_type: KeyType, *, own: bool) -> bytes:
    if not (own and isinstance(rows, Columns)):
        return _LINES[style](pairs(rows, key_type, own=own))
    import polars  # noqa: PLC0415 - see `columns`

    try:
        columns = [_keys(rows, style, key_type).alias("key"), _values(rows, style).alias("value")]
    except (polars.exceptions.PolarsError, msgspec.MsgspecError, ValueError) as error:
        raise CorruptionError(f"a part has rows that are no records of keys {key_type}: {error}") from error
    if style == "tsv":
        return _tsv(columns, [key_type == "str", rows.value_series.dtype == polars.String])
    before, between, after = map(polars.lit, _AFFIXES)
    line = polars.concat_str([before, polars.col("key"), between, polars.col("value"), after])
    whole: str = polars.DataFrame(columns).select(line.str.join("")).item()
    return whole.encode()


def _tsv(columns: list[polars.Series], raw: list[bool]) -> bytes:
    """Return lines of fields, of which those that are `raw` have not been looked at for what must be escaped.

    Of long rows a quote that is a backslash shows nearly at once that there is nothing: Polars puts it around a field
    in which there is one, or a tabulator, or an end of line; and around an empty one. Else the lines tell, which takes
    a fifth of the time of looking at columns.
    """
    if any(raw) and sum(each.estimated_size() for each in columns) >= _LONG * len(columns[0]):
        whole = _lines(columns, "necessary")
        if b"\\" not in whole and b"\r" not in whole:
            return whole
    whole, count = _lines(columns, "never"), len(columns[0])
    if not any(raw) or (
        whole.count(b"\t") == whole.count(b"\n") == count and b"\\" not in whole and b"\r" not in whole
    ):
        return whole
    return _lines([_escaped(each) if escape else each for each, escape in zip(columns, raw, strict=True)], "never")


def _escaped(column: polars.Series) -> polars.Series:
    return column.str.replace_many(_ESCAPED, _ESCAPES)


def _lines(columns: list[polars.Series], quotes: Literal["necessary", "never"]) -> bytes:
    import polars  # noqa: PLC0415 - see `columns`

    buffer = io.BytesIO()
    polars.DataFrame(columns).write_csv(
        buffer, include_header=False, separator="\t", quote_char="\\", quote_style=quotes
    )
    return buffer.getvalue()


def _keys(rows: Columns, style: OutputFormat, key_type: KeyType) -> polars.Series:
    if key_type in _COLUMNS:
        # Only here: it brings polars.
        from mapreduce_worker.engine import key_columns  # noqa: PLC0415 - see above

        decoded = key_columns.decode(rows.key_series, key_type)
        if decoded.null_count():
            raise ValueError(f"{decoded.null_count()} keys have another length")
        return _texts(decoded, style)
    return _one_by_one(list(map(keys.decoder(key_type), rows.keys)), style)


def _values(rows: Columns, style: OutputFormat) -> polars.Series:
    if not rows.packed:
        return _texts(rows.value_series, style)
    lists = text_lists.as_json(rows)
    return _one_by_one(rows.unpacked(), style) if lists is None else _series(lists)


def _texts(column: polars.Series, style: OutputFormat) -> polars.Series:
    """Return each value of a typed column as a field."""
    import polars  # noqa: PLC0415 - see `columns`

    kind = column.dtype
    if kind == polars.String:
        return column if style == "tsv" else _quoted(column)
    if kind == polars.Binary:
        encoded = column.bin.encode("base64")
        return '"' + encoded + '"' if style == "jsonl" else encoded
    if kind == polars.Float64:
        # Python's own shortest form, which Polars' is not.
        return polars.Series([repr(x) if math.isfinite(x) else _field(x, style) for x in column.to_list()])
    return column if style == "tsv" else column.cast(polars.String)


def _quoted(column: polars.Series) -> polars.Series:
    if column.str.contains(_NOT_IN_JSON).any():
        return _one_by_one(column.to_list(), "jsonl")
    return '"' + column + '"'


def _one_by_one(objects: list[Any], style: OutputFormat) -> polars.Series:
    return _series([_field(each, style) for each in objects])


def _series(texts: list[str]) -> polars.Series:
    import polars  # noqa: PLC0415 - see `columns`

    return polars.Series(texts, dtype=polars.String)


def _field(value: Any, style: OutputFormat) -> str:
    return jsonl.field(value).decode() if style == "jsonl" else tsv.field(value)
