"""Which files of its volume an input gateway gives out: those of the job's plan, and no others.

The request for a split comes from a worker, which runs user code. A gateway that made the plan knows
its files; one that was started later matches the job's patterns anew, since the plan is with the master and,
where the claims are two, in the journal of another gateway. Neighbours: `operations.py` (plans),
`input_server.py` (serves), `engine.ranges` (lists and reads).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mapreduce.plan import Cut, FileRange, ListedFile
from mapreduce.spec import MAX_RECORD_BYTES, InputFormat
from mapreduce_worker.engine import cuts, ranges
from mapreduce_worker.engine.failure import InputChanged, InputUnreadable
from mapreduce_worker.engine.long_lines import Chunk


class InputFiles:
    """The input's files of one job; may be used by several threads."""

    def __init__(
        self, root: Path, patterns: Sequence[str], max_record: int = MAX_RECORD_BYTES, *, skips: bool = False
    ) -> None:
        """Take the root of the volume, the job's patterns relative to it, the bytes that a record may have, and
        whether the job skips bad records."""
        self._root = root
        self._patterns = tuple(patterns)
        self._max_record = max_record
        self._skips = skips
        self._planned: frozenset[str] = frozenset()
        self._matched: frozenset[str] | None = None
        self._lock = threading.Lock()

    def list(self, *, by_content: bool) -> list[ListedFile]:
        """List the files for a plan, and remember them; raises what `ranges.list_files` does."""
        listing = ranges.list_files(self._root, self._patterns, by_content=by_content)
        self._remember(file.path for file in listing)
        return listing

    def finder(self, input_format: InputFormat) -> Cut | None:
        """Return what divides the input's files; see `cuts.finder`."""
        return cuts.finder(self._root, input_format, self._max_record, skips=self._skips)

    def read(self, part: FileRange) -> tuple[int, Iterator[Chunk]]:
        """Return what `ranges.read_range` does; raises also `InputUnreadable` for a file that is in no plan."""
        path = part.file.path
        if path not in self._planned:
            if self._planned:
                raise InputUnreadable(f"{path} is no file of the job's plan")
            if path not in self._found():
                raise InputChanged(f"{path} is not, or no longer, among the files that the job's input names")
        return ranges.read_range(self._root, part, self._max_record, skips=self._skips)

    def _remember(self, paths: Iterable[str]) -> None:
        # A job may be planned twice, and either plan be the one that its master keeps.
        with self._lock:
            self._planned |= frozenset(paths)

    def _found(self) -> frozenset[str]:
        with self._lock:
            if self._matched is None:
                self._matched = frozenset(ranges.matching(self._root, self._patterns))
            return self._matched
