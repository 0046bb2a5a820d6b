"""The report of a job, made while the frames of its journal are read for its history.

The history matters more: whatever goes wrong here is told by what stands in the report's place, and fails nothing.
Neighbours: `history_files.py`, the only caller; `mapreduce_page`, which makes the report.
"""

from __future__ import annotations

import html
import io
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from mapreduce import kept_job
from mapreduce.history import Frame, HistoryEvent

if TYPE_CHECKING:
    from mapreduce_page.fold import Fold

MOST_SECONDS: Final = 10.0
"""Of work for the report: the job's end waits for it."""
MOST_CHARACTERS: Final = 1000
_log = logging.getLogger(__name__)


class Ending(msgspec.Struct, frozen=True):
    """What the history of a job that ends well does not tell."""

    phase: str
    wall: float


def warm_up() -> None:
    """Import what a report needs."""
    from mapreduce_page import report  # noqa: F401, PLC0415 - a gateway needs it once, when its job ends


class Report:
    """The report of one job; `job`: the content of `job.json`."""

    def __init__(self, job: bytes, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        self._spent = 0.0
        self._fold: Fold | None = None
        self._wall = 0.0
        self._trouble = ""

    def seen(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the frames, and take them in."""
        for frame in frames:
            self._attempt(self._take, frame)
            yield frame

    def render(self, ending: Ending | None) -> bytes:
        """Return the content of `report.html`, once all frames were seen."""
        made = self._attempt(self._rendered, ending)
        return _instead(self._trouble) if made is None else made

    def _take(self, frame: Frame) -> None:
        if self._fold is None:
            from mapreduce_page import fold, report  # noqa: PLC0415 - see `warm_up`

            spec = kept_job.read_job(io.BytesIO(self._job)).spec
            self._fold = fold.Fold(spec, most_rows=report.MOST_ROWS)
        if isinstance(frame.entry, HistoryEvent):
            self._wall = frame.entry.wall
        self._fold.add(frame.epoch, frame.sequence, frame.entry)

    def _rendered(self, ending: Ending | None) -> bytes:
        from mapreduce_page import report  # noqa: PLC0415 - see `warm_up`

        if self._fold is None:
            raise ValueError("the journal is empty")
        if ending is not None:
            self._fold.tell(phase=ending.phase, ended=ending.wall)
        elif not self._fold.ended:
            # The journal does not say how it ended: no master got to that.
            self._fold.tell(ended=self._wall)
        return report.render(self._fold, now=ending.wall if ending is not None else self._wall)

    def _attempt(self, work: Callable[..., bytes | None], *given: object) -> bytes | None:
        """Do a step, unless one before it failed or all took too long."""
        if self._trouble:
            return None
        began = self._clock()
        try:
            return work(*given)
        except Exception as error:  # noqa: BLE001 - the boundary to the job, which must not fail by a defect here
            _log.exception("no report can be made")
            self._trouble = f"{type(error).__name__}: {error}"
            return None
        finally:
            self._spent += self._clock() - began
            if self._spent > MOST_SECONDS:
                self._trouble = self._trouble or f"it took longer than {MOST_SECONDS:.0f} s"


def _instead(trouble: str) -> bytes:
    """Return what stands in place of a report that could not be made, in one line."""
    said = html.escape(" ".join(trouble.split())[:MOST_CHARACTERS])
    text = f"The report of this job could not be made: {said}. Its history is beside this file, in events.ndjson."
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>No report</title><p>{text}\n'
    return page.encode(errors="backslashreplace")
