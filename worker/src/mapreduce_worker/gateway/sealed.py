"""A JSON document that people read and that notices damage: its last field, `crc`, is over all before it.

The one such document is the manifest. What it names stays when the output gets its name, and all else goes: one
flipped bit in a name would cost a data file. Callers: `publishing.py` (writes, reads), `standing.py` (reads);
`mapreduce_cli.cluster.transfer` has the check once more, as it runs where nothing of ours is.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Final

import msgspec

from mapreduce.errors import CorruptionError

_SEALED: Final = re.compile(rb'(.*),\n "crc": ([0-9]{1,10})\n}\n', re.DOTALL)


def seal(fields: Mapping[str, object]) -> bytes:
    """Return a document with these fields, of which there is at least one, and its CRC-32."""
    body = msgspec.json.format(msgspec.json.encode(fields), indent=1).removesuffix(b"\n}")
    return body + b',\n "crc": %d\n}\n' % zlib.crc32(body)


def check(document: bytes) -> bytes:
    """Return the document; raises `CorruptionError` if a byte of it is not what was written."""
    match = _SEALED.fullmatch(document)
    if match is None or zlib.crc32(match[1]) != int(match[2]):
        raise CorruptionError("its CRC is not that of what it says")
    return document
