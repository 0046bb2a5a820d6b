"""The journal of one job on its output's store: what must outlive every process.

Only the output's gateway writes it. The frames are those of `mapreduce.history`; a torn tail is
cut when the journal is opened, and again before anything is written behind an append that failed.
It is read in pieces: a long job's journal is larger than a gateway.
Neighbours: `storage.py`, which owns one `Journal`.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mapreduce import history
from mapreduce.errors import CorruptionError, ProtocolError, SystemFault
from mapreduce.history import Frame, HistoryEvent
from mapreduce_worker.gateway.store import NotThere, Store

PAGE: Final = 1 << 20
"""Bytes of frames that are read, and reported to the master, at a time."""

_HEAD: Final = struct.Struct(">II")


class JournalReplaced(SystemFault):
    """Another gateway has written to the journal that this one had open."""


LOST: Final = (NotThere, JournalReplaced)
"""Errors of an append after which trying again cannot help: the output must be opened again."""


class Journal:
    """The journal at `path`; `recover` comes first. What a method that returned has written is durable."""

    def __init__(self, store: Store, path: str, page: int = PAGE) -> None:
        self._store = store
        self._path = path
        self._page = page
        self._length = 0
        self._attempted = b""
        self._written: dict[int, int] = {}
        self._staged: dict[int, HistoryEvent] = {}

    @property
    def epoch(self) -> int:
        """The highest epoch that wrote to this journal; 0 for an empty one."""
        return max(self._written, default=0)

    @property
    def staged(self) -> dict[int, HistoryEvent]:
        """The event of the part that is staged, by partition."""
        return dict(self._staged)

    def written(self, epoch: int) -> int:
        """Return the highest sequence of that epoch that is durable."""
        return self._written.get(epoch, 0)

    def recover(self) -> tuple[tuple[Frame, ...], ...]:
        """Open or make the file, cut a torn tail, and return all frames in pages.

        Raises `CorruptionError` if the journal is damaged before its end.
        """
        if self._store.kind(self._path) is None:
            self._store.append(self._path, b"")
        pages = []
        self._length = 0
        for frames, size in self._scan():
            pages.append(tuple(frames))
            self._length += size
            self._note(frames)
        if self._store.read(self._path, self._length, 1):
            self._store.truncate(self._path, self._length)
        self._attempted = b""
        self._store.sync(self._path)
        self._store.sync(posixpath.dirname(self._path))
        return tuple(pages)

    def read(self) -> Iterator[Frame]:
        """Yield all whole frames, from the disk."""
        for frames, _ in self._scan():
            yield from frames

    def append(self, frames: Iterable[Frame]) -> int:
        """Write the frames that are not there yet; return the highest sequence of their epoch.

        Frames with sequence 0 are the gateway's own and are always written. Raises `ProtocolError`
        for frames of an epoch older than one that wrote already, and for a gap in the sequence.
        """
        fresh: list[Frame] = []
        epoch = self.epoch
        written = self.written(epoch)
        for frame in frames:
            if frame.epoch < epoch:
                raise ProtocolError(f"a journal frame of epoch {frame.epoch} came after epoch {epoch} began")
            if frame.epoch > epoch:
                epoch, written = frame.epoch, 0
            if frame.sequence and frame.sequence <= written:
                continue
            if frame.sequence > written + 1:
                raise ProtocolError(f"journal frame {frame.sequence} of epoch {epoch} came after {written}")
            written = max(written, frame.sequence)
            fresh.append(frame)
        self._write(fresh)
        return written

    def _write(self, frames: Sequence[Frame]) -> None:
        if not frames:
            return
        self._cut_what_an_append_left()
        data = b"".join(map(history.pack, frames))
        self._attempted = data
        self._store.append(self._path, data)
        self._store.sync(self._path)
        self._attempted = b""
        self._length += len(data)
        self._note(frames)

    def _note(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._written[frame.epoch] = max(frame.sequence, self._written.get(frame.epoch, 0))
            entry = frame.entry
            if isinstance(entry, HistoryEvent) and entry.event == "Staged" and entry.task is not None:
                self._staged[entry.task.index] = entry

    def _cut_what_an_append_left(self) -> None:
        """Cut the beginning of an append that failed; anything else behind our last frame is another gateway's."""
        tail = self._store.read(self._path, self._length, len(self._attempted) + 1)
        if not self._attempted.startswith(tail):
            raise JournalReplaced("another gateway writes this journal: this one was replaced")
        if tail:
            self._store.truncate(self._path, self._length)

    def _scan(self) -> Iterator[tuple[list[Frame], int]]:
        """Yield frames with the bytes they take, about a page at a time, up to a torn tail."""
        at = 0
        rest = b""
        while data := self._store.read(self._path, at + len(rest), self._page):
            rest += data
            whole = _whole(rest)
            frames, size = history.unpack(rest[:whole])
            if frames:
                yield frames, size
            at += size
            rest = rest[size:]
            if size < whole:
                # A frame is damaged. What follows tells whether it is the last one.
                tail = rest + self._store.read(self._path, at + len(rest), -1)
                if history.unpack(tail)[1]:
                    raise CorruptionError(f"the journal is damaged at byte {at}, before its end")
                return
        history.unpack(rest)


def _whole(data: bytes) -> int:
    """Return the length of the frames at the beginning of `data` that are there to their end, by their heads."""
    at = 0
    while at + _HEAD.size <= len(data):
        end = at + _HEAD.size + int(_HEAD.unpack_from(data, at)[0])
        if end > len(data):
            break
        at = end
    return at
