"""A job's page in one file: our shell, and a block of data that is JSON, deflated, in base64.

`render` makes one. `read` takes the block out of one, and nothing else: whoever may write to the volume may have put
anything around it. Neighbours: `fold.py` (what is told), `assets.py` (the shell), the gateway, which writes the file.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

from mapreduce.errors import CorruptionError
from mapreduce_page import assets, bounds, model
from mapreduce_page.fold import Fold

MOST_ROWS: Final = 200_000
"""Attempts that a report has: a gateway has all of them in memory as objects, once."""
MOST_BYTES: Final = 2_000_000
"""Of a report's file; texts are cut for it, attempts and groups are not."""
LEAST_TEXTS: Final = 400_000
"""Bytes that texts may take in any case."""
LARGEST_FILE: Final = 64 << 20
_LARGEST_DATA: Final = 128 << 20
"""Bytes of JSON that are unpacked: a small block may hold very much, and as objects it takes ten times as much."""
_FINE: Final = 6
_BLOCK: Final = re.compile(rb'<script type="application/octet-stream" id="data">([A-Za-z0-9+/=\s]*)</script>')
_CUTS: Final = ((3, 8 << 10), (1, 8 << 10), (1, 4000), (1, 2000), (1, 1000), (1, 300), (1, 0))
"""Samples of each group, and characters of each of their texts: the first that fits is taken."""

Texts = dict[str, list[model.Text]]


class Newer(CorruptionError):
    """The report is of a version that is not known here."""


def render(fold: Fold, *, now: float) -> bytes:
    """Return the report of all that a fold knows at a Unix time."""
    update = fold.update(now=now, most=MOST_ROWS)
    update.rev, update.more = 0, False
    return page(model.Report(update=update, texts=fold.all_texts()))


def page(report: model.Report) -> bytes:
    """Return the file that shows a report; its texts are cut so that the file is not too large."""
    told = msgspec.json.encode(report.update)
    shell = len(assets.frozen("").encode())
    alone = len(_packed(told, {}))
    room = max(LEAST_TEXTS, MOST_BYTES - shell - alone)
    block = b""
    for texts in _ever_shorter(report.texts):
        block = _packed(told, texts)
        if len(block) - alone <= room:
            break
    return assets.frozen(block.decode()).encode()


def read(file: bytes) -> model.Report:
    """Return what a report holds; raises `CorruptionError` if that is not what `render` would make."""
    if len(file) > LARGEST_FILE:
        raise CorruptionError(f"it has {len(file)} bytes, more than the {LARGEST_FILE} that a report may have")
    found = _BLOCK.search(file)
    if found is None:
        raise CorruptionError("it has no block of data")
    try:
        told = _unpacked(base64.b64decode(found[1]))
        if msgspec.json.decode(told, type=_Version).v > model.VERSION:
            raise Newer(f"it is of a newer version than {model.VERSION}, the newest that is known here")
        return msgspec.json.decode(told, type=model.Report)
    except (ValueError, RecursionError, zlib.error, msgspec.MsgspecError) as error:
        raise CorruptionError(f"its block of data cannot be read: {error}") from error


class _Version(msgspec.Struct):
    v: int


def _packed(update: bytes, texts: Texts) -> bytes:
    """Return the block of data."""
    told = {"v": model.VERSION, "update": msgspec.Raw(update), "texts": texts}
    packer = zlib.compressobj(_FINE, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(msgspec.json.encode(told)) + packer.flush())


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    told = unpacker.decompress(data, _LARGEST_DATA)
    if unpacker.unconsumed_tail:
        raise CorruptionError(f"its block of data unpacks to more than {_LARGEST_DATA} bytes")
    return told


def _ever_shorter(texts: Texts) -> Iterator[Texts]:
    """Yield the texts, then less and less of them."""
    for samples, most in _CUTS:
        yield {number: [_cut(text, most) for text in of[:samples]] for number, of in texts.items()}


def _cut(text: model.Text, most: int) -> model.Text:
    if most == 0:
        return model.Text(attempt=text.attempt, where=bounds.start(text.where, bounds.WORD), peak=text.peak)
    return model.Text(
        attempt=text.attempt,
        where=bounds.start(text.where, most),
        message=bounds.start(text.message, most),
        traceback=bounds.end(text.traceback, most),
        log=bounds.end(text.log, most),
        peak=text.peak,
    )
