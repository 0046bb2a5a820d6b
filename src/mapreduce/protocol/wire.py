"""The wire: names of paths and headers, limits, and the codec of bodies."""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar

import msgspec

from mapreduce.errors import ProtocolError

VERSION: Final = 2
MAX_BODY: Final = 16 << 20
"""Bytes in one body, either way; what does not fit is sent with the next exchange."""
WORKER_BODY: Final = 4 << 20
"""Bytes in one body that a worker sends; only a gateway has pages of a plan and a journal."""
PAGE_SPLITS: Final = 500
"""Splits in one plan page."""

REGISTER: Final = "/v1/register"
PROGRAM: Final = "/v1/program"
EXCHANGE: Final = "/v1/exchange"
SESSION_HEADER: Final = "X-MapReduce-Session"
TICKET_HEADER: Final = "X-MapReduce-Ticket"
INPUT_PATH: Final = "/v1/input"
SEGMENTS_PATH: Final = "/v1/segments"
PART_PATH: Final = "/v1/part"

CONTENT_TYPE: Final = "application/msgpack"
"""Of every body that is a message."""

MessageT = TypeVar("MessageT")
_encoder = msgspec.msgpack.Encoder()
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}
_learning: Final = threading.Lock()


def encode(message: object) -> bytes:
    """Return the body of a message."""
    return _encoder.encode(message)


def decode(body: bytes, kind: type[MessageT]) -> MessageT:
    """Return the message in a body; raises `ProtocolError` for anything else."""
    if len(body) > MAX_BODY:
        raise ProtocolError(f"a {kind.__name__} of {len(body)} bytes is larger than {MAX_BODY}")
    try:
        message: MessageT = _decoder(kind).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Far too many arrays within arrays are no defect of the receiver's.
        raise ProtocolError(f"not a {kind.__name__}: {error}") from error
    return message


def _decoder(kind: type[MessageT]) -> msgspec.msgpack.Decoder[MessageT]:
    found = _decoders.get(kind)
    if found is None:
        # msgspec keeps what it learns of a type where others find it before it is whole: a second thread that meets
        # the type meanwhile crashes the process.
        with _learning:
            found = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    return found
