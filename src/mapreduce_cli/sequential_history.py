"""The history of a job in one process: what a master would journal, written as it happens.

Neighbour: `sequential_tasks.py`, which says what happened.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from mapreduce.failure_texts import FailureTexts
from mapreduce.history import Frame, HistoryEvent, PlanMade, PlanPage
from mapreduce.ids import AttemptId
from mapreduce.protocol import ErrorInfo
from mapreduce_operator.core import policies
from mapreduce_worker.gateway.storage import Output

EPOCH: Final = 1
"""There is one master in the whole life of such a job: this process."""
WORKER: Final = "sequential"
"""What history says instead of a worker's name."""


class History:
    """Appends to the history of an open output. Raises `SystemFault` where it cannot be written."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._sequence = 0
        self._texts = FailureTexts()

    def note(self, word: str, attempt: AttemptId | None = None, **fields: object) -> None:
        """Append an event, with the time; `fields` are those of `HistoryEvent`."""
        event = {"type": "event", "event": word, "wall": time.time()} | fields
        if attempt is not None:
            event |= {"task": attempt.task, "attempt": attempt, "worker": WORKER}
        self.append(msgspec.convert(event, HistoryEvent))

    def failed(self, attempt: AttemptId, error: ErrorInfo, cpu: float) -> None:
        """Append that an attempt failed, what it says of that, and the seconds of processor time that it took."""
        told = self._texts.keep(error, self._sequence + 1)
        message, peak = policies.one_line(error), error.peak_memory
        self.note("Failed", attempt, reason=error.reason, message=message, peak_memory=peak, cpu=cpu, **told)

    def append(self, entry: HistoryEvent | PlanPage | PlanMade) -> None:
        """Append an entry."""
        self._sequence += 1
        self._output.append([Frame(EPOCH, self._sequence, entry)])
