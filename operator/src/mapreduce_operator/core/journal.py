"""The master's side of the journal: frames in order, until the output's gateway has written them.

Frames wait here until the gateway says up to which sequence they are durable. The first frame of
an epoch is always `EpochOpened`. Neighbours: `book.py` records through it, `answers.py` sends.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

import msgspec

from mapreduce.history import Entry, Frame

BATCH_SECONDS: Final = 1.0
"""How long frames that nobody waits for may be kept back to be sent together."""
BATCH_FRAMES: Final = 500
PAGE_BYTES: Final = 8 << 20
"""Bytes of frames in one answer; the rest goes with the next."""

_size_of = msgspec.msgpack.Encoder()


class Journal:
    """A queue of frames. `written` is the highest sequence that is durable, `last` the highest made."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.last = 0
        self.written = 0
        self.closed = False
        """Set by `Publishing`: it is the last event of the history."""
        self.torn = False
        """Frames that were written are lost, so that no other can be written behind them."""
        self._awaited = 0
        self._pending: deque[tuple[Frame, int, float]] = deque()

    def append(self, entry: Entry, now: float, *, awaited: bool = False) -> int:
        """Queue one entry; return its sequence. `awaited`: somebody waits until it is written."""
        if self.closed:
            return self.last
        self.last += 1
        frame = Frame(self.epoch, self.last, entry)
        self._pending.append((frame, len(_size_of.encode(frame)), now))
        if awaited:
            self._awaited = self.last
        return self.last

    def acknowledge(self, written: int) -> None:
        """Note that every frame up to `written` is durable; never goes back."""
        self.written = max(self.written, min(written, self.last))
        while self._pending and self._pending[0][0].sequence <= self.written:
            self._pending.popleft()

    def is_written(self, sequence: int) -> bool:
        """Tell whether the frame with this sequence is durable."""
        return self.written >= sequence

    def due(self, sent: int, now: float) -> bool:
        """Tell whether frames after `sent` should go out now: awaited, many, or old enough."""
        if self.last <= sent or not self._pending:
            return False
        if self._awaited > sent or self.last - max(sent, self.written) >= BATCH_FRAMES:
            return True
        position = max(0, sent + 1 - self._pending[0][0].sequence)
        return now - self._pending[position][2] >= BATCH_SECONDS

    def page(self) -> tuple[Frame, ...]:
        """Return the frames that are not known to be written, as many as fit."""
        room = PAGE_BYTES
        count = 0
        for _, size, _ in self._pending:
            room -= size
            if count and room < 0:
                break
            count += 1
        return tuple(frame for frame, _, _ in islice(self._pending, count))
