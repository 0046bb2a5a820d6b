"""Frames of rows of which one is very large: their Arrow stream is put together here, and the large one copied once.

Polars holds such a value seven times over while it writes it, and a slot has to hold that. So the heads of the stream
are those that Polars writes for as many short rows, with the true lengths. To its reader it is a stream like any other.
Neighbours: `framing` (the caller), `arrow_sizes` (where lengths stand in heads), `blocks`.
"""

from __future__ import annotations

import struct
from itertools import accumulate, pairwise
from typing import Final

from mapreduce_worker.engine import arrow_sizes, blocks, columns
from mapreduce_worker.engine.blocks import Block

LARGE: Final = 16 << 20
"""Bytes of rows of which one must be very large: a frame is closed when it has a sixteenth."""
_LOOK: Final = 1 << 20
"""Bytes of it that tell whether all of it would become smaller."""
_RAW: Final = struct.Struct("<q")
_LEVEL: Final = 1

Buffer = bytes | memoryview


def stream(rows: Block, gain: int) -> list[Buffer]:
    """Return the pieces of the Arrow stream of rows with packed values.

    gain: buffers are compressed where that seems to save one byte in so many; 0: never. By zstd, whatever the
    file's other frames have: a stream says itself how to read it.
    """
    given = [*_column(rows.keys), *_column(rows.values)]
    packs = bool(gain) and _gains(max(rows.values, key=len), gain)
    if packs:
        given = list(map(_packed, given))
    like = columns.of_packed([b"k"] * rows.count, [b"v"] * rows.count).frame
    sizes = [sum(map(len, buffer)) for buffer in given]
    head, starts = arrow_sizes.heads(blocks.stream(like, "zstd" if packs else "none"), sizes)
    pieces: list[Buffer] = [head]
    for buffer, size, (start, end) in zip(given, sizes, pairwise(starts), strict=True):
        pieces += [*buffer, bytes(end - start - size)]
    return [*pieces, arrow_sizes.END]


def _column(texts: list[bytes]) -> list[list[Buffer]]:
    """Return the buffers of a column, each in pieces: which are null, where each begins, and all of them."""
    return [[], [struct.pack(f"<{len(texts) + 1}q", 0, *accumulate(map(len, texts)))], list(texts)]


def _gains(value: bytes, gain: int) -> bool:
    look = memoryview(value)[len(value) // 2 :][:_LOOK]
    return len(_packed([look])[1]) * gain <= len(look) * (gain - 1)


def _packed(buffer: list[Buffer]) -> list[Buffer]:
    """Return the pieces of a buffer as compressed ones, with what they become before them."""
    # Only here: it is hardly ever wanted.
    import zstandard  # noqa: PLC0415 - see above

    if not buffer:
        return []
    size = sum(map(len, buffer))
    making = zstandard.ZstdCompressor(level=_LEVEL).compressobj(size=size)
    return [_RAW.pack(size), *map(making.compress, buffer), making.flush()]
