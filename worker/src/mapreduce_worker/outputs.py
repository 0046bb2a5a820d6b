"""Finding segments in map outputs on a disk, with the indices that were read lately kept.

Neighbours: `data_server.py` serves them, `fetch.py` opens those of workers on the same disk;
`engine.map_output` knows the format.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

import msgspec

from mapreduce import paths
from mapreduce.boundaries import ALL, KeyRange
from mapreduce.errors import CorruptionError
from mapreduce.ids import AttemptId
from mapreduce_worker.engine import map_output

KEPT_INDICES: Final = 256


class SegmentPlace(msgspec.Struct, frozen=True):
    """One segment: `length` bytes at `offset` of `path`, with its rows and CRC-32."""

    path: Path
    offset: int
    length: int
    rows: int
    crc: int


class MapOutputs:
    """The map outputs in one directory. May be used from several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._indices: OrderedDict[AttemptId, map_output.Index] = OrderedDict()
        self._lock = threading.Lock()

    def segment(self, attempt: AttemptId, partition: int, wanted: KeyRange = ALL) -> SegmentPlace | None:
        """Return a segment, or None if there is no such output, or it is damaged.

        Where keys have a total order, that is what holds the keys of the range `wanted`.
        """
        if attempt.task.kind != "map":
            return None
        path = self._directory / paths.map_output(attempt)
        try:
            # The index may be remembered when the file is gone.
            path.stat()
            index = self._index(attempt, path)
        except (OSError, CorruptionError):
            return None
        segment = map_output.segment_of(index, partition, wanted)
        if segment is None:
            return None
        return SegmentPlace(path, segment.offset, segment.length, segment.rows, segment.crc)

    def _index(self, attempt: AttemptId, path: Path) -> map_output.Index:
        with self._lock:
            if attempt in self._indices:
                self._indices.move_to_end(attempt)
                return self._indices[attempt]
        index = map_output.read_index(path)
        with self._lock:
            self._indices[attempt] = index
            if len(self._indices) > KEPT_INDICES:
                self._indices.popitem(last=False)
        return index
